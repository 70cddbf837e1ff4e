"""Exact search in NumPy: the smallest engine there can be, and enough for a few thousand vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.base import Damage, KeptFile, Told
from quarry.search.fields.filters import EVERYTHING, Allowed
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.segment_rows import count_vectors, read_vectors
from quarry.search.stores.spaces import Space
from quarry.search.types import Candidates, Ids, Vectors


class ExactVectors:
    """A `VectorEngine` that keeps nothing: every generation is read from the catalog, and every vector scored."""

    def __init__(self, catalog: Catalog, space: Space) -> None:
        self.catalog = catalog
        self.space = space
        self._view: ExactView | None = None

    def view(self, snapshot: Snapshot) -> ExactView:
        """Return the vectors of the generation that is seen; the last one is remembered."""
        view = self._view
        if view is None or view.generation != snapshot.generation:
            stored = read_vectors(snapshot.connection, self.space.id, self.space.dimension, 0, snapshot.generation)
            notes = (damaged_vectors(len(stored.unusable)),) if len(stored.unusable) else ()
            view = self._view = ExactView(snapshot.generation, stored.ids, stored.values, notes)
        return view

    def count(self, snapshot: Snapshot) -> int:
        """Return how many vectors there are."""
        return count_vectors(snapshot.connection, self.space.id, 0, snapshot.generation)

    def catch_up(self) -> None:
        """Do nothing: nothing is kept."""

    def compact(self) -> int:
        """Return the newest generation: nothing is kept that could be older."""
        with self.catalog.snapshot() as snapshot:
            return snapshot.generation

    def fill(self, progress: Told) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Do nothing."""

    def release(self, *, is_read: bool) -> int:
        """Return 0: nothing is kept."""
        return 0

    def verify(self) -> Sequence[Damage]:
        """Return nothing: the catalog is examined by itself."""
        return ()

    def repair(self) -> Sequence[Damage]:
        """Return nothing."""
        return ()

    def files(self, snapshot: Snapshot) -> list[KeptFile]:
        """Return none."""
        return []

    def kept(self, connection: Connection, ids: Ids) -> dict[int, NDArray[np.float16]]:
        """Return nothing: the catalog has the only copy."""
        return {}


@dataclass(frozen=True, slots=True, eq=False)
class ExactView:
    """The (n,) ascending ids and (n, d) float16 vectors of one generation."""

    generation: int
    ids: Ids
    values: NDArray[np.float16]
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return len(self.ids)

    @property
    def tail(self) -> int:
        """All of them: there is no index."""
        return self.count

    @property
    def segments(self) -> int:
        """None."""
        return 0

    def search(self, query: Vectors, k: int, allowed: Allowed = EVERYTHING) -> Candidates:
        """Find the k nearest to one (d,) query among what is allowed.

        Raises:
            ValueError: the query has another dimension or is not finite.
        """
        check_query(query, self.values.shape[1])
        ids, values = self.ids, self.values
        if allowed.ids is not None:
            kept = np.isin(ids, allowed.ids)
            ids, values = ids[kept], values[kept]
        return best(ids, values.astype(np.float32) @ query.astype(np.float32), k)

    def vectors(self, ids: Ids) -> Vectors:
        """Return the (n, d) float32 vectors of (n,) ids, in their order; zeros where there is none."""
        vectors = np.zeros((len(ids), self.values.shape[1]), np.float32)
        if self.count:
            at = np.minimum(np.searchsorted(self.ids, ids), self.count - 1)
            known = self.ids[at] == ids
            vectors[known] = self.values[at[known]]
        return vectors

    def sample(self, about: int) -> Vectors:
        """Return (n, d) float32 vectors spread evenly over all."""
        return self.values[:: max(1, self.count // about)].astype(np.float32)


def damaged_vectors(count: int) -> str:
    """Say that the catalog's vectors of some passages are not what was written, and what that costs."""
    return f"{count:,} passages have a damaged vector and can be found by their words only; index their files again."


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
