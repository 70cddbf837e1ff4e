"""A vector engine that follows the catalog into a store elsewhere: all of the contract but the store's few primitives.

What was put there is marked with the commit that it is of. Whoever dies before the mark has it done again, to the same
end; whoever is behind the mark, or ahead of it, is told by it. The catalog has every vector, so that nothing is lost
with an engine: what it lacks is searched one by one, and it is filled again from there.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.base import Damage, KeptFile, Told, Unreached
from quarry.search.engines.exact import damaged_vectors
from quarry.search.engines.following.collection import FollowedCollection, Standing
from quarry.search.engines.following.link import Link
from quarry.search.engines.following.store import OpenStore, VectorStore
from quarry.search.engines.following.view import MOST, FollowedView, one_by_one, words_alone
from quarry.search.errors import EngineUnavailable, LibraryLocked, ModelMismatch
from quarry.search.files.access import access_of
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.database.lock import WriterLock
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import forgotten
from quarry.search.stores.rows.documents import deleted_since
from quarry.search.stores.rows.segment_rows import StoredVectors, count_vectors, read_vectors
from quarry.search.stores.spaces import Space
from quarry.search.types import Ids

WORTH_WHILE = 1_000  # passages, new or gone: a scan of as many takes less than to ask for them


class FollowingVectors:
    """A `VectorEngine` that keeps its vectors in a store.

    Args:
        label: what the engine is called, and where it is.
        open_store: opens one collection there.
    """

    def __init__(self, catalog: Catalog, space: Space, label: str, open_store: OpenStore) -> None:
        self.catalog = catalog
        self.space = space
        self.collection = FollowedCollection(
            catalog, space, label, Link(_owned(catalog, space, label, open_store), space.dimension)
        )
        self._view: tuple[Standing, FollowedView] | None = None
        self._lock = threading.Lock()
        # One at a time takes in what is new; who finds another at it has nothing to do.
        self._turn = WriterLock(catalog.directory / "engine.lock", 0.0, access_of(catalog.directory))

    def view(self, snapshot: Snapshot) -> FollowedView:
        """Return the vectors of the generation that is seen; what the engine has not taken in is read here."""
        state = self.collection.state(snapshot)
        if (view := self._known(state, snapshot)) is not None:
            return view
        with deadline.holding(self._lock), deadline.shielded():
            if (view := self._known(state, snapshot)) is not None:
                return view
            view = self._made(snapshot, state)
            if self._view is None or self._view[1].generation <= snapshot.generation:
                self._view = (state, view)
            return view

    def count(self, snapshot: Snapshot) -> int:
        """Return how many vectors there are."""
        return count_vectors(snapshot.connection, self.space.id, 0, snapshot.generation)

    def catch_up(self) -> None:
        """Take in what is new, where it is much; where the engine can't be used, searches say so, and work goes on."""
        with self.catalog.snapshot() as snapshot:
            covered = self.collection.state(snapshot).covered
            new = count_vectors(snapshot.connection, self.space.id, covered, snapshot.generation)
            gone = len(deleted_since(snapshot.connection, covered)) if covered else 0
        if max(new, gone) >= WORTH_WHILE:
            self._follow()

    def compact(self) -> int:
        """Take in all that the catalog has; return up to which generation that is done, -1 where nobody can tell."""
        self._follow()
        with self.catalog.snapshot() as snapshot:
            state = self.collection.state(snapshot)
        return -1 if state.why else state.covered

    def fill(self, progress: Told) -> None:
        """Take in all that the catalog has; raise why that can't be done."""
        self._turn.wait_s = self.catalog.lock.wait_s  # who asks for it waits for whoever is at it
        with self._turn.held():
            self.collection.follow(progress)

    def leave(self) -> None:
        """Remove what this library has there, of whatever space; what can't be reached stays there."""
        with suppress(EngineUnavailable):
            self.collection.clear_others(every=True)

    def release(self, *, is_read: bool) -> int:
        """Remove what the library has there of spaces that are no more; nothing of that takes room here."""
        with suppress(EngineUnavailable):  # the next compaction does it
            self.collection.clear_others(every=False)
        return 0

    def verify(self) -> Sequence[Damage]:
        """Compare what the engine holds with the catalog, value by value."""
        return list(self.collection.differing())

    def repair(self) -> Sequence[Damage]:
        """Fill the collection anew where something is wrong with it; one that is another model's is left as it is."""
        found = self.verify()
        if found:
            with suppress(EngineUnavailable, ModelMismatch), self._turn.held():  # who verifies next tells what is wrong
                with self.catalog.snapshot() as snapshot:
                    state = self.collection.state(snapshot)
                if state.fault != "model":
                    self.collection.clear()
                self.collection.follow(_untold)
        return found

    def files(self, snapshot: Snapshot) -> list[KeptFile]:
        """Return none: a copy of the library goes on from the catalog."""
        return []

    def kept(self, connection: Connection, ids: Ids) -> Mapping[int, NDArray[np.float16]]:
        """Return nothing: what is elsewhere is not surely what was put there."""
        return {}

    def _follow(self) -> None:
        with suppress(EngineUnavailable, ModelMismatch, LibraryLocked), self._turn.held():
            self.collection.follow(_untold)  # what can't be done now, searches and the doctor tell

    def _known(self, state: Standing, snapshot: Snapshot) -> FollowedView | None:
        """Return the last view, where it is of what is seen now and nothing was lost since."""
        if self._view is None or self._view[0] != state or self._view[1].lost:
            return None
        return self._view[1] if self._view[1].generation == snapshot.generation else None

    def _made(self, snapshot: Snapshot, state: Standing) -> FollowedView:
        stored, said = self._tail(snapshot, state), list[str]()
        if stored is None:
            count = count_vectors(snapshot.connection, self.space.id, state.covered, snapshot.generation)
            behind = f"{self.collection.label} has yet to take in what is new: `quarry compact` has it do so."
            said = [Unreached(f"{state.why or behind} {words_alone(count)}")]
            stored = _none(self.space.dimension)
        elif state.why:
            said = [Unreached(f"{state.why} {one_by_one(len(stored.ids))}")]
        if len(stored.unusable):
            said.append(damaged_vectors(len(stored.unusable)))
        return FollowedView(
            self.catalog,
            self.space,
            self.collection.link,
            self.collection.name(snapshot.commit),
            snapshot.generation,
            state.covered,
            stored.ids,
            stored.values,
            tuple(said),
        )

    def _tail(self, snapshot: Snapshot, state: Standing) -> StoredVectors | None:
        """Read what is newer than what the engine covers; None where that is too much."""
        connection, space, generation = snapshot.connection, self.space, snapshot.generation
        before, view = self._view or (None, None)
        if view is not None and (before, view.said) == (state, ()) and view.generation <= generation:
            newer = read_vectors(connection, space.id, space.dimension, view.generation, generation)
            if view.generation >= forgotten(connection) and len(view.ids) + len(newer.ids) <= MOST:
                alive = ~np.isin(view.ids, deleted_since(connection, view.generation))
                ids = np.concatenate([view.ids[alive], newer.ids])
                return StoredVectors(ids, np.concatenate([view.values[alive], newer.values]), newer.unusable)
        if count_vectors(connection, space.id, state.covered, generation) > MOST:
            return None
        return read_vectors(connection, space.id, space.dimension, state.covered, generation)


def _owned(catalog: Catalog, space: Space, label: str, open_store: OpenStore) -> OpenStore:
    """Return what opens the stores of a place that this catalog file has chosen, or the source of this replica."""
    engine = space.engine
    if not engine.uri or catalog.replica is not None or engine == engine.at(catalog.path):
        return open_store

    def refused(name: str, dimension: int) -> VectorStore:
        raise EngineUnavailable(
            f"{label} was chosen by another library, of which this is a copy; nothing was sent there. To have this one "
            "keep vectors of its own there: `quarry engine NAME --uri URI`."
        )

    return refused


def _none(dimension: int) -> StoredVectors:
    nothing = np.empty(0, np.int64)
    return StoredVectors(nothing, np.empty((0, dimension), np.float16), nothing)


def _untold(done: int, of: int) -> None:
    """Tell nobody."""
