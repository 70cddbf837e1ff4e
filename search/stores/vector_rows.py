"""Vectors as rows of the catalog, as they are stored: float16, by the space and the key of what they stand for."""

from __future__ import annotations

from quarry.search.stores.passages import CHUNK_COLUMNS, OWN_CHUNKS, chunk_of
from quarry.search.stores.sqlite import Connection
from quarry.search.types import Chunk


def passages(connection: Connection, document_id: int, space_id: int) -> list[tuple[bytes, bytes | None, Chunk]]:
    """Return the key, the vector (None where it has none) and the words of each passage of a document's own text."""
    rows = connection.execute(
        f"SELECT c.key, v.vector, {CHUNK_COLUMNS} FROM chunks c"
        " LEFT JOIN vectors v ON v.space_id = ? AND v.key = c.key"
        f" WHERE c.document_id = ? AND c.medium = 'text' AND c.{OWN_CHUNKS} ORDER BY c.ordinal",
        (space_id, document_id),
    )
    return [(row[0], row[1], chunk_of(row[2:])) for row in rows]


def stored(connection: Connection, space_id: int, key: bytes) -> bytes | None:
    """Return the vector of what has a key, None where there is none."""
    row = connection.execute("SELECT vector FROM vectors WHERE space_id = ? AND key = ?", (space_id, key)).fetchone()
    return row[0] if row else None
