"""What an enrichment is given of a document: its text, or its picture in the size that is asked for, or its look.

A picture is read in the confined child, from its file where that is still there, else from its thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quarry.indexer.enrichments.base import Look, Own, OwnFields, Rendition, WholeText
from quarry.indexer.parsers import PARSERS
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import Busy, LoadError
from quarry.search.files.uris import path_of
from quarry.search.types import LOOK, Kind, Metadata, Pixels, Preprocessing

_SMALL = Preprocessing(LOOK, LOOK, "squash")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a document.

    Args:
        uri: where its file may be.
        thumbnail: returns the JPEG of a picture, None or b"" where there is none.
        look: that of a picture that was read just now, else b"".
    """

    text: str
    metadata: Metadata
    kind: Kind
    uri: str
    thumbnail: Callable[[], bytes | None]
    look: bytes = b""


def rendered(content: Content, rendition: Rendition) -> str | Pixels | bytes | Own | None:
    """Return a content as an enrichment wants it, None where it can't be had: of a text there are no pixels."""
    if isinstance(rendition, WholeText):
        return content.text
    if isinstance(rendition, OwnFields):
        return Own(content.kind, content.metadata)
    if content.kind != "image":
        return None
    if isinstance(rendition, Look):
        return content.look or _look(content)
    return _read(content, rendition.preprocessing)


def _look(content: Content) -> bytes | None:
    thumbnail = content.thumbnail()
    try:
        return QueryPictures(PARSERS).read(thumbnail, _SMALL).look if thumbnail else None
    except (LoadError, Busy):
        return None


def _read(content: Content, preprocessing: Preprocessing) -> Pixels | None:
    reader = QueryPictures(PARSERS)
    if content.uri.startswith(("/", "file:")):
        try:
            return reader.read(path_of(content.uri), preprocessing).pixels
        except (LoadError, Busy):
            pass  # it is gone, or can't be read any more
    thumbnail = content.thumbnail()
    try:
        return reader.read(thumbnail, preprocessing).pixels if thumbnail else None
    except (LoadError, Busy):
        return None
