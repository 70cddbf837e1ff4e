"""Writing: a commit to the catalog, then what is derived is brought up to it by replay.

A derived index has one way in, whether it is after a batch, after a run that died half-way or from nothing: what the
catalog holds beyond the generation that the index covers is replayed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from quarry.indexer.enrichments.base import Enrichment
from quarry.indexer.enrichments.table import ENRICHMENTS
from quarry.indexer.loss import record_losses
from quarry.search import deadline
from quarry.search.errors import IndexDamaged, LibraryDamaged, ModelError, ModelMismatch
from quarry.search.models.contracts import ImageEncoder, TextEncoder
from quarry.search.stores import checksums, documents, enrichments, picture_rows, trash
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.lexical_files import State
from quarry.search.stores.lexical_writer import LexicalWriter
from quarry.search.stores.lineage import Commit, compacted, has_had, mark_compacted
from quarry.search.stores.segment_writer import drop_retired, retired_bytes
from quarry.search.stores.spaces import Space, active_space
from quarry.search.stores.sqlite import Connection
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Preprocessing, Vectors
from quarry.search.wiring import lexical_row, open_vectors

T = TypeVar("T")


def commit(catalog: Catalog, change: Callable[[Connection], T]) -> T:
    """Make one change visible, all or nothing, then bring the lexical index up to it."""
    with catalog.lock.held():
        with catalog.transaction() as connection:
            result = change(connection)
        with deadline.shielded():
            catch_up(catalog)
    return result


def catch_up(catalog: Catalog, *, rebuild: bool = False) -> None:
    """Replay into the lexical index what the catalog holds beyond it; build it anew where it is damaged."""
    if not rebuild and _covers(catalog):
        return
    with catalog.lock.held():
        record_losses(catalog)
        try:
            _replay(catalog, rebuild=rebuild)
        except IndexDamaged:
            if rebuild:
                raise
            _replay(catalog, rebuild=True)


def flush(catalog: Catalog) -> None:
    """Move long tails of vectors into segments, and merge segments where they pile up."""
    with deadline.shielded():
        for space in catalog.spaces():
            open_vectors(catalog, space).flush(catalog)


def compact(catalog: Catalog) -> int:
    """Merge segments into one, drop vectors and log entries that nothing needs, and give space back.

    Returns how many bytes are kept for readers of an older generation: given back by a later run, 0 where there are
    none.

    What was deleted can't be undeleted any more. That something was deleted is forgotten by the next compaction only: a
    reader may have opened the lexical index a moment ago, and still ask what was deleted since.

    Raises:
        LibraryDamaged: a row is damaged; what seems to be of no use may be the only good copy.
    """
    with catalog.reading() as connection:
        if (row := checksums.first_damaged(connection, math.inf)) is not None:
            raise LibraryDamaged(f"{checksums.named(row)} is not what was written. {checksums.ADVICE}")
    record_losses(catalog)
    catch_up(catalog)
    for space in catalog.spaces():
        open_vectors(catalog, space).compact(catalog)
    with catalog.transaction(bump=False) as connection:
        followed = _covered(catalog).generation
        documents.drop_orphans(connection, min(followed, compacted(connection)))
        enrichments.drop_orphans(connection)
        mark_compacted(connection, followed)
        Thumbnails(catalog.directory).keep(picture_rows.picture_keys(connection))
        trash.empty(connection)
    with catalog.lock.held():  # what is retired while it is held, is retired after the look at the readers
        if catalog.vacuum():
            drop_retired(catalog.directory / "segments")
        return retired_bytes(catalog.directory / "segments")


class Pictures:
    """What writing pictures takes, made when the first one comes: a library of texts never loads an image model.

    Args:
        open_encoder: loads the library's image model, exporting it first where that was not done yet.
    """

    def __init__(self, catalog: Catalog, open_encoder: Callable[[], ImageEncoder]) -> None:
        self._catalog = catalog
        self._open = open_encoder
        self._failure: ModelError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the model was loaded."""
        return "encoder" in self.__dict__

    @cached_property
    def encoder(self) -> ImageEncoder:
        """The image model; ModelError where it can't be used, which holds for all of a run."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._open()
        except ModelError as error:
            self._failure = error  # pixels were made for no model: one that comes later must not get them
            raise

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The size and cut of pixels that it takes; None where it can't be used."""
        try:
            return self.encoder.preprocessing
        except ModelMismatch:
            raise
        except ModelError:  # the pictures are kept without a vector, and reported
            return None

    @cached_property
    def space(self) -> Space:
        """The space of the pictures' vectors; ModelMismatch where another model made them."""
        encoder = self.encoder
        return self._catalog.ensure_space("image", encoder.identity, encoder.card.name, encoder.dimension)


@dataclass(frozen=True, slots=True)
class Writer:
    """What writing documents takes: the catalog, the encoder and the space of its vectors, what pictures take, and what
    documents are enriched by.
    """

    catalog: Catalog
    encoder: TextEncoder
    space: Space
    pictures: Pictures
    enrichments: Sequence[Enrichment] = ENRICHMENTS

    def commit(self, change: Callable[[Connection], T], spaces: Sequence[Space] = ()) -> T:
        """Do as `commit` does, writing vectors of `spaces` (of texts where none are named).

        Raises:
            ModelMismatch: another process has embedded the library anew by another model.
        """

        def checked(connection: Connection) -> T:
            for space in spaces or (self.space,):
                _check(connection, space)
            return change(connection)

        return commit(self.catalog, checked)

    def stage(self, space: Space, vectors: Mapping[bytes, Vectors]) -> None:
        """Store vectors before the documents that will have them; nothing becomes visible by it.

        What a document lacks that is there already comes with the commit that renews it (`documents.renew`).
        """
        with self.catalog.transaction(bump=False) as connection:
            _check(connection, space)
            held = documents.held(connection, vectors)
            documents.stage_vectors(connection, space.id, {key: vectors[key] for key in vectors.keys() - held})

    def known_vectors(self, space: Space, keys: Sequence[bytes]) -> set[bytes]:
        """Return those of some keys under which a vector is stored already."""
        with self.catalog.snapshot() as snapshot:
            return documents.known_vectors(snapshot.connection, space.id, keys)


def _check(connection: Connection, space: Space) -> None:
    active = active_space(connection, space.name)
    if active is None or (active.id, active.identity) != (space.id, space.identity):
        by = active.model if active else "another model"
        raise ModelMismatch(f"The library was embedded anew by {by} while {space.model} was writing. Run it again.")


def _replay(catalog: Catalog, *, rebuild: bool) -> None:
    with catalog.snapshot() as snapshot:
        connection, generation = snapshot.connection, snapshot.generation
        covered = Commit() if rebuild else _covered(catalog)
        # An index from another time than the catalog's: one of them was restored from a copy.
        rebuild |= not has_had(connection, covered) or covered.generation < compacted(connection)
        with LexicalWriter(catalog.directory / "lexical", rebuild=rebuild) as lexical:
            lexical.delete(documents.deleted_since(connection, lexical.generation))
            lexical.add(lexical_row(row) for row in documents.chunks_since(connection, lexical.generation))
            catalog.place.require()  # once more: the index is found by its path
            lexical.commit(generation, snapshot.commit)


def _covers(catalog: Catalog) -> bool:
    with catalog.snapshot() as snapshot:
        try:
            return _covered(catalog) == snapshot.commit
        except IndexDamaged:
            return False


def _covered(catalog: Catalog) -> Commit:
    state = State.read(catalog.directory / "lexical")
    return Commit() if state is None else state.covers
