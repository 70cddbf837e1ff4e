"""A library of nothing but vectors, to try an engine on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quarry.search.engines.base import OpenEngine, VectorEngine, VectorView
from quarry.search.fields.filters import Allowed, allowed_by
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import documents
from quarry.search.types import Chunk, Ids, Vectors

DIMENSION = 32


class Trial:
    """A library that holds nothing but vectors, and an engine that follows it.

    Args:
        directory: an empty folder, or none yet.
        open_engine: opens the engine of a space of a catalog.
        damage: spoils something that the engine keeps; None for an engine that keeps nothing which could be spoilt.
    """

    def __init__(
        self, directory: Path, open_engine: OpenEngine, damage: Callable[[VectorEngine], None] | None = None
    ) -> None:
        self.catalog = Catalog(directory, writable=True)
        self.space = self.catalog.ensure_space("text", "fake:1", "fake", DIMENSION)
        self.damage = damage
        self._open_engine = open_engine
        self.engine = self.opened()

    def opened(self) -> VectorEngine:
        """Return the engine as another process would have it."""
        return self._open_engine(self.catalog, self.space)

    def close(self) -> None:
        """Close the catalog."""
        self.catalog.close()

    def put(self, texts: Mapping[str, Vectors], metadata: Mapping[str, Mapping[str, Any]] | None = None) -> Ids:
        """Commit documents by their ids, each with one passage for each of (n, d) vectors; return the passages' ids."""
        with self.catalog.transaction() as connection:
            for name, vectors in texts.items():
                keys = [hashlib.blake2b(vector.tobytes(), digest_size=16).digest() for vector in vectors]
                documents.stage_vectors(connection, self.space.id, dict(zip(keys, vectors, strict=True)))
                chunks = [Chunk(at, at, at + 1, "x") for at in range(len(keys))]
                own = (metadata or {}).get(name, {})
                new = documents.NewDocument(
                    f"trial:{name}", "text/plain", "", "x" * len(keys), b"", chunks, keys, own, id=name
                )
                documents.put(connection, new, "2024-01-01T00:00:00Z")
        return self.ids({"id": {"$in": list(texts)}})

    def add(self, vectors: Vectors) -> Ids:
        """Commit (n, d) vectors as a document of its own; return the passages' ids."""
        with self.catalog.snapshot() as snapshot:
            name = f"added-{snapshot.generation}"
        return self.put({name: vectors})

    def delete(self, names: Sequence[str]) -> None:
        """Remove documents in one commit."""
        with self.catalog.transaction() as connection:
            found = [documents.find(connection, name) for name in names]
            documents.remove(connection, [one[0] for one in found if one is not None])

    def ids(self, filter: Mapping[str, Any]) -> Ids:
        """Return the ids of the passages that a filter matches."""
        ids = self.allowed(filter).ids
        assert ids is not None
        return ids

    def allowed(self, filter: Mapping[str, Any]) -> Allowed:
        """Return what a filter allows in the newest generation."""
        with self.catalog.snapshot() as snapshot:
            return allowed_by(snapshot.connection, filter)

    def view(self, engine: VectorEngine | None = None) -> VectorView:
        """Return the vectors of the newest generation."""
        with self.catalog.snapshot() as snapshot:
            return (engine or self.engine).view(snapshot)

    def count(self, engine: VectorEngine | None = None) -> int:
        """Return how many vectors the newest generation has, as a process that has just begun counts them."""
        with self.catalog.snapshot() as snapshot:
            return (engine or self.opened()).count(snapshot)


def unit_vectors(count: int, dimension: int = DIMENSION, seed: int = 0) -> Vectors:
    """(count, dimension) random unit vectors around a few centres, as embeddings are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((20, dimension))
    spread = centres[rng.integers(0, 20, count)] + rng.standard_normal((count, dimension))
    vectors: Vectors = (spread / np.linalg.norm(spread, axis=1, keepdims=True)).astype(np.float32)
    return vectors
