"""What an enrichment is given of a document: its text, or its picture in the size that is asked for.

A picture is read in the confined child, from its file where that is still there, else from its thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quarry.indexer.enrichments.base import Own, OwnFields, Rendition, WholeText
from quarry.indexer.parsers import PARSERS
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import Busy, LoadError
from quarry.search.files.uris import path_of
from quarry.search.types import Kind, Metadata, Pixels, Preprocessing


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a document.

    Args:
        uri: where its file may be.
        thumbnail: returns the JPEG of a picture, None or b"" where there is none.
    """

    text: str
    metadata: Metadata
    kind: Kind
    uri: str
    thumbnail: Callable[[], bytes | None]


def rendered(content: Content, rendition: Rendition) -> str | Pixels | Own | None:
    """Return a content as an enrichment wants it, None where it can't be had: of a text there are no pixels."""
    if isinstance(rendition, WholeText):
        return content.text
    if isinstance(rendition, OwnFields):
        return Own(content.kind, content.metadata)
    if content.kind != "image":
        return None
    return _read(content, rendition.preprocessing)


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
