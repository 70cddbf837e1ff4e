"""Small pictures to show, in `thumbnails.db` beside the catalog: derived, and made again from the pictures themselves.

A thumbnail is kept under the key of its picture's vector, which the catalog names, with a digest of its own: SQLite
would not notice a flipped bit. What a crash left behind is named by nothing, and dropped by a compaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from search.errors import LibraryDamaged
from search.stores import sqlite
from search.stores.sqlite import Connection, DatabaseError

FILE = "thumbnails.db"
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
            with closing(sqlite.open_reader(self.path)) as connection:
                row = connection.execute("SELECT jpeg, digest FROM thumbnails WHERE key = ?", (key,)).fetchone()
        except DatabaseError as error:
            raise LibraryDamaged(f"{self.path} can't be read ({error}); {MEND}.") from error
        if row is not None and _digest(row[0]) != row[1]:
            raise LibraryDamaged(f"A thumbnail in {self.path} is damaged; {MEND}.")
        return None if row is None else bytes(row[0])

    def missing(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return which of the keys have no sound thumbnail."""
        lacking = set()
        for key in set(keys):
            try:
                if self.get(key) is None:
                    lacking.add(key)
            except LibraryDamaged:
                lacking.add(key)
        return lacking

    def put(self, jpegs: Mapping[bytes, bytes]) -> None:
        """Keep thumbnails by the keys of their pictures; a file that is no database any more is begun anew."""
        if not jpegs:
            return
        rows = [(key, jpeg, _digest(jpeg)) for key, jpeg in jpegs.items()]
        try:
            self._write(rows)
        except DatabaseError as error:
            ours = sqlite.translate(error, self.path)
            if not isinstance(ours, LibraryDamaged):
                raise ours from error
            self.clear()
            self._write(rows)

    def keep(self, keys: Iterable[bytes]) -> None:
        """Drop all thumbnails but these."""
        if not self.path.exists():
            return
        with closing(self._open()) as connection:
            connection.execute("CREATE TEMP TABLE kept (key BLOB PRIMARY KEY) STRICT")
            connection.executemany("INSERT OR IGNORE INTO kept VALUES (?)", [(key,) for key in keys])
            connection.execute("DELETE FROM thumbnails WHERE key NOT IN (SELECT key FROM kept)")
            connection.execute("VACUUM")

    def clear(self) -> None:
        """Drop the file."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _write(self, rows: list[tuple[bytes, bytes, bytes]]) -> None:
        with closing(self._open()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO thumbnails (key, jpeg, digest) VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")

    def _open(self) -> Connection:
        connection = sqlite.open_writer(self.path)
        connection.execute("PRAGMA journal_mode=DELETE")  # a log could not be read where nothing may be written
        connection.execute(
            "CREATE TABLE IF NOT EXISTS thumbnails"
            " (key BLOB PRIMARY KEY, jpeg BLOB NOT NULL, digest BLOB NOT NULL) STRICT"
        )
        return connection


def _digest(jpeg: bytes) -> bytes:
    return hashlib.blake2b(jpeg, digest_size=16).digest()
