"""What a vector store is: chunk ids and their vectors in, nearest ids out. Scores are inner products of unit vectors.

A store over float16 values scores float16(v) . q in float32, so that every store gives a pair the same score.
"""

from __future__ import annotations

from typing import Protocol

from quarry.search.types import Candidates, Ids, Vectors


class VectorStore(Protocol):
    """The contract that one test suite runs on every store, against exact answers."""

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add (n,) ids with (n, d) unit vectors; ids are new and ascending."""

    def delete(self, ids: Ids) -> None:
        """Forget ids; unknown ones are ignored."""

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> Candidates:
        """Find the k nearest to one (d,) query, among `allowed` (sorted ids) only where it is given."""
        ...

    @property
    def count(self) -> int:
        """How many vectors there are."""
        ...
