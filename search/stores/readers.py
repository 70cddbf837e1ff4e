"""Connections that read one catalog: each serves one thread at a time, and then the next that needs one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quarry.search.stores import sqlite
from quarry.search.stores.sqlite import Connection, DatabaseError

_KEPT = 8  # that wait for their next use; a server's threads come and go, their connections must not pile up


@dataclass(frozen=True, slots=True)
class _Reader:
    """`stamp` is the state of the files that an immutable connection is good for, None for any other connection."""

    connection: Connection
    stamp: tuple[int, ...] | None
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
            is_usable = _rolled_back(reader.connection)
            with self._lock:
                keep = is_usable and reader.era == self._era and len(self._waiting) < _KEPT
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

    def abandoned(self) -> list[_Reader]:
        """Return what was opened by the process that this one was forked from, and forget it."""
        waiting, self._waiting, self._lock = self._waiting, [], threading.Lock()
        return waiting

    def _take(self) -> _Reader:
        while True:
            with self._lock:
                era = self._era
                reader = self._waiting.pop() if self._waiting else None
            if reader is None:
                return self._open(era)
            if reader.stamp is None or reader.stamp == sqlite.stamp(self._path):
                return reader
            reader.connection.close()  # it was opened as immutable, and somebody else has written since

    def _open(self, era: int) -> _Reader:
        try:
            return _Reader(sqlite.open_reader(self._path), None, era)
        except sqlite.OperationalError:
            stamp = sqlite.stamp(self._path)
            connection = sqlite.open_immutable(self._path)
            if connection is None:
                raise
            return _Reader(connection, stamp, era)


def _rolled_back(connection: Connection) -> bool:
    """End the transaction; return False where it can't be ended, such as while a statement is still interrupted."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except DatabaseError:
        return False
    return True
