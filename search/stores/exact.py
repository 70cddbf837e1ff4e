"""Exact search in NumPy: the oracle that every other store is held to, and enough for a few thousand vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quarry.search.types import Candidates, Ids, Vectors


class ExactStore:
    """A `VectorStore` that keeps float16 vectors and scores every one of them in float32."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._ids: Ids = np.empty(0, np.int64)
        self._vectors: NDArray[np.float16] = np.empty((0, dimension), np.float16)

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return len(self._ids)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add (n,) ids with (n, d) unit vectors; ids are new and ascending.

        Raises:
            ValueError: shapes differ, ids do not ascend, or a vector is not finite.
        """
        halves = check_vectors(ids, vectors, self.dimension)
        if self.count and len(ids) and ids[0] <= self._ids[-1]:
            raise ValueError(f"id {ids[0]} is not greater than the last one, {self._ids[-1]}")
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, halves])

    def delete(self, ids: Ids) -> None:
        """Forget ids; unknown ones are ignored."""
        kept = ~np.isin(self._ids, ids)
        self._ids, self._vectors = self._ids[kept], self._vectors[kept]

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> Candidates:
        """Find the k nearest to one (d,) query, among `allowed` (sorted ids) only where it is given.

        Raises:
            ValueError: the query has another dimension or is not finite.
        """
        check_query(query, self.dimension)
        ids, vectors = self._ids, self._vectors
        if allowed is not None:
            kept = np.isin(ids, allowed)
            ids, vectors = ids[kept], vectors[kept]
        return best(ids, vectors.astype(np.float32) @ query.astype(np.float32), k)


def best(ids: Ids, scores: NDArray[np.float32], k: int) -> Candidates:
    """Return the k highest scores with their ids, best first, ties by smaller id."""
    if k <= 0:
        return Candidates.empty()
    if k < len(ids):
        kept = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
        ids, scores = ids[kept], scores[kept]
    order = np.lexsort((ids, -scores))[:k]
    return Candidates(ids[order], scores[order])


def check_vectors(ids: Ids, vectors: NDArray[np.floating], dimension: int) -> NDArray[np.float16]:
    """Return the vectors as contiguous float16, checked against their ids.

    Raises:
        ValueError: shapes differ, ids do not ascend, or a vector is not finite.
    """
    if vectors.shape != (len(ids), dimension):
        raise ValueError(f"vectors have shape {vectors.shape}, not ({len(ids)}, {dimension})")
    if len(ids) > 1 and not (np.diff(ids) > 0).all():
        raise ValueError("ids do not ascend")
    with np.errstate(over="ignore"):
        halves = np.ascontiguousarray(vectors, dtype=np.float16)
    finite = np.isfinite(halves).all(axis=1)
    if not finite.all():
        raise ValueError(f"the vector of id {ids[np.argmin(finite)]} has a value that is not finite in float16")
    return halves


def check_query(query: NDArray[np.floating], dimension: int) -> None:
    """Refuse a query that no vector could be compared with.

    Raises:
        ValueError: it has another dimension or is not finite.
    """
    if query.shape != (dimension,):
        raise ValueError(f"the query vector has shape {query.shape}, not ({dimension},)")
    if not np.isfinite(query).all():
        raise ValueError("the query vector has a value that is not finite")
