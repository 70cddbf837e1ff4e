"""Rows of a damaged catalog in a new one: how they are put there, and what makes the new one sound."""

from __future__ import annotations

from typing import Any

from quarry.search.stores.database import checksums
from quarry.search.stores.database.checksums import Row
from quarry.search.stores.database.sqlite import Connection, DatabaseError


def begin(new: Connection) -> None:
    """Begin to fill a catalog that was just made."""
    new.execute("PRAGMA foreign_keys=OFF")
    new.execute("BEGIN")
    new.execute("DELETE FROM meta")


def insert(new: Connection, row: Row) -> bool:
    """Write a row as it is stored, with its checksum; return whether it has a place among the others."""
    types = dict(new.execute("SELECT name, type FROM pragma_table_info(?)", (row.table,)).fetchall())
    names = [name for name in row.values if name in types]
    marks = ["CAST(? AS TEXT)" if types[name] == "TEXT" else "?" for name in names]
    listed = ", ".join(f'"{name}"' for name in names)
    try:
        new.execute(
            f"INSERT INTO {row.table} ({listed}, {checksums.COLUMN}) VALUES ({', '.join(marks)}, ?)",
            [row.values[name] for name in names] + [row.checksum if isinstance(row.checksum, bytes) else None],
        )
    except DatabaseError:
        return False
    return True


def has_document(new: Connection, id: Any) -> bool:
    """Whether there is a document with a row id."""
    return new.execute("SELECT 1 FROM documents WHERE id = ?", (id,)).fetchone() is not None


def chunks_of(new: Connection, key: Any) -> list[int]:
    """Return the ids of the chunks with a key."""
    return [id for (id,) in new.execute("SELECT id FROM chunks WHERE key = ?", (key,))]


def drop_orphans(new: Connection) -> int:
    """Make up for rows that are lacking: a generation, documents without their file; return how many chunks go."""
    checksums.keep(new)
    newest = "SELECT generation FROM documents UNION ALL SELECT generation FROM deletions"
    new.execute(
        "INSERT OR IGNORE INTO meta (key, value)"
        f" SELECT 'generation', coalesce((SELECT max(generation) FROM ({newest})), 0) + 1"
    )
    new.execute("UPDATE documents SET file_id = NULL WHERE file_id NOT IN (SELECT id FROM files)")
    return int(new.execute("DELETE FROM chunks WHERE document_id NOT IN (SELECT id FROM documents)").rowcount)


def unlist_segments(new: Connection) -> None:
    """Have all segments made anew."""
    new.execute("DELETE FROM segments")


def keep_counters(old: Connection, new: Connection) -> None:
    """Go on counting ids where the old catalog was, and beyond what was ever given."""
    counters = dict(new.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    for name, seq in _counters(old):
        counters[name] = max(counters.get(name, 0), seq)
    (deleted,) = new.execute("SELECT coalesce(max(chunk_id), 0) FROM deletions").fetchone()
    counters["chunks"] = max(counters.get("chunks", 0), deleted)
    new.execute("DELETE FROM sqlite_sequence")
    new.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", list(counters.items()))


def _counters(old: Connection) -> list[tuple[str, int]]:
    try:
        found = old.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    except DatabaseError:
        return []
    # An id that a flipped bit made so high that the next ones would run out is none that was ever given.
    return [(name, seq) for name, seq in found if isinstance(seq, int) and seq < 1 << 48]


def commit(new: Connection) -> list[str]:
    """End the filling; return what is wrong with the catalog still."""
    checksums.seal_schema(new)
    new.execute("COMMIT")
    return [row[0] for row in new.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
