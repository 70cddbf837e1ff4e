"""What an enrichment is given of a document: its text, or its picture in the size that is asked for, or its look.

A picture is read in the confined child, from its file where that is still there, else from its thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quarry.indexer.enrichments.base import Look, Own, OwnFields, Pictured, Rendition, Unread, WholePicture, WholeText
from quarry.indexer.formats import format_of
from quarry.indexer.parsers import PARSERS
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import Busy, LoadError
from quarry.search.files.uris import path_of
from quarry.search.types import LOOK, Kind, Metadata, Pixels, Preprocessing, Scan

_SMALL = Preprocessing(LOOK, LOOK, "squash")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a document.

    Args:
        uri: where its file may be.
        thumbnail: returns the JPEG of a picture, None or b"" where there is none.
        look: that of a picture that was read just now, else b"".
        scan: which of its pages are pictures of text.
        path: where its file is, if not at `uri`.
    """

    text: str
    metadata: Metadata
    kind: Kind
    uri: str
    thumbnail: Callable[[], bytes | None]
    look: bytes = b""
    scan: Scan | None = None
    path: Path | None = None

    @property
    def file(self) -> Path | None:
        """Where its file may be, None of what was handed over."""
        return self.path or (path_of(self.uri) if self.uri.startswith(("/", "file:")) else None)


def rendered(content: Content, rendition: Rendition) -> str | Pixels | bytes | Own | Pictured | None:
    """Return a content as an enrichment wants it, None where it can't be had: of a text there are no pixels."""
    if isinstance(rendition, WholeText):
        return content.text
    if isinstance(rendition, OwnFields):
        return Own(content.kind, content.metadata)
    if isinstance(rendition, Unread):
        return _pictured(content) if content.scan or content.kind == "image" else None
    if content.kind != "image":
        return None
    if isinstance(rendition, Look):
        return content.look or _look(content)
    if isinstance(rendition, WholePicture):
        return _read(content, Preprocessing(rendition.side, rendition.side, "within"))
    return _read(content, rendition.preprocessing)


def _pictured(content: Content) -> Pictured | None:
    """Say where the picture is: in its own file, or within another one, as its URI names it."""
    if content.file is None:
        return None
    pages = content.scan.pages if content.scan else ()
    if content.path:
        outer, key = _divided(content.uri, lambda uri: format_of(Path(uri)) is not None)
        return Pictured(content.path, pages, outer.rpartition("/")[2], key)
    if content.file.is_file():
        return Pictured(content.file, pages)
    outer, key = _divided(content.uri, lambda uri: path_of(uri).is_file())
    return Pictured(path_of(outer), pages, key=key)


def _divided(uri: str, is_file: Callable[[str], bool]) -> tuple[str, str]:
    """Return the URI of the outermost file, and the key within it."""
    ends = (at for at, letter in enumerate(uri) if letter == "#" and is_file(uri[:at]))
    end = next(ends, len(uri))
    return uri[:end], uri[end + 1 :]


def _look(content: Content) -> bytes | None:
    thumbnail = content.thumbnail()
    try:
        return QueryPictures(PARSERS).read(thumbnail, _SMALL).look if thumbnail else None
    except (LoadError, Busy):
        return None


def _read(content: Content, preprocessing: Preprocessing) -> Pixels | None:
    reader = QueryPictures(PARSERS)
    if content.file is not None:
        try:
            return reader.read(content.file, preprocessing).pixels
        except (LoadError, Busy):
            pass  # it is gone, or can't be read any more
    thumbnail = content.thumbnail()
    try:
        return reader.read(thumbnail, preprocessing).pixels if thumbnail else None
    except (LoadError, Busy):
        return None
