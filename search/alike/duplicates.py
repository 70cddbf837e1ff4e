"""Sketches -> groups of documents that are the same or nearly the same: pure functions, in time that is linear in them.

Documents come in the order in which they are kept: of two that are alike the first. A group is one that is kept, and
those that are like *it*: chains, whose ends have little in common, are none. Who is compared with whom is found by keys
that copies have in common (locality-sensitive hashing, Indyk and Motwani 1998). Where many have one, as a form that was
filled in a hundred thousand times does, each is compared with the first few of them alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.alike.sketches import Sketches
from quarry.search.requests import deadline
from quarry.search.types import Ids

LEADERS = 4  # of those that share a key, that all others are compared with

Pairs = tuple[Ids, Ids, NDArray[np.float32]]  # (m,) firsts, (m,) seconds, how alike they are


@dataclass(frozen=True, slots=True)
class Alike:
    """A group, by the places of its documents: the one to keep, and the others, in order.

    Args:
        alike: how alike each of the others is to it, 0..1.
        same: whether it is the very same.
    """

    keep: int
    others: Ids
    alike: NDArray[np.float32]
    same: NDArray[np.bool_]


def groups(sketches: Sketches, least: float, pairs: Pairs | None = None) -> list[Alike]:
    """Return the groups of documents that are at least so much alike, by the places of those that are kept.

    Args:
        sketches: in the order of what is rather kept.
        least: above 0, at most 1: the very same alone.
        pairs: that are so much alike, where they were found otherwise than by keys.
    """
    if not len(sketches):
        return []
    equal = sketches.equal()
    _, first, inverse = np.unique(equal, return_index=True, return_inverse=True)
    stands_for = first[inverse]  # of those that are the same, the first
    keeper = np.arange(len(sketches))
    if pairs is None and least < 1:
        pairs = _pairs(sketches, np.sort(first), least)
    if pairs is not None:
        keeper = _kept(len(sketches), pairs, sketches, least)
    keeper = keeper[stands_for]
    order = np.argsort(keeper, kind="stable")
    ends = np.flatnonzero(np.diff(keeper[order])) + 1
    found = []
    for members in np.split(order, ends):
        if len(members) > 1:
            keep, others = int(members[0]), members[1:]
            same = equal[others] == equal[keep]
            alike = np.where(same, np.float32(1), sketches.alike(np.full(len(others), keep), others))
            found.append(Alike(keep, others, alike.astype(np.float32), same))
    return found


def _kept(count: int, pairs: Pairs, sketches: Sketches, least: float) -> Ids:
    """Return (n,) which document is kept for each: itself, or the first that it was found to be like."""
    keeper = np.arange(count)
    further: list[tuple[int, int]] = []  # what a document that is not kept was compared with
    order = np.lexsort((pairs[1], pairs[0]))
    for one, other in zip(pairs[0][order].tolist(), pairs[1][order].tolist(), strict=True):
        if keeper[other] != other:
            continue
        if keeper[one] == one:
            keeper[other] = one
        else:
            further.append((int(keeper[one]), other))
    leads = np.zeros(count, np.bool_)
    leads[keeper[keeper != np.arange(count)]] = True
    left = [(one, other) for one, other in further if keeper[other] == other and not leads[other]]
    if left:
        ones, others = np.array(left, np.int64).T
        enough = sketches.alike(ones, others) >= least
        keeper[others[enough]] = ones[enough]
    return keeper


def _pairs(sketches: Sketches, of: Ids, least: float) -> Pairs:
    """Return pairs that are alike among those that share a key, each once, the one that is rather kept first."""
    found: list[tuple[Ids, Ids]] = []
    is_found = np.zeros(len(sketches), np.bool_)  # as like one that is rather kept: it is compared with no more
    for keys in sketches.keys(of):
        deadline.check()
        for ones, others in _of_band(sketches, of, keys, is_found, least):
            found.append((ones, others))
            is_found[others] = True
    if not found:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, np.empty(0, np.float32)
    ones, others = (np.concatenate(parts) for parts in zip(*found, strict=True))
    each = np.unique(ones * len(sketches) + others)
    ones, others = each // len(sketches), each % len(sketches)
    return ones, others, sketches.alike(ones, others)


def _of_band(
    sketches: Sketches, of: Ids, keys: NDArray[np.uint64], is_found: NDArray[np.bool_], least: float
) -> Iterator[tuple[Ids, Ids]]:
    """Compare those that share a key with the first of them, and those that are not like it with the next."""
    order = np.argsort(keys, kind="stable")
    members, shared = of[order], keys[order]
    for _ in range(LEADERS):
        begins = np.ones(len(members), np.bool_)
        begins[1:] = shared[1:] != shared[:-1]
        leaders = members[begins][np.cumsum(begins) - 1]
        left = ~begins & ~is_found[members]
        members, shared, leaders = members[left], shared[left], leaders[left]
        if not len(members):
            return
        enough = sketches.alike(leaders, members) >= least
        yield leaders[enough], members[enough]
        members, shared = members[~enough], shared[~enough]
