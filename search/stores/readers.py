"""Connections that read one catalog: each serves one thread at a time, and then the next that needs one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quarry.search.stores import sqlite
from quarry.search.stores.sqlite import Connection

_KEPT = 8  # that wait for their next use; a server's threads come and go, their connections must not pile up


@dataclass(frozen=True, slots=True)
class _Reader:
    """`stamp` is the state of the files that a connection is good for: of all where it is immutable, else of one.

    SQLite takes what it has read for good until somebody commits through it. Another file copied over the catalog is
    no commit, so a connection from before the file changed is not used again; a checkpoint changes it, too.
    """

    connection: Connection
    stamp: tuple[int, ...]
    is_immutable: bool
    era: int


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
        """
        reader = self._take()
        try:
            yield reader.connection
        finally:
            if reader.connection.in_transaction:
                reader.connection.execute("ROLLBACK")
            with self._lock:
                keep = reader.era == self._era and len(self._waiting) < _KEPT
                if keep:
                    self._waiting.append(reader)
            if not keep:
                reader.connection.close()

    def close(self) -> None:
        """Close all connections: those that are lent, when they come back."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._era += 1
        for reader in waiting:
            reader.connection.close()

    def _take(self) -> _Reader:
        while True:
            with self._lock:
                era = self._era
                reader = self._waiting.pop() if self._waiting else None
            if reader is None:
                return self._open(era)
            if reader.stamp == sqlite.stamp(self._path, log=reader.is_immutable):
                return reader
            reader.connection.close()

    def _open(self, era: int) -> _Reader:
        try:
            stamp = sqlite.stamp(self._path, log=False)
            return _Reader(sqlite.open_reader(self._path), stamp, False, era)
        except sqlite.OperationalError:
            stamp = sqlite.stamp(self._path)
            connection = sqlite.open_immutable(self._path)
            if connection is None:
                raise
            return _Reader(connection, stamp, True, era)
