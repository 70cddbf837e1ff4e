"""A collection that follows the vectors of one space: what it holds, and how it is brought up to the catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quarry.search.engines.base import Damage, Told
from quarry.search.engines.following.link import Link
from quarry.search.engines.following.store import Mark, VectorStore
from quarry.search.errors import EngineUnavailable, ModelMismatch
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import Commit, commit_of, forgotten, has_had, newest
from quarry.search.stores.rows.documents import deleted_between, deleted_since
from quarry.search.stores.rows.segment_rows import count_vectors, portion_end, read_vectors
from quarry.search.stores.spaces import Space, every_space
from quarry.search.types import Ids

_PORTION = 20_000  # passages between two marks
_BATCH = 4_096
_REPAIR = "`quarry doctor --repair` fills it anew; where another copy of the library uses it, choose another place."


@dataclass(frozen=True, slots=True)
class Standing:
    """How a collection stands to a generation.

    Args:
        covered: up to which one it holds what there is; 0 where it can't be asked.
        why: it can't, in words; "" where nothing is wrong.
        fault: that it can't be reached; that another model, or another state of the library, filled it; that the
            catalog has forgotten what was deleted since.
    """

    covered: int = 0
    why: str = ""
    fault: Literal["", "away", "model", "state", "behind"] = ""


@dataclass(frozen=True, slots=True)
class FollowedCollection:
    """The collection of a space.

    Args:
        label: what the engine is called, and where it is.
    """

    catalog: Catalog
    space: Space
    label: str
    link: Link

    def state(self, snapshot: Snapshot) -> Standing:
        """Return how it stands to the generation that is seen."""
        if not snapshot.commit.library:
            return Standing()
        try:
            mark = self.link.mark(self.name(snapshot.commit))
        except EngineUnavailable as error:
            return Standing(why=str(error), fault="away")
        except ValueError as error:
            why = f"{self.label} holds what this library did not write ({error}). {_REPAIR}"
            return Standing(why=why, fault="state")
        return Standing() if mark is None else self._of(mark, snapshot.connection)

    def name(self, commit: Commit, space: Space | None = None) -> str:
        """Return what it is called: by library, catalog file, space and model, so that none fills what is another's."""
        space = space or self.space
        return f"{self._prefix(commit)}{_digest(space.name, space.identity)[:12]}"

    def follow(self, progress: Told) -> None:
        """Take in what the catalog has had since, a portion at a time, each marked when it is safely there.

        Raises:
            EngineUnavailable: it can't be used, or another state of the library filled it.
            ModelMismatch: another model did.
        """
        self.link.changed()
        with self.catalog.snapshot() as snapshot:
            state = self.state(snapshot)
            if state.fault == "model":
                raise ModelMismatch(state.why)
            if state.fault in ("away", "state"):
                raise EngineUnavailable(state.why)
            every = count_vectors(snapshot.connection, self.space.id, state.covered, snapshot.generation)
        if not state.covered:
            self.clear()
        covered, done = state.covered, 0
        progress(done, every)
        while (portion := self._portion(covered)) is not None:
            mark, ids, values, gone = portion
            with self.store() as store:
                for part in _parts(gone):
                    store.remove(gone[part])
                for part in _parts(ids):
                    store.put(ids[part], values[part])
                    done += len(ids[part])
                    progress(done, max(every, done))
                store.settle(mark)
            covered = mark.commit.generation
        self.link.changed()

    def differing(self) -> Iterator[Damage]:
        """Compare what it holds with the catalog, value by value; yield what is wrong."""
        self.link.changed()
        with self.catalog.snapshot() as snapshot:
            state = self.state(snapshot)
            if state.why:
                yield Damage(self.label, state.why)
            elif state.covered:
                try:
                    yield from self._compared(snapshot.connection, state.covered)
                except EngineUnavailable as error:
                    yield Damage(self.label, str(error))

    def clear(self) -> None:
        """Remove it."""
        with self.store() as store:
            store.clear()
        self.link.changed()

    def clear_others(self, *, every: bool) -> None:
        """Remove the collections of this library's spaces that are no more, or of every space."""
        with self.catalog.snapshot() as snapshot:
            prefix = self._prefix(snapshot.commit)
            spaces = [] if every else every_space(snapshot.connection)
            kept = {self.name(snapshot.commit, space) for space in spaces}
            library = snapshot.commit.library
        if library:
            with self.store() as store:
                store.clear_others(prefix, kept)
            self.link.changed()

    def store(self) -> AbstractContextManager[VectorStore]:
        """Use the collection in the block; raise `EngineUnavailable` where it can't be."""
        with self.catalog.snapshot() as snapshot:
            return self.link.store(self.name(snapshot.commit))

    def _prefix(self, commit: Commit) -> str:
        """Return how the names of a library's collections begin."""
        return f"quarry_{_digest(commit.library, self.space.engine.by)[:16]}_"

    def _of(self, mark: Mark, connection: Connection) -> Standing:
        space, commit = self.space, mark.commit
        if (mark.identity, mark.dimension) != (space.identity, space.dimension):
            why = (
                f"{self.label} holds vectors of the model {mark.model} ({mark.identity[:24]}, {mark.dimension} "
                f"dimensions) and the library's are of {space.model} ({space.identity[:24]}, {space.dimension} "
                "dimensions): they are left as they are. Choose another place by `quarry engine NAME --uri URI`."
            )
            return Standing(why=why, fault="model")
        seen = newest(connection).generation
        known = has_had(connection, commit)
        if not known and commit.generation > seen:  # who began to read before that commit sees none of it
            with self.catalog.reading() as current:
                known = has_had(current, commit)
            # Its source, which fills the collection, goes on; of what is seen here, the collection lacks what is gone.
            known = known or self.catalog.replica is not None
        if not known:
            why = (
                f"{self.label} holds commit {commit.generation} of another state of this library, such as of before a "
                f"backup was restored. {_REPAIR}"
            )
            return Standing(why=why, fault="state")
        if mark.activation != space.activation or commit.generation < forgotten(connection):
            why = f"{self.label} is too far behind to be brought up to the library; `quarry compact` fills it anew."
            return Standing(why=why, fault="behind")
        return Standing(min(commit.generation, seen))

    def _portion(self, covered: int) -> tuple[Mark, Ids, np.ndarray, Ids] | None:
        """Return what comes next: its mark, what is new and what is gone; None where there is nothing."""
        with self.catalog.snapshot() as snapshot:
            if covered >= snapshot.generation:
                return None
            end = portion_end(snapshot.connection, covered, _PORTION) or snapshot.generation
            stored = read_vectors(snapshot.connection, self.space.id, self.space.dimension, covered, end)
            gone = deleted_between(snapshot.connection, covered, end) if covered else stored.ids[:0]
            return Mark.of(self.space, commit_of(snapshot.connection, end)), stored.ids, stored.values, gone

    def _compared(self, connection: Connection, covered: int) -> Iterator[Damage]:
        stored = read_vectors(connection, self.space.id, self.space.dimension, 0, covered)
        gone = deleted_since(connection, covered)
        missing = other = found = 0
        with self.store() as store:
            for part in _parts(stored.ids):
                ids, values = stored.ids[part], stored.values[part]
                there, read = store.read(ids)
                missing += len(ids) - len(there)
                other += int((values[np.searchsorted(ids, there)] != read).any(axis=1).sum())
                found += len(there)
            found += sum(len(store.read(gone[part])[0]) for part in _parts(gone))
            strays = store.count() - found
        what = {"are missing": missing, "are not what was written": other, "are of nothing in the library": strays}
        yield from (Damage(self.label, f"{count:,} vectors {said}") for said, count in what.items() if count)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _parts(ids: Ids) -> Iterator[slice]:
    for start in range(0, len(ids), _BATCH):
        yield slice(start, start + _BATCH)
