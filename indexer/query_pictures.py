"""Pictures that are asked with, read in the sandbox as those that are indexed are, but kept nowhere."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from quarry.indexer.loaders.base import LoadOptions, is_picture_content, open_regular
from quarry.indexer.loaders.sandbox import Sandbox
from quarry.search.encoders.base import ImageEncoder
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, UnsupportedType
from quarry.search.types import Pixels, Preprocessing, Vectors
from quarry.search.uris import absolute

_NAME = "query.jpg"  # as good as any picture's


class QueryPictures:
    """Reads one picture at a time, in a child process that is kept for the next; for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sandbox: tuple[Preprocessing, Sandbox] | None = None

    def vector(self, picture: str | os.PathLike[str] | bytes, encoder: ImageEncoder) -> Vectors:
        """Return the (d,) unit vector of a picture: the path of its file, or its content.

        Raises:
            LoadError: it can't be read, or is no picture.
        """
        content = picture if isinstance(picture, bytes) else Path(absolute(picture))
        try:
            pixels = self.read(content, encoder.preprocessing)
        except LoadError as error:
            name = content.name if isinstance(content, Path) else "The picture"
            raise type(error)(f"{name} can't be searched with: {error}.") from error
        vector: Vectors = encoder.encode_pictures([pixels])[0]
        return vector

    def read(self, picture: Path | bytes, preprocessing: Preprocessing) -> Pixels:
        """Return the pixels of a file, or of a file's content, as a model asks for them.

        What it is, its first bytes say, whatever its name.

        Raises:
            LoadError: it can't be read, or is no picture.
        """
        if not is_picture_content(_head(picture)):
            raise UnsupportedType("it is no picture of a type that can be read, such as JPEG, PNG or WebP")
        with self._lock:
            if self._sandbox is None or self._sandbox[0] != preprocessing:
                self._close()
                options = LoadOptions(preprocessing=preprocessing, thumbnails=False)
                self._sandbox = (preprocessing, Sandbox(options))
            sandbox = self._sandbox[1]
            if isinstance(picture, bytes):
                (parsed,) = sandbox.load_content(picture, _NAME)
            else:
                (parsed,) = sandbox.load(picture, _NAME)
        if parsed.picture is None:  # another file was put in its place meanwhile
            raise FileMalformed("it is no picture")
        return parsed.picture.pixels

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._sandbox is not None:
            self._sandbox[1].close()
            self._sandbox = None


def _head(picture: Path | bytes) -> bytes:
    if isinstance(picture, bytes):
        return picture[:16]
    try:
        with open_regular(picture) as stream:
            return stream.read(16)
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
