"""Writing: a commit to the catalog, then what is derived (`indexer.derived`) is brought up to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from quarry.indexer import boilerplate
from quarry.indexer.derived.all import at_once, derived
from quarry.indexer.doctor.loss import record_losses
from quarry.indexer.embedding.embedders import Embedder
from quarry.indexer.enrichments.base import Enrichment
from quarry.indexer.enrichments.table import ENRICHMENTS
from quarry.search.beside import BESIDE, OWN
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import LibraryDamaged, ModelError, ModelMismatch
from quarry.search.language.scripts import admits
from quarry.search.models.contracts import TextEncoder
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import compacted, mark_compacted
from quarry.search.stores.rows import documents, enrichments, trash
from quarry.search.stores.spaces import Space, active_space, active_spaces, drop_retired_spaces
from quarry.search.types import Vectors

T = TypeVar("T")
_LOOKED_AT = 4_000  # characters of a document, to tell which model knows it


def commit(catalog: Catalog, change: Callable[[Connection], T]) -> T:
    """Make one change visible, all or nothing, then bring up to it what is derived and follows at once."""
    with catalog.lock.held():
        with catalog.transaction() as connection:
            result = change(connection)
        with deadline.shielded():
            catch_up(catalog)
    return result


def catch_up(catalog: Catalog) -> None:
    """Bring what follows each commit up to the catalog."""
    for one in at_once(catalog):
        one.catch_up()


def flush(vectors: OpenedVectors) -> None:
    """Bring everything that is derived up to the catalog, as far as that is worth while; outside the writer's lock.

    So is what the catalog knows of its boilerplate, which no commit waits for.
    """
    with deadline.shielded():
        for one in derived(vectors):
            one.catch_up()
        tell_boilerplate(vectors.catalog)


def tell_boilerplate(catalog: Catalog) -> None:
    """Bring what a catalog knows of its boilerplate up to what it holds, and the words that passages are found by."""
    stamp: str | None
    stamp, steps = boilerplate.steps(catalog)
    for step in steps:
        if stamp is None:
            return
        if step.passages:
            stamp = commit(catalog, partial(boilerplate.record, step=step, stamp=stamp))
            continue
        with catalog.transaction(bump=False) as connection:
            boilerplate.record(connection, step, stamp)


def compact(vectors: OpenedVectors) -> int:
    """Bring what is derived into its smallest form, drop vectors and log entries that nothing needs, give space back.

    Returns how many bytes are kept for readers of an older generation: given back by a later run, 0 where there are
    none.

    What was deleted can't be undeleted any more, and no embedding anew be undone. That something was deleted is
    forgotten by the next compaction only, once all that is derived has followed it: a reader may have opened the
    lexical index a moment ago, and still ask what was deleted since.

    Raises:
        LibraryDamaged: a row is damaged; what seems to be of no use may be the only good copy.
    """
    catalog = vectors.catalog
    with catalog.reading() as connection:
        if (row := checksums.first_damaged(connection, math.inf)) is not None:
            raise LibraryDamaged(f"{checksums.named(row)} is not what was written. {checksums.ADVICE}")
    record_losses(catalog)
    with catalog.transaction(bump=False) as connection:
        drop_retired_spaces(connection)
    every = derived(vectors)
    followed = min(one.compact() for one in every)
    with catalog.transaction(bump=False) as connection:
        before = compacted(connection)
        documents.drop_orphans(connection, min(followed, before))
        enrichments.drop_orphans(connection)
        mark_compacted(connection, max(followed, before))  # another process's may have come further meanwhile
        trash.empty(connection)
    with catalog.lock.held():  # what is retired while it is held, is retired after the look at the readers
        is_read = not catalog.vacuum()
        return sum(one.release(is_read=is_read) for one in every)


@dataclass(frozen=True, slots=True)
class Writer:
    """What writing documents takes: the catalog, what embeds into each of its spaces, by their names, and what
    documents are enriched by.

    `vectors` are those that searches of the library use, too.
    """

    catalog: Catalog
    vectors: OpenedVectors
    embedders: Mapping[str, Embedder]
    enrichments: Sequence[Enrichment] = ENRICHMENTS

    @property
    def encoder(self) -> TextEncoder:
        """The text model that documents are cut for."""
        encoder: TextEncoder = self.embedders["text"].encoder
        return encoder

    def encoder_for(self, text: str) -> TextEncoder:
        """Return the model that a document is cut for: the one beside where the library's own does not know it."""
        beside = self.embedders.get(BESIDE)
        if beside is None or text.isascii() or admits(OWN, text[:_LOOKED_AT], None):
            return self.encoder
        with suppress(ModelError):
            found: TextEncoder = beside.encoder
            return found
        return self.encoder

    @property
    def cuts_for_others(self) -> bool:
        """Whether documents may have been cut for another model than the library's own."""
        return BESIDE in self.embedders and self.embedders[BESIDE].is_open

    @property
    def space(self) -> Space:
        """The space of that model's vectors."""
        return self.embedders["text"].space

    @property
    def pictures(self) -> Embedder:
        """What embeds the pixels that pictures are read as."""
        return self.embedders["image"]

    def commit(self, change: Callable[[Connection], T], spaces: Sequence[Space] = ()) -> T:
        """Do as `commit` does, writing vectors of `spaces`.

        Raises:
            ModelMismatch: another process has embedded the library anew by another model, or by one more.
        """

        def checked(connection: Connection) -> T:
            for space in (self.space, *spaces):
                _check(connection, space)
            for space in active_spaces(connection):
                if space.name not in self.embedders:
                    raise ModelMismatch(
                        f"The library was embedded by {space.model}, too, while this was writing. Run it again."
                    )
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
