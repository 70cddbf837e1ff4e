"""Unit vectors -> which are near to each other, and which to none: pure functions, for a whole library at once.

How far an item is from its k-th neighbour says how little it belongs (Ramaswamy, Rastogi and Shim 2000, "Efficient
Algorithms for Mining Outliers from Large Data Sets"). Of many items the neighbours are looked for in a sample: outliers
are found in one as well as among all (Sugiyama and Borgwardt 2013, "Rapid Distance-Based Outlier Detection via
Sampling").

Pairs are looked for in cells, one around each of some of the items as in an inverted file (Jégou, Douze and Schmid
2011, "Product Quantization for Nearest Neighbor Search"); each item is in the cells that it is nearest to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.alike.duplicates import Pairs
from quarry.search.requests import deadline
from quarry.search.types import Ids, Vectors

NEIGHBOUR = 5  # the one that counts: up to four strangers of a kind are found together
SAMPLE = 8_192  # items among which neighbours are looked for
FEWEST = 20  # items below which nobody can tell what belongs
_BLOCK = 1_024
_ONE_CELL = 4_096  # items that are all compared with each other
_CELLS = 4  # that each item is in, of many


@dataclass(frozen=True, slots=True)
class Belonging:
    """How far items are from the others.

    Args:
        distances: (n,) 1 - cosine to the k-th neighbour.
        spreads: (n,) how many spreads that is above what is usual among them; a spread is told by the upper half of
            the distances, of which what is unusual itself hardly moves the median.
        nearest: (n,) the nearest other item, by its place.
    """

    distances: NDArray[np.float32]
    spreads: NDArray[np.float32]
    nearest: Ids


def belonging(vectors: Vectors, neighbour: int = NEIGHBOUR) -> Belonging:
    """Return how far each of (n, d) unit vectors is from the others; n is at least `FEWEST`."""
    count = len(vectors)
    chosen = np.arange(count) if count <= SAMPLE else np.sort(np.random.default_rng(0).permutation(count)[:SAMPLE])
    sample = vectors[chosen]
    place = np.full(count, -1)
    place[chosen] = np.arange(len(chosen))
    distances, nearest = np.empty(count, np.float32), np.empty(count, np.int64)
    for start in range(0, count, _BLOCK):
        deadline.check()
        near = vectors[start : start + _BLOCK] @ sample.T
        own = place[start : start + _BLOCK]
        near[np.flatnonzero(own >= 0), own[own >= 0]] = -2  # nobody is their own neighbour
        nearest[start : start + _BLOCK] = chosen[near.argmax(axis=1)]
        kth = np.partition(near, -neighbour, axis=1)[:, -neighbour]
        distances[start : start + _BLOCK] = 1 - kth
    middle = float(np.median(distances))
    above = distances[distances > middle] - middle
    spread = max(float(np.median(above)) * 1.4826, 1e-3) if len(above) else 1e-3  # of a normal one, by its upper half
    return Belonging(distances, np.asarray((distances - middle) / spread, np.float32), nearest)


def pairs(vectors: Vectors, least: float) -> Pairs:
    """Return pairs of (n, d) unit vectors whose cosine is at least so high, each once, the earlier one first.

    An item is compared with those before it that are like none before them: with more than `_ONE_CELL` items, those of
    its cells, so that a few pairs are missed.
    """
    ones, others, found = list[Ids](), list[Ids](), list[NDArray[np.float32]]()
    for members in _cells(vectors):
        for one, other, alike in _within(vectors, members, least):
            ones.append(one)
            others.append(other)
            found.append(alike)
    if not ones:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    first, second, alike = np.concatenate(ones), np.concatenate(others), np.concatenate(found)
    _, kept = np.unique(first * len(vectors) + second, return_index=True)
    return first[kept], second[kept], alike[kept]


def _cells(vectors: Vectors) -> Iterator[Ids]:
    """Yield the places, in order, of the items of each cell."""
    count = len(vectors)
    if count <= _ONE_CELL:
        yield np.arange(count)
        return
    middles = vectors[np.random.default_rng(0).permutation(count)[: round(count**0.5)]]
    nearest = np.empty((count, _CELLS), np.int64)
    for start in range(0, count, _BLOCK):
        deadline.check()
        near = vectors[start : start + _BLOCK] @ middles.T
        nearest[start : start + _BLOCK] = np.argpartition(near, -_CELLS, axis=1)[:, -_CELLS:]
    order = np.argsort(nearest.ravel(), kind="stable")
    cells = nearest.ravel()[order]
    for members in np.split(order // _CELLS, np.flatnonzero(np.diff(cells)) + 1):
        yield np.sort(members)


def _within(vectors: Vectors, members: Ids, least: float) -> Iterator[tuple[Ids, Ids, NDArray[np.float32]]]:
    """Yield pairs of one cell: of each item the first one before it that is like it, and like none itself."""
    leaders = np.empty(0, np.int64)
    for start in range(0, len(members), _BLOCK):
        deadline.check()
        block = members[start : start + _BLOCK]
        left = np.ones(len(block), np.bool_)
        for begin in range(0, len(leaders), _BLOCK):
            some = leaders[begin : begin + _BLOCK]
            waiting = np.flatnonzero(left)
            near = vectors[block[waiting]] @ vectors[some].T
            first = (near >= least).argmax(axis=1)
            alike = near[np.arange(len(waiting)), first]
            enough = alike >= least
            yield some[first[enough]], block[waiting[enough]], alike[enough]
            left[waiting[enough]] = False
        block = block[left]
        near = np.triu(vectors[block] @ vectors[block].T, 1)
        is_leader = np.ones(len(block), np.bool_)
        for one in np.flatnonzero((near >= least).any(axis=1)):
            if is_leader[one]:
                like = np.flatnonzero((near[one] >= least) & is_leader)
                is_leader[like] = False
                yield np.full(len(like), block[one]), block[like], near[one, like]
        leaders = np.concatenate([leaders, block[is_leader]])
