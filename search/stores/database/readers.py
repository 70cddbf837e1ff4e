"""Connections that read one catalog: each serves one thread at a time, and then the next that needs one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quarry.search.errors import LibraryLocked
from quarry.search.stores.database import sqlite
from quarry.search.stores.database.sqlite import Connection, DatabaseError

_KEPT = 8  # that wait for their next use; a server's threads come and go, their connections must not pile up


@dataclass(frozen=True, slots=True)
class _Reader:
    """A connection to a catalog.

    SQLite takes what it has read for good until somebody commits through it. Another file copied over the catalog is
    no commit, so a connection from before the file changed is not used again; a checkpoint changes it, too.

    Args:
        stamp: the state of the files that it is good for: of the catalog alone, or of its log, too, where it takes no
            locks.
        is_locking: whether it takes SQLite's locks, so that nobody folds away what it reads.
        closable: whether it may be closed while this process lives (see `sqlite.open_unlocked`).
    """

    path: Path
    connection: Connection
    stamp: tuple[int, ...]
    is_locking: bool = True
    closable: bool = True

    @property
    def current(self) -> bool:
        """Whether what it reads is what is there."""
        return self.stamp == sqlite.stamp(self.path, log=not self.is_locking)

    def close(self) -> None:
        if self.closable:
            self.connection.close()
        else:
            with _lock:
                _unclosable.append(self)


_unclosable: list[_Reader] = []  # given back, for whoever reads the same state of the same catalog next
_lock = threading.Lock()


class Readers:
    """The reading connections of one process to one catalog."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._waiting: list[_Reader] = []
        self._era = 0  # how often all were closed

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection, in autocommit mode; it is given back outside of any transaction.

        Raises:
            DatabaseError: it can't be opened.
            LibraryLocked: it is one without locks, and what it read was written to meanwhile.
        """
        reader, era = self._take()
        try:
            yield reader.connection
        except DatabaseError as error:
            self._require_current(reader, error)
            raise
        else:
            self._require_current(reader)
        finally:
            is_usable = _rolled_back(reader.connection)
            with self._lock:
                keep = is_usable and era == self._era and len(self._waiting) < _KEPT
                if keep:
                    self._waiting.append(reader)
            if not keep:
                reader.close()

    def close(self) -> None:
        """Close all connections: those that are lent, when they come back."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._era += 1
        for reader in waiting:
            reader.close()

    def abandoned(self) -> list[_Reader]:
        """Return what was opened by the process that this one was forked from, and forget it."""
        waiting, self._waiting, self._lock = self._waiting, [], threading.Lock()
        return waiting

    def _require_current(self, reader: _Reader, error: DatabaseError | None = None) -> None:
        if not reader.is_locking and not reader.current:
            raise LibraryLocked(
                f"The catalog {self._path} was written to while it was read without locks, which take some room on "
                "its disk, or the right to write there. Try again."
            ) from error

    def _take(self) -> tuple[_Reader, int]:
        while True:
            with self._lock:
                era = self._era
                reader = self._waiting.pop() if self._waiting else None
            if reader is None:
                return self._open(), era
            if reader.current:
                return reader, era
            reader.close()  # somebody else has written since

    def _open(self) -> _Reader:
        try:
            stamp = sqlite.stamp(self._path, log=False)
            return _Reader(self._path, sqlite.open_reader(self._path), stamp)
        except sqlite.OperationalError as error:
            if not sqlite.lacks_place(error):
                raise
            stamp = sqlite.stamp(self._path)
            with _lock:
                for at, known in enumerate(_unclosable):
                    if (known.path, known.stamp) == (self._path, stamp):
                        return _unclosable.pop(at)
            try:
                connection, closable = sqlite.open_unlocked(self._path)
            except (OSError, DatabaseError):
                raise error from None
            return _Reader(self._path, connection, stamp, False, closable)


def _rolled_back(connection: Connection) -> bool:
    """End the transaction; return False where it can't be ended, such as while a statement is still interrupted."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except DatabaseError:
        return False
    return True
