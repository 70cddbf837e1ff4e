"""A real catalog that holds nothing but vectors, for tests of what is derived from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.base import VectorEngine
from quarry.search.engines.faiss.segments import SegmentedVectors, SegmentsView
from quarry.search.fields.filters import Allowed
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents
from quarry.search.stores.spaces import Space
from quarry.search.types import Candidates, Chunk, Ids, Vectors

IDENTITY = "fake:1"


class VectorLibrary:
    """A catalog with one space, written without going through documents."""

    def __init__(self, directory: Path, dimension: int = 32, identity: str = IDENTITY) -> None:
        self.directory = directory
        self.catalog = Catalog(directory, writable=True)
        self.space: Space = self.catalog.ensure_space("text", identity, "fake", dimension)
        self.vectors = self.reader()
        self._next = 1

    @property
    def segments(self) -> Path:
        return self.directory / "segments"

    @property
    def files(self) -> list[Path]:
        """The segment files directly in `segments/`."""
        return sorted(path for path in self.segments.glob("*") if path.is_file())

    def reader(self) -> SegmentedVectors:
        """A reader as another process would have it: nothing opened yet."""
        return SegmentedVectors(self.catalog, self.space)

    def append(self, vectors: NDArray[np.floating]) -> Ids:
        """Commit vectors with new ids."""
        ids = np.arange(self._next, self._next + len(vectors))
        self.add(ids, vectors)
        return ids

    def add(self, ids: Ids, vectors: NDArray[np.floating]) -> None:
        if not len(ids):
            return
        self._next = int(ids[-1]) + 1
        keys = [int(id_).to_bytes(8, "big") for id_ in ids]
        with self.catalog.transaction() as connection:
            documents.stage_vectors(connection, self.space.id, dict(zip(keys, vectors, strict=True)))
            for run in np.split(np.arange(len(ids)), np.flatnonzero(np.diff(ids) > 1) + 1):
                self._put(connection, int(ids[run[0]]), [keys[at] for at in run])

    def _put(self, connection: Connection, first: int, keys: list[bytes]) -> None:
        connection.execute("INSERT OR IGNORE INTO sqlite_sequence (name, seq) SELECT 'chunks', 0")
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'chunks'", (first - 1,))
        text = "x" * len(keys)
        chunks = [Chunk(at, at, at + 1, "x") for at in range(len(keys))]
        new = documents.NewDocument(f"document-{first}", "text/plain", "", text, b"", chunks, keys)
        documents.put(connection, new, "2024-01-01T00:00:00Z")

    def delete(self, ids: Sequence[int] | Ids) -> None:
        with self.catalog.transaction() as connection:
            for id_ in map(int, ids):
                connection.execute(
                    "INSERT INTO deletions (chunk_id, generation)"
                    " SELECT id, (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'generation')"
                    " FROM chunks WHERE id = ?",
                    (id_,),
                )
                connection.execute("DELETE FROM chunks WHERE id = ?", (id_,))

    def view(self, vectors: VectorEngine | None = None) -> SegmentsView:
        with self.catalog.snapshot() as snapshot:
            view = (vectors or self.vectors).view(snapshot)
        assert isinstance(view, SegmentsView)
        return view

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> Candidates:
        return self.view().search(query, k, Allowed(allowed))

    @property
    def count(self) -> int:
        return self.view().count
