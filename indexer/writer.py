"""The writer: commits to the catalog, and brings what is derived up to it by replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from search.encoders.base import TextEncoder
from search.errors import IndexDamaged
from search.stores import documents
from search.stores.catalog import Catalog, Space
from search.stores.lexical import LexicalRow, LexicalWriter
from search.stores.segments import SegmentedVectors
from search.stores.sqlite import Connection
from search.types import Vectors

T = TypeVar("T")


class Writer:
    """One writing side of a library.

    The lexical index has one way in, whether it is a batch, a run that died half-way or a rebuild from nothing: what
    the catalog holds beyond its generation is replayed.
    """

    def __init__(self, catalog: Catalog, encoder: TextEncoder, space: Space, vectors: SegmentedVectors) -> None:
        self.catalog = catalog
        self.encoder = encoder
        self.space = space
        self.vectors = vectors
        self._lexical_directory: Path = catalog.directory / "lexical"

    def commit(self, change: Callable[[Connection], T]) -> T:
        """Make one change visible, all or nothing, then bring the lexical index up to it."""
        with self.catalog.lock.held():
            with self.catalog.transaction() as connection:
                result = change(connection)
            self.catch_up()
        return result

    def known_vectors(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the row ids of the vectors that are already stored, by key."""
        with self.catalog.snapshot() as snapshot:
            return documents.known_vectors(snapshot.connection, self.space.id, keys)

    def stage(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Store vectors before the documents that will refer to them; nothing becomes visible by it."""
        with self.catalog.transaction(bump=False) as connection:
            documents.stage_vectors(connection, self.space.id, keys, vectors)

    def catch_up(self) -> None:
        """Replay into the lexical index what the catalog holds beyond it; a damaged index is built anew."""
        with self.catalog.lock.held():
            try:
                self._replay(LexicalWriter(self._lexical_directory))
            except IndexDamaged:
                self._replay(LexicalWriter(self._lexical_directory, rebuild=True))

    def _replay(self, writer: LexicalWriter) -> None:
        with writer as lexical, self.catalog.snapshot() as snapshot:
            if lexical.generation == snapshot.generation:
                return
            lexical.delete(documents.deleted_since(snapshot.connection, lexical.generation))
            lexical.add(
                LexicalRow(row.id, row.chunk.text, f"{row.title}\n{row.chunk.heading}", row.uri)
                for row in documents.chunks_since(snapshot.connection, lexical.generation)
            )
            lexical.commit(snapshot.generation)

    def flush(self) -> None:
        """Move a long tail of vectors into a segment, and merge segments where they pile up."""
        self.vectors.flush(self.catalog)
