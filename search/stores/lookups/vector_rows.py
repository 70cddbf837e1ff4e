"""Vectors as rows of the catalog, as they are stored: float16, by the space and the key of what they stand for."""

from __future__ import annotations

import numpy as np

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.passages import CHUNK_COLUMNS, OWN_CHUNKS, chunk_of
from quarry.search.types import Chunk, Vectors


def passages(connection: Connection, document_id: int, space_id: int) -> list[tuple[bytes, bytes | None, Chunk]]:
    """Return the key, the vector (None where it has none) and the words of each passage of a document's own text."""
    rows = connection.execute(
        f"SELECT c.key, v.vector, {CHUNK_COLUMNS} FROM chunks c"
        " LEFT JOIN vectors v ON v.space_id = ? AND v.key = c.key"
        f" WHERE c.document_id = ? AND c.medium = 'text' AND c.{OWN_CHUNKS} ORDER BY c.ordinal",
        (space_id, document_id),
    )
    return [(row[0], row[1], chunk_of(row[2:])) for row in rows]


def of_chunk(connection: Connection, space_id: int, chunk_id: int) -> Vectors | None:
    """Return the (d,) vector of a chunk in a space, None where it has none; LibraryDamaged where it is another."""
    row = connection.execute("SELECT key FROM chunks WHERE id = ?", (chunk_id,)).fetchone()
    if row is None or (vector := stored(connection, space_id, row[0])) is None:
        return None
    checksums.require(connection, "vectors", "space_id = ? AND key = ?", (space_id, row[0]))
    return np.frombuffer(vector, "<f2").astype(np.float32)


def key_of(connection: Connection, chunk_id: int) -> bytes | None:
    """Return the key under which the vectors of a chunk are stored."""
    row = connection.execute("SELECT key FROM chunks WHERE id = ?", (chunk_id,)).fetchone()
    return row[0] if row else None


def chunk_owner(connection: Connection, chunk_id: int) -> tuple[int, str, str] | None:
    """Return the row id, id and kind of the document that a chunk belongs to, None where there is no such chunk."""
    sql = "SELECT d.id, d.public_id, d.kind FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id = ?"
    row: tuple[int, str, str] | None = connection.execute(sql, (chunk_id,)).fetchone()
    return row


def stored(connection: Connection, space_id: int, key: bytes) -> bytes | None:
    """Return the vector of what has a key, None where there is none."""
    row = connection.execute("SELECT vector FROM vectors WHERE space_id = ? AND key = ?", (space_id, key)).fetchone()
    return row[0] if row else None
