"""Pictures that are asked with, read in the sandbox as those that are indexed are, but kept nowhere."""

from __future__ import annotations

import threading
from pathlib import Path

from indexer.loaders.base import LoadOptions
from indexer.loaders.sandbox import Sandbox
from search.errors import FileMalformed
from search.types import Pixels, Preprocessing


class PictureReader:
    """Reads one picture at a time, in a child process that is kept for the next; for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sandbox: tuple[Preprocessing, Sandbox] | None = None

    def read(self, picture: Path | bytes, preprocessing: Preprocessing) -> Pixels:
        """Return the pixels of a file, or of a file's content, as a model asks for them.

        Raises:
            LoadError: it can't be read, or is no picture.
        """
        with self._lock:
            if self._sandbox is None or self._sandbox[0] != preprocessing:
                self._close()
                options = LoadOptions(preprocessing=preprocessing, thumbnails=False)
                self._sandbox = (preprocessing, Sandbox(options))
            sandbox = self._sandbox[1]
            # By the name of any picture: what it is, its first bytes say.
            found = sandbox.load_bytes(picture, "query.jpg") if isinstance(picture, bytes) else sandbox.load(picture)
            parsed = next(iter(list(found)), None)
        if parsed is None or parsed.picture is None:
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
