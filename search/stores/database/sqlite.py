"""The one place that chooses the SQLite module, and opens connections.

The rule is sqlite-utils' own (`sqlite_utils/utils.py`): `pysqlite3` where it is installed, the standard module
otherwise. It is repeated here, and held equal by a test, because importing sqlite-utils costs a cold search 40 ms or
more. One process must never open a file through both modules: closing one would drop the other's POSIX locks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from quarry.search.errors import LibraryDamaged, LibraryError, LibraryLocked, LibraryReadOnly
from quarry.search.files import disks
from quarry.search.files.access import Access, access_of, check_kept, make_file
from quarry.search.requests import deadline
from quarry.search.stores.database import wal
from quarry.search.stores.database.checksums import ADVICE
from quarry.search.stores.database.functions import FUNCTIONS, error_raised

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:
        import sqlite3

Connection = sqlite3.Connection
Cursor = sqlite3.Cursor
DatabaseError = sqlite3.DatabaseError
OperationalError = sqlite3.OperationalError
VERSION: str = sqlite3.sqlite_version
MODULE: str = sqlite3.__name__

BUSY_MS = 30_000
# Codes that no statement of ours gives over what was written.
UNFORESEEN = (0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH)
_FULL = "database or disk is full"
_FUNCTION_RAISED = "user-defined function raised exception"
_LONGEST = 200  # characters of what SQLite says, which may quote a whole text
# What SQLite and its module say of texts and JSON that are not what was stored, and of a schema that is not: our own
# statements never name what is not there.
_SIGNS_OF_DAMAGE = (
    "Could not decode to UTF-8",
    "malformed JSON",
    _FUNCTION_RAISED,
    "no such table",
    "no such column",
    "has no column",
    "duplicate column name",
    "already exists",
    "unsupported file format",
)

_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # ends a journal that names a super-journal, begins every one


def open_writer(
    path: Path, *, journal: Literal["wal", "delete"] = "wal", create: Access | bool | None = True
) -> Connection:
    """Open the connection that writes, in autocommit mode; transactions are begun and ended explicitly.

    Args:
        create: whether to make the file where there is none, or for whom; else it is for whom the library is.
    """
    if create:
        with suppress(FileExistsError, FileNotFoundError, PermissionError):  # of the latter, SQLite says more
            make_file(path, access_of(path.parent) if create is True else create).close()
    connection = _open(path, "mode=rw")  # the files that SQLite makes beside it get its mode
    try:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
    except DatabaseError:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> Connection:
    """Open a connection that reads and never checkpoints.

    Raises:
        OperationalError: also where SQLite has no place for its shared memory (see `open_unlocked`).
    """
    connection = _open(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except DatabaseError:
        connection.close()
        raise
    return _reading(connection)


def open_unlocked(path: Path) -> tuple[Connection, bool]:
    """Open a catalog where SQLite has no place for its shared memory: a full disk, or one that can't be written.

    The connection takes no locks and keeps what it has read: it is good until the files change (`stamp`). Commits that
    are in the log only are read, too; what SQLite knows of the log is then in this process's memory.

    Returns:
        The connection, and whether it may be closed. One that reads the log may not: as it is no part of SQLite's
        bookkeeping, closing it would drop the locks that other connections of this process hold on the file.

    Raises:
        OperationalError, OSError: it can't be read this way either.
    """
    if not wal.holds_commit(path.with_name(path.name + "-wal")):
        return _reading(_open(path, "mode=ro&immutable=1")), True
    connection = _open(path, "mode=ro&vfs=unix-none")
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # of nobody else: with this VFS, it is about memory only
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return _reading(connection), False


def lacks_place(error: OperationalError) -> bool:
    """Whether opening failed for what may be want of a place for SQLite's shared memory."""
    places = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in places


def stamp(path: Path, *, log: bool = True) -> tuple[int, ...]:
    """Tell one state of a catalog's files from another: of the file itself, and of its write-ahead log."""
    files = (path, path.with_name(path.name + "-wal")) if log else (path,)
    found = [file.stat() for file in files if file.exists()]
    return tuple(part for at in found for part in (at.st_ino, at.st_size, at.st_mtime_ns))


def _reading(connection: Connection) -> Connection:
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA mmap_size=268435456")
    connection.execute("PRAGMA temp_store=MEMORY")  # the temporary folder may be full
    return connection


def _open(path: Path, options: str) -> Connection:
    _check(path)
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{options}", uri=True, isolation_level=None, check_same_thread=False
    )
    # What a schema says is not trusted: it may use no function that reaches beyond SQLite, or one of ours.
    for pragma in (f"busy_timeout={BUSY_MS}", "trusted_schema=OFF", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return _with_functions(connection)


def open_memory() -> Connection:
    """Open a database in memory, as a catalog is opened."""
    return _with_functions(sqlite3.connect(":memory:", isolation_level=None))


def _with_functions(connection: Connection) -> Connection:
    for name, arguments, function in FUNCTIONS:
        connection.create_function(name, arguments, function, deterministic=True)
    return connection


def _check(path: Path) -> None:
    """Refuse a database that does not lie where it seems to, or whose journal reaches for other files.

    Raises:
        LibraryDamaged: it, or a file beside it that SQLite would open, is a link, a folder, a pipe or the like; or its
            journal names another file, as that of a transaction over several databases does, of which we have none:
            SQLite would delete that file.
    """
    with suppress(OSError):  # what can't be looked at can't be opened either, and SQLite says why
        for suffix in ("", "-wal", "-shm", "-journal"):
            check_kept(path.with_name(path.name + suffix), path.parent)
        journal = path.with_name(path.name + "-journal")
        with journal.open("rb") as stream:
            stream.seek(max(0, journal.stat().st_size - len(_JOURNAL)))
            if stream.read() == _JOURNAL:
                raise LibraryDamaged(f"{journal} names a file to delete, which no journal of Quarry's does. Remove it.")


def translate(error: DatabaseError, path: Path) -> BaseException:
    """Turn an SQLite error into one of ours where its cause lies outside the program; else return it unchanged."""
    if _FUNCTION_RAISED in str(error) and error_raised() is None:
        return KeyboardInterrupt()
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the primary result code
        case sqlite3.SQLITE_INTERRUPT if late := deadline.passed():
            return late
        case sqlite3.SQLITE_FULL:
            return disks.full(path.parent)
        case 0 if _FULL in str(error):  # of a copy, whose errors have no code
            return disks.full(path.parent)
        case sqlite3.SQLITE_READONLY:
            return disks.why_not(path.parent) or LibraryReadOnly(
                f"The library at {path.parent} can't be written by this user; it can still be searched."
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, error)
        case 0 | sqlite3.SQLITE_ERROR if any(sign in str(error) for sign in _SIGNS_OF_DAMAGE):
            return damaged(path, error)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LibraryLocked(f"The catalog {path} is locked by another program ({error}). Try again later.")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return disks.why_not(path.parent) or LibraryError(
                f"The catalog {path} can't be opened ({error}). Look at its permissions."
            )
        case sqlite3.SQLITE_IOERR:
            return disks.why_not(path.parent) or LibraryError(
                f"The disk failed to read or write the catalog {path} ({error})."
            )
    return error


def damaged(path: Path, why: object) -> LibraryDamaged:
    """Return the error that names a catalog as damaged."""
    return LibraryDamaged(f"The catalog {path} is damaged ({_plain(why)}). {ADVICE}")


def _plain(why: object) -> str:
    text = " ".join(str(why).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def begin(connection: Connection) -> None:
    """Begin to read: what the connection sees from its first look on stays as it is."""
    connection.execute("BEGIN")


def size_of(connection: Connection) -> int:
    """Return how long a database is in bytes, as its read transaction sees it."""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages) * int(size)


def problems_of(connection: Connection) -> list[str]:
    """Return the first thing that SQLite finds wrong with a database, if anything, without looking at its indexes."""
    return [row[0] for row in connection.execute("PRAGMA quick_check(1)") if row[0] != "ok"]


def copy(connection: Connection, to: Path, pages: int, tell: Callable[[int], None]) -> None:
    """Copy a database as the connection's read transaction sees it, through SQLite, which knows of its log.

    Args:
        to: an empty file.
        pages: that are copied at a time.
        tell: is told how many bytes more were copied.

    Raises:
        LibraryError: it can't be read, or written there.
    """
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    left = [0]

    def progress(_: int, remaining: int, total: int) -> None:
        tell(page * ((left[0] or total) - remaining))
        left[0] = remaining

    try:
        with closing(open_writer(to, journal="delete")) as copied:
            connection.backup(copied, pages=pages, progress=progress)
            copied.execute("PRAGMA journal_mode=DELETE")  # which the header of one with a log does not say
    except DatabaseError as error:
        raise translate(error, to) from error
