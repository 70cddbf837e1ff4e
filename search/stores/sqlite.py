"""The one place that chooses the SQLite module, and opens connections.

The rule is sqlite-utils' own (`sqlite_utils/utils.py`): `pysqlite3` where it is installed, the standard module
otherwise. It is repeated here, and held equal by a test, because importing sqlite-utils costs a cold search 40 ms or
more. One process must never open a file through both modules: closing one would drop the other's POSIX locks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from search.errors import LibraryDamaged, LibraryReadOnly, StorageFull

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:
        import sqlite3

Connection = sqlite3.Connection
DatabaseError = sqlite3.DatabaseError
OperationalError = sqlite3.OperationalError
VERSION: str = sqlite3.sqlite_version
MODULE: str = sqlite3.__name__

BUSY_MS = 30_000


def connect(path: Path, *, writable: bool) -> Connection:
    """Open a connection in autocommit mode; transactions are begun and ended explicitly.

    Only the writer's connection checkpoints: readers are opened read-only. A library on a read-only medium has no
    place for SQLite's shared memory; there the file is opened as immutable.
    """
    if writable:
        connection = _open(path, "mode=rwc")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
    else:
        connection = _open(path, "mode=ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except OperationalError:
            wal = path.with_name(path.name + "-wal")
            if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
                raise
            connection.close()
            connection = _open(path, "mode=ro&immutable=1")
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA mmap_size=268435456")
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.create_function("casefold", 1, _casefold, deterministic=True)  # SQLite's lower() knows ASCII only
    return connection


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _open(path: Path, options: str) -> Connection:
    return sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{options}", uri=True, isolation_level=None, check_same_thread=False
    )


def translate(error: DatabaseError, path: Path) -> Exception:
    """Turn an SQLite error into one of ours where its cause is known; otherwise return it unchanged."""
    message = str(error).lower()
    if "full" in message:
        return StorageFull(
            f"The disk that holds {path.parent} is full. What was committed stays; free space and run again."
        )
    if "readonly" in message or "read-only" in message:
        return LibraryReadOnly(f"The library at {path.parent} can't be written here; it can still be searched.")
    if "malformed" in message or "not a database" in message or "corrupt" in message:
        return LibraryDamaged(
            f"The catalog {path} is damaged ({error}). Run `quarry doctor` for what can be saved, or restore a backup."
        )
    return error
