"""Small pictures to show, in `thumbnails.db` beside the catalog: derived, and made again from the pictures themselves.

A thumbnail is kept under the key of its picture's vector, which the catalog names, with a digest of its own: SQLite
would not notice a flipped bit. What a crash left behind is named by nothing, and dropped by a compaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path

from quarry.search.errors import LibraryDamaged, LibraryError, LibraryReadOnly
from quarry.search.stores.database import sqlite
from quarry.search.stores.database.schema import Object, objects
from quarry.search.stores.database.sqlite import Connection, DatabaseError

FILE = "thumbnails.db"
_TABLE = "CREATE TABLE IF NOT EXISTS thumbnails (key BLOB PRIMARY KEY, jpeg BLOB NOT NULL, digest BLOB NOT NULL) STRICT"
MEND = "`quarry doctor --repair` makes thumbnails anew"


class Thumbnails:
    """The thumbnails of a library. Who writes holds the library's lock, who reads needs none."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE

    def get(self, key: bytes) -> bytes | None:
        """Return the thumbnail of a picture, a JPEG; None where there is none.

        Raises:
            LibraryDamaged: the file, or that thumbnail, is not what was written.
        """
        if not self.path.exists():
            return None
        try:
            with closing(self._reader()) as connection:
                return self._sound(connection, key)
        except DatabaseError as error:
            ours = sqlite.translate(error, self.path)
            if isinstance(ours, LibraryError) and not isinstance(ours, LibraryDamaged):
                raise ours from error
            raise LibraryDamaged(f"{self.path} can't be read ({error}); {MEND}.") from error

    def count(self) -> int:
        """Return how many there are; 0 where the file can't be read."""
        if not self.path.exists():
            return 0
        with suppress(DatabaseError, LibraryDamaged), closing(self._reader()) as connection:
            return int(connection.execute("SELECT count(*) FROM thumbnails").fetchone()[0])
        return 0

    def missing(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return which of the keys have no sound thumbnail."""
        wanted = set(keys)
        lacking = set(wanted)
        if not self.path.exists():
            return lacking
        with suppress(DatabaseError, LibraryDamaged), closing(self._reader()) as connection:
            for key in wanted:
                with suppress(DatabaseError, LibraryDamaged):  # of a page that another may not lie on
                    if self._sound(connection, key) is not None:
                        lacking.discard(key)
        return lacking

    def put(self, jpegs: Mapping[bytes, bytes]) -> None:
        """Keep thumbnails by the keys of their pictures; a file that is no database any more is begun anew."""
        if not jpegs:
            return
        rows = [(key, jpeg, _digest(jpeg)) for key, jpeg in jpegs.items()]
        try:
            self._write(rows)
        except (DatabaseError, LibraryDamaged) as error:
            self._raise_unless_damaged(error)
            self.clear()
            self._write(rows)

    def copy(self, keys: Mapping[bytes, bytes]) -> None:
        """Keep thumbnails under other keys, too: each key -> the one it is kept under now. Damage is left to repair."""
        pairs = [(new, old) for new, old in keys.items() if new != old]
        if not pairs or not self.path.exists():
            return
        try:
            with closing(self._open()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT OR IGNORE INTO thumbnails (key, jpeg, digest)"
                    " SELECT ?, jpeg, digest FROM thumbnails WHERE key = ?",
                    pairs,
                )
                connection.execute("COMMIT")
        except (DatabaseError, LibraryDamaged) as error:
            self._raise_unless_damaged(error)

    def keep(self, keys: Iterable[bytes]) -> None:
        """Drop all thumbnails but these. Damage is left to repair."""
        if not self.path.exists():
            return
        try:
            with closing(self._open()) as connection:
                connection.execute("CREATE TEMP TABLE kept (key BLOB PRIMARY KEY) STRICT")
                connection.executemany("INSERT OR IGNORE INTO kept VALUES (?)", [(key,) for key in keys])
                connection.execute("DELETE FROM thumbnails WHERE key NOT IN (SELECT key FROM kept)")
                connection.execute("VACUUM")
        except (DatabaseError, LibraryDamaged) as error:
            self._raise_unless_damaged(error)

    def clear(self) -> None:
        """Drop the file."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _sound(self, connection: Connection, key: bytes) -> bytes | None:
        row = connection.execute("SELECT jpeg, digest FROM thumbnails WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        jpeg, digest = row
        if not isinstance(jpeg, bytes) or _digest(jpeg) != digest:
            raise LibraryDamaged(f"A thumbnail in {self.path} is damaged; {MEND}.")
        return jpeg

    def _reader(self) -> Connection:
        connection = self._opened()
        self._require_plain(connection)
        return connection

    def _opened(self) -> Connection:
        try:
            return sqlite.open_reader(self.path)
        except DatabaseError as error:
            if not isinstance(sqlite.translate(error, self.path), LibraryReadOnly):
                raise
            try:  # who may write rolls back a commit in the middle of which a process was killed
                self._open().close()
            except DatabaseError:  # else it is read over; each thumbnail has its digest
                return sqlite.open_unlocked(self.path)[0]
            return sqlite.open_reader(self.path)

    def _require_plain(self, connection: Connection) -> None:
        """Refuse a file that holds anything but the table, such as a view in its place, or a trigger."""
        if objects(connection) != _plain():
            connection.close()
            raise LibraryDamaged(f"{self.path} holds what Quarry did not put there; {MEND}.")

    def _write(self, rows: list[tuple[bytes, bytes, bytes]]) -> None:
        with closing(self._open()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO thumbnails (key, jpeg, digest) VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")

    def _raise_unless_damaged(self, error: DatabaseError | LibraryDamaged) -> None:
        ours = error if isinstance(error, LibraryDamaged) else sqlite.translate(error, self.path)
        if not isinstance(ours, LibraryDamaged):
            raise ours from error

    def _open(self) -> Connection:
        # Not with a log, which could not be read where nothing may be written.
        connection = sqlite.open_writer(self.path, journal="delete")
        connection.execute(_TABLE)
        self._require_plain(connection)
        return connection


@lru_cache(maxsize=1)
def _plain() -> frozenset[Object]:
    with closing(sqlite.open_memory()) as connection:
        connection.execute(_TABLE)
        return objects(connection)


def _digest(jpeg: bytes) -> bytes:
    return hashlib.blake2b(jpeg, digest_size=16).digest()
