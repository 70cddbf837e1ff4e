"""The one place that chooses the SQLite module, and opens connections.

The rule is sqlite-utils' own (`sqlite_utils/utils.py`): `pysqlite3` where it is installed, the standard module
otherwise. It is repeated here, and held equal by a test, because importing sqlite-utils costs a cold search 40 ms or
more. One process must never open a file through both modules: closing one would drop the other's POSIX locks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from quarry.search import deadline
from quarry.search.errors import LibraryDamaged, LibraryError, LibraryLocked, LibraryReadOnly, StorageFull
from quarry.search.stores.checksums import ADVICE
from quarry.search.stores.functions import FUNCTIONS

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
# Codes that no statement of ours gives over what was written.
UNFORESEEN = (0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH)
_LONGEST = 200  # characters of what SQLite says, which may quote a whole text
# What SQLite and its module say of texts and JSON that are not what was stored, and of a schema that is not: our own
# statements never name what is not there.
_SIGNS_OF_DAMAGE = (
    "Could not decode to UTF-8",
    "malformed JSON",
    "user-defined function raised exception",
    "no such table",
    "no such column",
    "has no column",
    "duplicate column name",
    "already exists",
    "unsupported file format",
)


def open_writer(path: Path, *, journal: Literal["wal", "delete"] = "wal", create: bool = True) -> Connection:
    """Open the connection that writes, in autocommit mode; transactions are begun and ended explicitly."""
    connection = _open(path, "mode=rwc" if create else "mode=rw")
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    return connection


def open_reader(path: Path) -> Connection:
    """Open a connection that reads and never checkpoints.

    Raises:
        OperationalError: also where SQLite has no place for its shared memory (see `open_immutable`).
    """
    connection = _open(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except DatabaseError:
        connection.close()
        raise
    return _reading(connection)


def open_immutable(path: Path) -> Connection | None:
    """Open a catalog in a place that can't be written to, where nobody writes at this moment; None elsewhere.

    The connection takes no locks and keeps what it has read: it is good until the file changes (`stamp`).
    """
    wal = path.with_name(path.name + "-wal")
    if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
        return None
    return _reading(_open(path, "mode=ro&immutable=1"))


def stamp(path: Path) -> tuple[int, ...]:
    """Tell one state of a catalog's files from another."""
    files = (path, path.with_name(path.name + "-wal"))
    found = [file.stat() for file in files if file.exists()]
    return tuple(part for at in found for part in (at.st_ino, at.st_size, at.st_mtime_ns))


def _reading(connection: Connection) -> Connection:
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA mmap_size=268435456")
    return connection


def _open(path: Path, options: str) -> Connection:
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{options}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    for name, arguments, function in FUNCTIONS:
        connection.create_function(name, arguments, function, deterministic=True)
    return connection


def translate(error: DatabaseError, path: Path) -> Exception:
    """Turn an SQLite error into one of ours where its cause lies outside the program; else return it unchanged."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the primary result code
        case sqlite3.SQLITE_INTERRUPT if late := deadline.passed():
            return late
        case sqlite3.SQLITE_FULL:
            return StorageFull(
                f"The disk that holds {path.parent} is full. What was committed stays; free space and run again."
            )
        case sqlite3.SQLITE_READONLY:
            return LibraryReadOnly(f"The library at {path.parent} can't be written here; it can still be searched.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, error)
        case 0 | sqlite3.SQLITE_ERROR if any(sign in str(error) for sign in _SIGNS_OF_DAMAGE):
            return damaged(path, error)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LibraryLocked(f"The catalog {path} is locked by another program ({error}). Try again later.")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return LibraryError(f"The catalog {path} can't be opened ({error}). Look at its permissions.")
        case sqlite3.SQLITE_IOERR:
            return LibraryError(f"The disk failed to read or write the catalog {path} ({error}).")
    return error


def damaged(path: Path, why: object) -> LibraryDamaged:
    """Return the error that names a catalog as damaged."""
    return LibraryDamaged(f"The catalog {path} is damaged ({_plain(why)}). {ADVICE}")


def _plain(why: object) -> str:
    text = " ".join(str(why).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
