"""A sample of the passages and pictures of a library, with where they stand and their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.documents import DOCUMENT_COLUMNS, batches, document_of, rows_among
from quarry.search.types import Document, Ids, Kind, Vectors

# Of a chunk's id, what looks like chance and is the same each time: Knuth's multiplicative hash (The Art of Computer
# Programming, 6.4), so that a sample hardly changes where documents come and go.
_ORDER = "(c.id * 2654435761) % 4294967296"


@dataclass(frozen=True, slots=True)
class SampledRow:
    """A chunk of a sample: its id, its document's row id, its characters there, and the key of its vectors."""

    id: int
    document: int
    start: int
    end: int
    key: bytes


def sample(connection: Connection, medium: Kind, where: str, params: Sequence[Any], most: int) -> list[SampledRow]:
    """Return at most `most` chunks of a medium, by id, of documents `d` that meet a condition; none is damaged."""
    rows = connection.execute(
        'SELECT c.id, c.document_id, c."start", c."end", c.key FROM chunks c JOIN documents d ON d.id = c.document_id'
        f" WHERE ({where}) AND c.medium = ? ORDER BY {_ORDER}, c.id LIMIT ?",
        (*params, medium, most),
    )
    found = [SampledRow(*row) for row in rows]
    wrong = checksums.damaged(connection, "chunks", [row.id for row in found])
    wrong_documents = checksums.damaged(connection, "documents", list({row.document for row in found}))
    return sorted(
        (row for row in found if row.id not in wrong and row.document not in wrong_documents), key=lambda row: row.id
    )


def count(connection: Connection, medium: Kind, where: str, params: Sequence[Any]) -> int:
    """Return how many chunks of a medium the documents have that meet a condition."""
    sql = f"SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document_id WHERE ({where}) AND c.medium = ?"
    return int(connection.execute(sql, (*params, medium)).fetchone()[0])


def vectors(connection: Connection, space_id: int, keys: Sequence[bytes], dimension: int) -> tuple[Vectors, Ids]:
    """Return the (n, dimension) sound vectors that a space has of some keys, and which of the keys these are of."""
    sql = f"SELECT key, vector FROM vectors WHERE space_id = {int(space_id)} AND key IN ({{marks}})"
    stored = dict(rows_among(connection, sql, list(dict.fromkeys(keys))))
    size = 2 * dimension
    has = np.array([at for at, key in enumerate(keys) if len(stored.get(key, b"")) == size], np.int64)
    raw = b"".join(stored[keys[at]] for at in has)
    found = np.frombuffer(raw, "<f2").reshape(-1, dimension).astype(np.float32)
    sound = np.abs(np.einsum("ij,ij->i", found, found) - 1.0) < 0.01  # a unit vector; also no NaN
    return found[sound], has[sound]


def documents(connection: Connection, ids: Sequence[int]) -> dict[int, Document]:
    """Return documents by row id."""
    found: dict[int, Document] = {}
    for batch in batches(list(ids)):
        marks = ",".join("?" * len(batch))
        rows = connection.execute(f"SELECT d.id, {DOCUMENT_COLUMNS} FROM documents d WHERE d.id IN ({marks})", batch)
        found.update((row[0], document_of(row[1:])) for row in rows)
    return found
