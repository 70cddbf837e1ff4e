"""Files within files as they are looked at: all of one outer file are taken out in one pass over it.

A child of its own goes over the outer file, and stands still between two of them, so that no more lies on the disk than
what is looked at, what comes again, and what came before its turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

from quarry.indexer.loaders.base import MEBIBYTE
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sandbox.wire import FilePart
from quarry.search.errors import FileUnreadable, LoadError
from quarry.search.files import disks
from quarry.search.files.access import make_file

_MOST = 512 * MEBIBYTE  # bytes that may lie there; what had to go is taken out in another pass


class TakenOut:
    """The files that hold some items of an outer file; to be closed.

    Args:
        sandbox: started when the first is wanted, and closed with this.
        name: that the outer file goes by, "" for its path's own.
        keys: of the items.
        folder: where they are put.
    """

    def __init__(self, sandbox: Sandbox, path: Path, name: str, keys: Iterable[str], folder: Path) -> None:
        self.path = path
        self._name = name
        self._left = dict.fromkeys(keys)
        self._folder = folder
        self._files: dict[str, tuple[Path, str]] = {}
        self._size = self._number = 0
        self._ahead: FilePart | None = None
        self._ended: LoadError | None = None
        self._open = ExitStack()
        self._open.enter_context(closing(sandbox))
        self._parts = self._open.enter_context(closing(sandbox.extract(path, list(self._left), name)))

    def file(self, key: str) -> tuple[Path, str] | None:
        """Return where the file lies that holds an item, and its name; None where this has none for it any more.

        Raises:
            LoadError: it can't be taken out.
        """
        while key in self._left and self._ended is None:
            self._go_on()
        if key in self._left and self._ended is not None:
            raise self._ended
        return self._files.get(key)

    def drop(self, key: str) -> None:
        """Remove a file that is not looked at again."""
        path, _ = self._files.pop(key, (None, ""))
        if path is not None and path != self.path:
            self._size -= path.stat().st_size
            path.unlink()

    def close(self) -> None:
        """End the pass, and remove what lies there."""
        self._open.close()
        for key in list(self._files):
            self.drop(key)

    def _go_on(self) -> None:
        """Take out the next file."""
        try:
            first, self._ahead = self._ahead or next(self._parts, None), None
            if first is None:
                raise FileUnreadable("it is not there any more; index it again")
            found = self._written(first) if first.name else (self.path, self._name)
            if found is not None:
                self._files[first.key] = found
                del self._left[first.key]
        except LoadError as error:
            self._ended = error
        while self._size > _MOST:
            self.drop(next(iter(self._files)))

    def _written(self, first: FilePart) -> tuple[Path, str] | None:
        """Write a file, None where its parser ended midway: that is told when the others have come."""
        self._number += 1
        path, size, part = self._folder / f"taken-{self._number}", 0, first
        with disks.writing(self._folder), make_file(path) as file, ExitStack() as unless_whole:
            unless_whole.callback(path.unlink)
            while not part.is_last:
                part = next(self._parts)
                if part.key != first.key:
                    self._ahead = part
                    return None
                size += file.write(part.data)
            unless_whole.pop_all()
        self._size += size
        return path, Path(first.name).name
