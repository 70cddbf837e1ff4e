"""Fuse what the semantic and the lexical retriever found into one ranking: pure functions over arrays.

1. *Pool.* The union of the first `DEPTH` of each. Every passage gets the exact score of both retrievers: one that
   only one of them found is not taken for worthless to the other.
2. *Convex combination* (Bruch, Gai and Ingber 2023). Each retriever's scores are scaled so that its best is 1 and its
   `DEPTH`-th is 0 (no match at all is 0 where fewer matched), bounded below, and averaged with nearly equal weights.
3. *Score regularization* (Diaz 2005), which puts the cluster hypothesis to use: a passage is as likely to be relevant
   as the passages it resembles. Its score moves by `SMOOTHING` towards the mean of its `NEIGHBOURS` nearest in the
   pool, weighted by the cosine to the power `SHARPNESS`, so that in a mixed library only close ones count for much.
4. *Singled out.* Passages that hold most of what the query asks for in words, at least twice as much as any other,
   come first as they are: so the one passage with an error number or a name is not outvoted by its topic.

The constants lie on a broad plateau; the tables are in `docs/benchmarks.md`, made by `benchmarks/fusion.py`.
Feedback (Rocchio on vectors, RM3 on words) was tried as well: on top of step 3 it gains little or nothing where many
passages are relevant, and loses where one is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.types import Candidates, Ids, Vectors, distinct

DEPTH = 100
DENSE_WEIGHT = 0.45
NEIGHBOURS = 20
SMOOTHING = 0.4
SHARPNESS = 4
LOWEST = -0.5
SINGLED_OUT = 3
_DECIMALS = 6

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fused:
    """A fused ranking, best first, and for every passage what it was made of; all arrays are (n,).

    `semantic` is the cosine and `lexical` the BM25 score (0: no word in common). `own` is the convex combination
    before the neighbours had their say.
    """

    ids: Ids
    scores: Scores
    semantic: Scores
    lexical: Scores
    own: Scores

    @property
    def candidates(self) -> Candidates:
        """The ranking alone."""
        return Candidates(self.ids, self.scores)


def hybrid(
    query: Vectors,
    dense: Candidates,
    lexical: Candidates,
    vectors_for: Callable[[Ids], Vectors],
    scores_for: Callable[[Ids], Scores],
    *,
    weight: float,
    dense_weight: float = DENSE_WEIGHT,
) -> Fused:
    """Fuse the answers to one query.

    Args:
        query: (d,) unit vector.
        dense, lexical: at least `DEPTH` of each where there are as many; what is beyond is not looked at, so that the
            ranking does not depend on how much was asked for.
        vectors_for: ids -> (n, d) stored vectors, zeros where a passage has none.
        scores_for: ids -> (n,) exact BM25 scores.
        weight: the sum of the idf of the query's terms.
        dense_weight: 0 where the encoder does not know the query's script; its vectors are then not used at all.

    Returns:
        at most twice `DEPTH` passages; `extend` gives what comes after.
    """
    if dense_weight <= 0 or len(dense) == 0:
        head = _head(lexical)
        blank = np.zeros(len(head), np.float32)
        return Fused(head.ids, head.scores, blank, head.scores, head.scores)
    ids = pool(dense, lexical)
    vectors = vectors_for(ids)
    semantic = np.asarray(vectors @ query, np.float32)
    words = _filled(ids, lexical, scores_for)
    own = dense_weight * _scaled(semantic, dense) + (1 - dense_weight) * _scaled(words, lexical)
    final = smooth(own, vectors)
    final = np.where(singled_out(words, weight), 1 + own, final).round(_DECIMALS)
    order = np.lexsort((ids, -final))
    return Fused(
        ids[order],
        final[order].astype(np.float32),
        semantic[order],
        words[order],
        own[order].astype(np.float32),
    )


def extend(fused: Fused, dense: Candidates, lexical: Candidates, dense_weight: float = DENSE_WEIGHT) -> Candidates:
    """Append to a fused ranking what deeper lists have beyond it, by the convex combination of what they know.

    For pages far down, where neither exact scores of everything nor neighbours are worth their cost.
    """
    ids = np.setdiff1d(np.union1d(dense.ids, lexical.ids), fused.ids)
    if dense_weight <= 0:
        ids = np.setdiff1d(lexical.ids, fused.ids)
    if len(ids) == 0:
        return fused.candidates
    values = dense_weight * _listed(ids, dense) + (1 - dense_weight) * _listed(ids, lexical)
    order = np.lexsort((ids, -values))
    lowest = fused.scores[-1] if len(fused.scores) else np.float32(0)
    below = lowest - 1e-4 - (values[order[0]] - values[order])
    scores = np.concatenate([fused.scores, below.astype(np.float32)])
    return Candidates(np.concatenate([fused.ids, ids[order]]), scores)


def pool(dense: Candidates, lexical: Candidates) -> Ids:
    """List, ascending, the ids that either retriever has among its first `DEPTH`."""
    return distinct(np.concatenate([_head(dense).ids, _head(lexical).ids]))


def smooth(scores: NDArray[np.float64], vectors: Vectors) -> NDArray[np.float64]:
    """Move (n,) scores towards those of the nearest of (n, d) unit vectors. Passages without near ones stay."""
    if len(scores) < 2:
        return scores
    near = np.maximum(vectors @ vectors.T, 0) ** SHARPNESS
    np.fill_diagonal(near, 0)
    if len(scores) > NEIGHBOURS:
        least = np.partition(near, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS]
        near[near < least[:, None]] = 0
    total = near.sum(axis=1)
    # Not a matrix product: for one as small as this, BLAS wakes its threads, and waits for them on a busy machine.
    around = np.divide((near * scores).sum(axis=1), total, out=scores.copy(), where=total > 0)
    return np.asarray((1 - SMOOTHING) * scores + SMOOTHING * around, np.float64)


def singled_out(lexical: Scores, weight: float) -> NDArray[np.bool_]:
    """Mark the few passages whose (n,) BM25 scores reach half of the query's `weight` and twice any other's."""
    ranked = -np.sort(-lexical)[: SINGLED_OUT + 1]
    following = np.append(ranked[1:], 0) if len(ranked) <= SINGLED_OUT else ranked[1:]
    for score, after in zip(ranked, following, strict=False):
        if score > 0 and score >= weight / 2 and score > 2 * after:
            return np.asarray(lexical >= score, np.bool_)
    return np.zeros(len(lexical), np.bool_)


def _head(candidates: Candidates) -> Candidates:
    return Candidates(candidates.ids[:DEPTH], candidates.scores[:DEPTH])


def _filled(ids: Ids, lexical: Candidates, scores_for: Callable[[Ids], Scores]) -> Scores:
    """Scores of all ids: those found as they are; the others match no term where the list ended before its depth."""
    scores = np.zeros(len(ids), np.float32)
    head = _head(lexical)
    at = np.searchsorted(ids, head.ids)
    scores[at] = head.scores
    if len(head) == DEPTH:
        missing = np.ones(len(ids), np.bool_)
        missing[at] = False
        if missing.any():
            scores[missing] = scores_for(ids[missing])
    return scores


def _range(candidates: Candidates) -> tuple[float, float]:
    """The score that counts as 0 and the distance from there to 1.

    Where a list ends before its depth, nothing else matched, and 0 means what it says. The distance is at least a
    tenth of the best score, so that a list of near ties is not torn apart.
    """
    head = _head(candidates).scores
    if len(head) == 0:
        return 0.0, 1.0
    lowest = float(head[-1]) if len(head) == DEPTH else min(0.0, float(head[-1]))
    return lowest, max(float(head[0]) - lowest, abs(float(head[0])) / 10, 1e-6)


def _scaled(scores: Scores, candidates: Candidates) -> NDArray[np.float64]:
    lowest, width = _range(candidates)
    return np.maximum((scores.astype(np.float64) - lowest) / width, LOWEST)


def _listed(ids: Ids, candidates: Candidates) -> NDArray[np.float64]:
    """Scale what a list says of ids; one that it lacks counts like its last."""
    if len(candidates) == 0:
        return np.zeros(len(ids))
    lowest, width = _range(candidates)
    by_id = np.argsort(candidates.ids)
    at = by_id[np.minimum(np.searchsorted(candidates.ids[by_id], ids), len(by_id) - 1)]
    scores = np.where(candidates.ids[at] == ids, candidates.scores[at], candidates.scores[-1])
    return np.asarray((scores.astype(np.float64) - lowest) / width, np.float64)
