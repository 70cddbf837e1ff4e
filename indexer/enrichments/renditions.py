"""What an enrichment is given of a document: its text, or its picture in the size that is asked for, or its look.

A picture is read in the confined child, from its file where that is still there, else from its thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from quarry.indexer.enrichments.base import (
    Film,
    Filmed,
    Look,
    Own,
    OwnFields,
    OwnVectors,
    Pictured,
    Recorded,
    Rendition,
    Unheard,
    Unread,
    WholePicture,
    WholeText,
)
from quarry.indexer.formats import format_of
from quarry.indexer.loaders.sandbox.endings import TookLong
from quarry.indexer.parsers import PARSERS
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import Busy, FileUnreadable, LoadError
from quarry.search.files.uris import path_of
from quarry.search.stores.rows.enrichments import Unlooked
from quarry.search.types import LOOK, Kind, Metadata, Pixels, Preprocessing, Vectors
from quarry.search.values.unread import Recording, Scan

StoredVector = tuple[str, Vectors]  # (space, (d,) unit vector)
Rendered = str | Pixels | bytes | Own | Pictured | Recorded | Filmed | list[StoredVector] | tuple[()]
Beside = Callable[[str, Unlooked, Kind | None], Collection[str]]
_SMALL = Preprocessing(LOOK, LOOK, "squash")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a document.

    Args:
        uri: where its file may be.
        thumbnail: returns the JPEG of a picture, None or b"" where there is none.
        look: that of a picture that was read just now, else b"".
        pixels: those of such a picture, of the size and cut that the library's image model takes.
        scan: which of its pages are pictures of text.
        recording: what can be heard in it.
        path: where its file is, if not at `uri`.
        vectors: those that are stored of it, by the names of their spaces; None where it is not stored yet.
        beside: returns the keys of the documents within a file, by its URI, that are to be looked at: those that have a
            field of `documents.structure`, or are of a kind.
    """

    text: str
    metadata: Metadata
    kind: Kind
    uri: str
    thumbnail: Callable[[], bytes | None]
    look: bytes = b""
    pixels: Pixels | None = None
    scan: Scan | None = None
    recording: Recording | None = None
    path: Path | None = None
    vectors: Callable[[], list[StoredVector]] | None = None
    beside: Beside = lambda outer, field, kind: ()

    @property
    def file(self) -> Path | None:
        """Where its file may be, None of what was handed over."""
        return self.path or (path_of(self.uri) if self.uri.startswith(("/", "file:")) else None)


def may_have(content: Content, rendition: Rendition) -> bool:
    """Whether a content is of a kind that has a rendition: there are no pixels of a text."""
    if isinstance(rendition, WholeText | OwnFields):
        return True
    if isinstance(rendition, OwnVectors):
        return rendition.kind in ("", content.kind)
    if isinstance(rendition, Unread):
        return content.file is not None and (content.scan is not None or content.kind == "image")
    if isinstance(rendition, Unheard):
        return content.file is not None and content.recording is not None
    if isinstance(rendition, Film):
        return content.file is not None and {"duration", "width"} <= content.metadata.keys() and _is_played(content)
    return content.kind == "image"


def _is_played(content: Content) -> bool:
    form = format_of(Path(content.uri.rpartition("/")[2]))
    return form is not None and form.loader == "sound/recording"


def rendered(content: Content, rendition: Rendition) -> Rendered | None:
    """Return a content as an enrichment wants it, None where it can't be had.

    Raises:
        Busy, FileUnreadable: it can't be had now.
        TookLong: it can't be had in time.
    """
    if not may_have(content, rendition):
        return None
    if isinstance(rendition, WholeText):
        return content.text
    if isinstance(rendition, OwnVectors):
        return content.vectors() if content.vectors else ()
    if isinstance(rendition, OwnFields):
        return Own(content.kind, content.metadata)
    if isinstance(rendition, Unread):
        return _pictured(content)
    if isinstance(rendition, Unheard):
        return _recorded(content, content.recording) if content.recording else None
    if isinstance(rendition, Film):
        placed = _placed(content)
        return Filmed(placed[0], float(content.metadata["duration"]), placed[2]) if placed else None
    if isinstance(rendition, Look):
        return content.look or _look(content)
    if isinstance(rendition, WholePicture):
        return _read(content, Preprocessing(rendition.side, rendition.side, "within"))
    if rendition.as_embedded and content.pixels is not None:
        return content.pixels
    return _read(content, rendition.preprocessing)


def _pictured(content: Content) -> Pictured | None:
    """Say where the picture is: in its own file, or within another one, as its URI names it."""
    found = _placed(content)
    if found is None:
        return None
    beside = partial(content.beside, found[3], "scan", "image")
    return Pictured(found[0], content.scan.pages if content.scan else (), *found[1:3], beside)


def _recorded(content: Content, recording: Recording) -> Recorded | None:
    found = _placed(content)
    if found is None:
        return None
    beside = partial(content.beside, found[3], "recording", None)
    return Recorded(found[0], tuple(range(1, recording.parts + 1)), *found[1:3], beside)


def _placed(content: Content) -> tuple[Path, str, str, str] | None:
    """Return the outermost file that a content is in, what that goes by, the key within it, and the file's URI."""
    if content.file is None:
        return None
    if content.path:
        outer, key = _divided(content.uri, lambda uri: format_of(Path(uri)) is not None)
        return content.path, outer.rpartition("/")[2], key, outer
    if content.file.is_file():
        return content.file, "", "", content.uri
    outer, key = _divided(content.uri, lambda uri: path_of(uri).is_file())
    return path_of(outer), "", key, outer


def _divided(uri: str, is_file: Callable[[str], bool]) -> tuple[str, str]:
    """Return the URI of the outermost file, and the key within it."""
    ends = (at for at, letter in enumerate(uri) if letter == "#" and is_file(uri[:at]))
    end = next(ends, len(uri))
    return uri[:end], uri[end + 1 :]


def _look(content: Content) -> bytes | None:
    thumbnail = content.thumbnail()
    try:
        return QueryPictures(PARSERS).read(thumbnail, _SMALL).look if thumbnail else None
    except (FileUnreadable, TookLong):
        raise
    except LoadError:
        return None


def _read(content: Content, preprocessing: Preprocessing) -> Pixels | None:
    reader = QueryPictures(PARSERS)
    if content.file is not None:
        try:
            return reader.read(content.file, preprocessing).pixels
        except (LoadError, Busy):
            pass  # it is gone, or can't be read now, or any more
    thumbnail = content.thumbnail()
    try:
        return reader.read(thumbnail, preprocessing).pixels if thumbnail else None
    except (FileUnreadable, TookLong):
        raise
    except LoadError:
        return None
