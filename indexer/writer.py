"""Writing: a commit to the catalog, then what is derived is brought up to it by replay.

A derived index has one way in, whether it is after a batch, after a run that died half-way or from nothing: what the
catalog holds beyond the generation that the index covers is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from search.encoders.base import TextEncoder
from search.errors import IndexDamaged, ModelMismatch
from search.stores import documents
from search.stores.catalog import Catalog, Space, active_space, compacted, mark_compacted
from search.stores.lexical_files import State
from search.stores.lexical_writer import LexicalWriter
from search.stores.sqlite import Connection
from search.types import Vectors
from search.wiring import lexical_row, open_vectors

T = TypeVar("T")


def commit(catalog: Catalog, change: Callable[[Connection], T]) -> T:
    """Make one change visible, all or nothing, then bring the lexical index up to it."""
    with catalog.lock.held():
        with catalog.transaction() as connection:
            result = change(connection)
        catch_up(catalog)
    return result


def catch_up(catalog: Catalog, *, rebuild: bool = False) -> None:
    """Replay into the lexical index what the catalog holds beyond it; build it anew where it is damaged."""
    if not rebuild and _covers(catalog):
        return
    with catalog.lock.held():
        try:
            _replay(catalog, rebuild=rebuild)
        except IndexDamaged:
            if rebuild:
                raise
            _replay(catalog, rebuild=True)


def flush(catalog: Catalog) -> None:
    """Move a long tail of vectors into a segment, and merge segments where they pile up."""
    if (space := catalog.space("text")) is not None:
        open_vectors(catalog, space).flush(catalog)


def compact(catalog: Catalog) -> None:
    """Merge segments into one, drop vectors and log entries that nothing needs, and give space back.

    What was deleted before this compaction is forgotten by the next one: a reader may have opened the lexical index a
    moment ago, and still ask what was deleted since.
    """
    catch_up(catalog)
    if (space := catalog.space("text")) is not None:
        open_vectors(catalog, space).compact(catalog)
    with catalog.transaction(bump=False) as connection:
        followed = _lexical_generation(catalog)
        documents.drop_orphans(connection, min(followed, compacted(connection)))
        mark_compacted(connection, followed)
    catalog.vacuum()


@dataclass(frozen=True, slots=True)
class Writer:
    """What writing documents takes: the catalog, the encoder, and the space of its vectors."""

    catalog: Catalog
    encoder: TextEncoder
    space: Space

    def commit(self, change: Callable[[Connection], T]) -> T:
        """Do as `commit` does.

        Raises:
            ModelMismatch: another process has embedded the library anew by another model.
        """

        def checked(connection: Connection) -> T:
            self._check(connection)
            return change(connection)

        return commit(self.catalog, checked)

    def stage(self, vectors: Mapping[bytes, Vectors]) -> None:
        """Store vectors before the documents that will refer to them; nothing becomes visible by it."""
        with self.catalog.transaction(bump=False) as connection:
            self._check(connection)
            documents.stage_vectors(connection, self.space.id, vectors)

    def known_vectors(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the row ids of the vectors that are already stored, by key."""
        with self.catalog.snapshot() as snapshot:
            return documents.known_vectors(snapshot.connection, self.space.id, keys)

    def _check(self, connection: Connection) -> None:
        active = active_space(connection, self.space.name)
        if active is None or active.id != self.space.id:
            by = active.model if active else "another model"
            raise ModelMismatch(
                f"The library was embedded anew by {by} while {self.space.model} was writing. Run it again."
            )


def _replay(catalog: Catalog, *, rebuild: bool) -> None:
    with catalog.snapshot() as snapshot:
        connection, generation = snapshot.connection, snapshot.generation
        covered = -1 if rebuild else _lexical_generation(catalog)
        # An index from another time than the catalog's: one of them was restored from a copy.
        rebuild |= covered > generation or covered < compacted(connection)
        with LexicalWriter(catalog.directory / "lexical", rebuild=rebuild) as lexical:
            lexical.delete(documents.deleted_since(connection, lexical.generation))
            lexical.add(lexical_row(row) for row in documents.chunks_since(connection, lexical.generation))
            lexical.commit(generation)


def _covers(catalog: Catalog) -> bool:
    with catalog.snapshot() as snapshot:
        try:
            return _lexical_generation(catalog) == snapshot.generation
        except IndexDamaged:
            return False


def _lexical_generation(catalog: Catalog) -> int:
    state = State.read(catalog.directory / "lexical")
    return -1 if state is None else state.generation
