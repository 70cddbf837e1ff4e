"""The vectors of one generation, most of them elsewhere: what is found there is scored here, as everywhere.

The engine gives candidates, and the catalog their vectors: scores, ties and what is alive come from there, so that a
wrong or old answer of an engine can cost a hit but never make one up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.base import Unreached
from quarry.search.engines.exact import best, check_query
from quarry.search.engines.following.link import Link
from quarry.search.errors import EngineUnavailable
from quarry.search.fields.filters import EVERYTHING, Allowed
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.segment_rows import count_vectors, read_vectors, spread_ids, vectors_among
from quarry.search.stores.spaces import Space
from quarry.search.types import Candidates, Ids, Vectors

MOST = 100_000  # passages that are searched one by one where the engine can't be: a second, the first time
FEW = 1_000  # that a filter allows: reading them costs less than asking for them
LISTED = 20_000  # ids that an engine is given at once, and that are scored here rather: graphs miss what they list
WIDER = 2_000  # candidates that cost less than to score here what a filter allows
_SPARE = 32  # candidates more than half as many again as were asked for: what was deleted, and ties
_SAME = 1e-5  # what float32 may make of a score


@dataclass(frozen=True, slots=True, eq=False)
class FollowedView:
    """The vectors of a space at one generation. What is deleted after it is not found in it any more.

    Args:
        catalog, space, link, name: whose they are, and where: the collection's name.
        generation: that of the catalog.
        covered: up to which generation the collection is asked; 0 where it can't be, or holds nothing.
        ids, values: the (n,) ascending ids and (n, d) vectors of what is newer; () of what is too much to be read.
        said: what is wrong with the engine, and what that costs.
        lost: what went wrong since.
    """

    catalog: Catalog
    space: Space
    link: Link
    name: str
    generation: int
    covered: int
    ids: Ids
    values: NDArray[np.float16]
    said: tuple[str, ...] = ()
    lost: list[str] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many vectors there are."""
        if not self.counted:
            with self.catalog.snapshot() as snapshot:
                self.counted.append(count_vectors(snapshot.connection, self.space.id, 0, self.generation))
        return self.counted[0]

    @property
    def tail(self) -> int:
        """How many of them are not in the engine."""
        return len(self.ids)

    @property
    def segments(self) -> int:
        """One, where the engine holds some."""
        return int(self.covered > 0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the engine and what that costs, in words; () in health."""
        return (*self.said, *dict.fromkeys(self.lost))

    def search(self, query: Vectors, k: int, allowed: Allowed = EVERYTHING) -> Candidates:
        """Find the k nearest to one (d,) query among what is allowed.

        Raises:
            ValueError: the query has another dimension or is not finite.
        """
        check_query(query, self.space.dimension)
        query = query.astype(np.float32)
        ids, values = self.ids, self.values
        if allowed.ids is not None:
            kept = np.isin(ids, allowed.ids)
            ids, values = ids[kept], values[kept]
        newer = best(ids, scored(values, query), k)
        if not self.covered or k <= 0:
            return newer
        with self.catalog.snapshot() as snapshot:
            older = self._covered(snapshot.connection, query, k, allowed)
        return best(np.concatenate([newer.ids, older.ids]), np.concatenate([newer.scores, older.scores]), k)

    def vectors(self, ids: Ids) -> Vectors:
        """Return the (n, d) float32 vectors of (n,) ids, in their order; zeros where there is none."""
        vectors = np.zeros((len(ids), self.space.dimension), np.float32)
        with self.catalog.snapshot() as snapshot:
            stored = vectors_among(
                snapshot.connection, self.space.id, self.space.dimension, np.unique(ids), self.generation
            )
        if len(stored.ids):
            at = np.minimum(np.searchsorted(stored.ids, ids), len(stored.ids) - 1)
            known = stored.ids[at] == ids
            vectors[known] = stored.values[at[known]]
        return vectors

    def sample(self, about: int) -> Vectors:
        """Return (n, d) float32 vectors spread evenly over all."""
        step = max(1, self.count // about)
        with self.catalog.snapshot() as snapshot:
            ids = spread_ids(snapshot.connection, self.space.id, self.generation, step)
            return self.vectors(ids)

    def _covered(self, connection: Connection, query: Vectors, k: int, allowed: Allowed) -> Candidates:
        """Find the nearest of what the engine holds."""
        inside = None if allowed.ids is None else np.setdiff1d(allowed.ids, self.ids, assume_unique=True)
        if inside is not None and len(inside) <= FEW:
            return self._among(connection, query, k, inside)
        try:
            found = self._found(connection, query, k, inside)
        except EngineUnavailable as error:
            found, said = self._without(connection, query, k, inside)
            self.lost.append(Unreached(f"{error} {said}"))
            return found
        # An engine may find fewer than there are, where a filter leaves little of its graph.
        if len(found) < k and len(found) < (self.count - self.tail if inside is None else len(inside)):
            every = self._without(connection, query, k, inside)[0]
            return every if len(every) > len(found) else found
        return found

    def _found(self, connection: Connection, query: Vectors, k: int, inside: Ids | None) -> Candidates:
        asked, most = k + k // 2 + _SPARE, self._most()
        if inside is not None:
            wider = int(asked * max(1.0, self.count / len(inside)))
            reach = min(most, WIDER if len(inside) <= LISTED else most)
            if wider <= reach:
                found = self._deeper(connection, query, k, wider, reach, None, inside)
                if len(found) >= k:
                    return found
            if len(inside) <= LISTED:
                return self._among(connection, query, k, inside)
            parts = [self._deeper(connection, query, k, 2 * k, most, part, None) for part in _parts(inside)]
            ids = np.concatenate([part.ids for part in parts])
            return best(ids, np.concatenate([part.scores for part in parts]), k)
        return self._deeper(connection, query, k, asked, most, None, None)

    def _deeper(
        self,
        connection: Connection,
        query: Vectors,
        k: int,
        asked: int,
        most: int,
        among: Ids | None,
        kept: Ids | None,
    ) -> Candidates:
        """Ask for more until nothing that was not found can be among the k best: what is dead or not kept, and ties.

        Args:
            among: where the engine looks, None for everywhere.
            kept: of what it finds, what counts; None for all.
        """
        while True:
            depth = min(asked, most)
            with self.link.store(self.name) as store:
                ids = store.nearest(query, depth, among)
            stored = vectors_among(
                connection, self.space.id, self.space.dimension, np.unique(ids), min(self.covered, self.generation)
            )
            scores = scored(stored.values, query)
            counts = np.ones(len(scores), bool) if kept is None else np.isin(stored.ids, kept)
            found = best(stored.ids[counts], scores[counts], k)
            least = scores.min(initial=np.float32(np.inf))
            if len(ids) < depth or depth == most or (len(found) == k and found.scores[-1] > least + _SAME):
                return found
            asked = 4 * depth

    def _most(self) -> int:
        with self.link.store(self.name) as store:
            return store.most

    def _without(self, connection: Connection, query: Vectors, k: int, inside: Ids | None) -> tuple[Candidates, str]:
        """Search what the engine holds in the catalog, where that is not too much; say what was done."""
        count = count_vectors(connection, self.space.id, 0, self.covered) if inside is None else len(inside)
        if count > MOST:
            return Candidates.empty(), words_alone(count)
        if inside is not None:
            return self._among(connection, query, k, inside), one_by_one(count)
        stored = read_vectors(connection, self.space.id, self.space.dimension, 0, self.covered)
        return best(stored.ids, scored(stored.values, query), k), one_by_one(count)

    def _among(self, connection: Connection, query: Vectors, k: int, ids: Ids) -> Candidates:
        stored = vectors_among(connection, self.space.id, self.space.dimension, ids, self.covered)
        return best(stored.ids, scored(stored.values, query), k)


def scored(values: NDArray[np.float16], query: Vectors) -> NDArray[np.float32]:
    """Return the inner products of (n, d) vectors with a query: the same for a vector whatever stands around it.

    A product of matrices is not: it sums in another order at the end of a block.
    """
    scores: NDArray[np.float32] = np.einsum("nd,d->n", values.astype(np.float32), query)
    return scores


def _parts(ids: Ids) -> Iterator[Ids]:
    for start in range(0, len(ids), LISTED):
        yield ids[start : start + LISTED]


def one_by_one(count: int) -> str:
    """Say what it costs that an engine can't be used for so many passages: time."""
    return f"Until then its {count:,} passages are searched one by one."


def words_alone(count: int) -> str:
    """Say what it costs that an engine can't be used for more passages than are searched one by one."""
    return f"Until then its {count:,} passages are found by their words alone."
