"""Pictures that are asked with, read in the sandbox as those that are indexed are, but kept nowhere."""

from __future__ import annotations

import os
from pathlib import Path

from quarry.indexer.formats import is_picture_content
from quarry.indexer.loaders.base import LoadOptions, open_regular
from quarry.indexer.parsers import Parsers
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, UnsupportedType
from quarry.search.files.uris import absolute
from quarry.search.models.contracts import ImageEncoder
from quarry.search.types import Picture, Preprocessing, Vectors

_NAME = "query.jpg"  # as good as any picture's


class QueryPictures:
    """Reads pictures in child processes that are kept for the next; for use by many threads."""

    def __init__(self, parsers: Parsers) -> None:
        self._parsers = parsers

    def vector(self, picture: str | os.PathLike[str] | bytes, encoder: ImageEncoder) -> Vectors:
        """Return the (d,) unit vector of a picture: the path of its file, or its content.

        Raises:
            LoadError: it can't be read, or is no picture.
        """
        content = picture if isinstance(picture, bytes) else Path(absolute(picture))
        try:
            read = self.read(content, encoder.preprocessing)
        except LoadError as error:
            name = content.name if isinstance(content, Path) else "The picture"
            raise type(error)(f"{name} can't be searched with: {error}.") from error
        vector: Vectors = encoder.encode_pictures([read.pixels])[0]
        return vector

    def read(self, picture: Path | bytes, preprocessing: Preprocessing) -> Picture:
        """Return the picture in a file, or in a file's content, of the size that a model asks for.

        What it is, its first bytes say, whatever its name.

        Raises:
            LoadError: it can't be read, or is no picture.
            Busy: others are being read.
        """
        if not is_picture_content(_head(picture)):
            raise UnsupportedType("it is no picture of a type that can be read, such as JPEG, PNG or WebP")
        options = LoadOptions(preprocessing=preprocessing, thumbnails=False)
        (parsed,) = self._parsers.load(picture, _NAME, options)
        if parsed.picture is None:  # another file was put in its place meanwhile
            raise FileMalformed("it is no picture")
        return parsed.picture


def _head(picture: Path | bytes) -> bytes:
    if isinstance(picture, bytes):
        return picture[:16]
    try:
        with open_regular(picture) as stream:
            return stream.read(16)
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
