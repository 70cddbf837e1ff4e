"""The vectors of whole documents: the direction of the mean of those of their own passages, or of their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.passages import OWN_CHUNKS
from quarry.search.stores.spaces import Space, active_spaces
from quarry.search.types import Ids, Vectors

_ROWS = 4_096  # vectors that are read at once


class VectorsOf:
    """The vectors of some documents, by row id, of all active spaces; read when one is first asked for."""

    def __init__(self, catalog: Catalog, rows: Sequence[int]) -> None:
        self._catalog, self._rows = catalog, rows

    def of(self, row: int) -> list[tuple[str, Vectors]]:
        """Return the (d,) unit vectors of a document with the names of their spaces."""
        return self._found.get(row, [])

    @cached_property
    def _found(self) -> dict[int, list[tuple[str, Vectors]]]:
        found: dict[int, list[tuple[str, Vectors]]] = {}
        where = f"d.id IN ({','.join(map(str, map(int, self._rows)))})"
        with self._catalog.snapshot() as snapshot:
            for space in active_spaces(snapshot.connection):
                rows, vectors = document_vectors(snapshot.connection, space, where, ())
                for row, vector in zip(rows.tolist(), vectors, strict=True):
                    found.setdefault(row, []).append((space.name, vector))
        return found


def document_vectors(connection: Connection, space: Space, where: str, params: Sequence[Any]) -> tuple[Ids, Vectors]:
    """Return the row ids (n,), ascending, and the unit vectors (n, d) of documents of a space's medium.

    What some of its chunks lack, or is damaged, does not count; a document without any sound vector is left out.

    Args:
        where, params: compiled from a filter over `documents d`.
    """
    owners, sums = list[int](), list[Vectors]()
    for document, vectors in _by_document(connection, space, where, params):
        owners.append(document)
        sums.append(vectors)
    if not owners:
        return np.empty(0, np.int64), np.empty((0, space.dimension), np.float32)
    each, inverse = np.unique(np.array(owners, np.int64), return_inverse=True)
    if len(each) == len(owners):
        whole = np.stack(sums)
    else:
        whole = np.zeros((len(each), space.dimension), np.float32)
        np.add.at(whole, inverse, np.stack(sums))
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    has = lengths[:, 0] > 1e-3
    return each[has], np.asarray(whole[has] / lengths[has], np.float32)


def _by_document(
    connection: Connection, space: Space, where: str, params: Sequence[Any]
) -> Iterator[tuple[int, Vectors]]:
    """Yield the sums of the vectors that each document has in a batch, by its row id, and so some more than once."""
    rows = connection.execute(
        # First, since its parameters may be numbered.
        f"WITH some AS (SELECT d.id FROM documents d WHERE ({where}) AND d.kind = ?)"
        " SELECT c.document_id, c.id, v.vector FROM some s JOIN chunks c ON c.document_id = s.id"
        f" JOIN vectors v ON v.space_id = {int(space.id)} AND v.key = c.key"
        f" WHERE c.medium = ? AND c.{OWN_CHUNKS} ORDER BY c.document_id",
        (*params, space.medium, space.medium),
    )
    size = 2 * space.dimension
    while batch := rows.fetchmany(_ROWS):
        deadline.check()
        wrong = checksums.damaged(connection, "chunks", [row[1] for row in batch])
        batch = [row for row in batch if len(row[2]) == size and row[1] not in wrong]
        if not batch:
            continue
        raw = b"".join(row[2] for row in batch)
        vectors = np.frombuffer(raw, "<f2").reshape(-1, space.dimension).astype(np.float32)
        sound = np.abs(np.einsum("ij,ij->i", vectors, vectors) - 1) < 0.01  # also no NaN
        owners = np.array([row[0] for row in batch], np.int64)[sound]
        vectors = vectors[sound]
        if not len(owners):
            continue
        starts = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]]))
        yield from zip(owners[starts].tolist(), np.add.reduceat(vectors, starts), strict=True)
