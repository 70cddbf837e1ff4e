"""The writer: commits to the catalog, and brings what is derived up to it by replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from search.encoders.base import TextEncoder
from search.errors import IndexDamaged
from search.stores import documents
from search.stores.catalog import Catalog, Space
from search.stores.lexical_writer import LexicalWriter
from search.stores.segments import SegmentedVectors
from search.stores.sqlite import Connection
from search.types import Vectors
from search.wiring import lexical_row

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

    def stage(self, vectors: Mapping[bytes, Vectors]) -> None:
        """Store vectors before the documents that will refer to them; nothing becomes visible by it."""
        with self.catalog.transaction(bump=False) as connection:
            documents.stage_vectors(connection, self.space.id, vectors)

    def catch_up(self) -> None:
        """Replay into the lexical index what the catalog holds beyond it; a damaged index is built anew."""
        try:
            replay_lexical(self.catalog)
        except IndexDamaged:
            replay_lexical(self.catalog, rebuild=True)

    def flush(self) -> None:
        """Move a long tail of vectors into a segment, and merge segments where they pile up."""
        self.vectors.flush(self.catalog)

    def compact(self) -> None:
        """Merge segments into one, drop vectors and log entries that nothing needs, and give space back."""
        self.catch_up()
        self.vectors.compact(self.catalog)
        with self.catalog.transaction() as connection:
            documents.drop_orphans(connection)
        self.catch_up()
        self.catalog.vacuum()


def replay_lexical(catalog: Catalog, *, rebuild: bool = False) -> None:
    """Bring the lexical index up to the catalog, from where it stands or from nothing."""
    with (
        catalog.lock.held(),
        LexicalWriter(catalog.directory / "lexical", rebuild=rebuild) as lexical,
        catalog.snapshot() as snapshot,
    ):
        if lexical.generation == snapshot.generation:
            return
        lexical.delete(documents.deleted_since(snapshot.connection, lexical.generation))
        lexical.add(lexical_row(row) for row in documents.chunks_since(snapshot.connection, lexical.generation))
        lexical.commit(snapshot.generation)
