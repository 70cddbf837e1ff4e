"""Fuse what the semantic and the lexical retriever found into one ranking: pure functions over arrays.

1. *Pool.* The union of the first `DEPTH` of each. Every passage gets the exact scores of both retrievers: one that
   only one of them found is not taken for worthless to the other.
2. *Evidence on scales that do not depend on what else was found*, so that a retriever with nothing to say is not made
   loud: stretched from its best to its last, a list of near ties would say as much as one with a clear winner.
   Meaning counts by how many spreads a cosine lies above those of texts that have nothing to do with each other, `FAR`
   of them being 1. Words count by the mean of two numbers: the share of the query's words that the passage holds,
   weighed by how rare they are, and BM25, which knows how often, over the geometric mean of the best score and of what
   the words weigh in all. (Of a long query no passage has every word; over the weight alone, its words would be mute.)
   Both are averaged. A passage in another language can't hold the query's words, and that it does not says nothing of
   it: unless it holds more, it is given as much for its meaning as words give the first passages in the query's own.
3. *Neighbours* (score regularization, Diaz 2005). By the cluster hypothesis a passage is as likely to be relevant as
   the passages it resembles. What it lacks of 1 by its own evidence it is judged by its `NEIGHBOURS` nearest in the
   pool, weighted by the fourth power of the cosine. So topics rise where no passage says it all, and a passage
   that does is not outvoted. Copies (a cosine above `SAME`) are no neighbours: they would vouch for each other.
4. *Singled out.* Passages that hold at least half of what the query asks for in words, and twice as much as any other,
   come first as they are: so the one with an error number or a name is not outvoted by its topic.

The constants lie on a broad plateau; the tables are in `docs/benchmarks.md`, made by `benchmarks/fusion.py`: over
collections with many relevant passages to a query, and over questions that one passage answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.relevance import Null
from quarry.search.types import MAX_REACH, Candidates, Ids, Vectors, distinct

DEPTH = 100
DENSE_WEIGHT = 0.5
FAR = 7.5
NEIGHBOURS = 10
FIRST = 10  # passages in the query's language, by which it is told how loud its words are
SAME = 0.98
SINGLED_OUT = 3
_DECIMALS = 6
_STRANGERS = 0.02  # the fourth power of a cosine, below which two passages have little to do with each other
_ONE_THREAD = 2**18  # multiplications up to which OpenBLAS keeps to the thread that asks

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """What scores mean.

    Args:
        null: of cosines.
        weight: the sum of the idf of the query's words.
        dense_weight: what meaning counts for; 0 where the encoder does not know the query's script, and vectors are
            then not used at all.
    """

    null: Null
    weight: float
    dense_weight: float = DENSE_WEIGHT

    def meaning(self, cosines: Scores) -> NDArray[np.float64]:
        """Scale (n,) cosines: 0 is chance, and so is what has no vector."""
        return np.where(cosines == 0, 0.0, self.null.distance(cosines) / FAR)

    def words(self, scores: Scores, held: Scores, best: float) -> NDArray[np.float64]:
        """Scale (n,) BM25 scores and shares of the query's words; `best` is the highest score of all."""
        usual = max(best * self.weight, 1e-9) ** 0.5
        return np.asarray((scores.astype(np.float64) / usual + held) / 2, np.float64)

    def own(
        self, cosines: Scores, scores: Scores, held: Scores, best: float, others: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Average both; `others` are (n,), whether passages are in other languages than the query."""
        words, meaning = self.words(scores, held, best), self.meaning(cosines)
        if others is not None and others.any():
            words = np.where(others, np.maximum(words, self._expected(words, meaning, ~others)), words)
        return self.dense_weight * meaning + (1 - self.dense_weight) * words

    def _expected(
        self, words: NDArray[np.float64], meaning: NDArray[np.float64], told: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return what words would say of passages, by their meaning, as they do of the first of those `told`.

        Where there are none of these, meaning alone counts: what words there are in common stand there by chance.
        """
        own = np.where(told, self.dense_weight * meaning + (1 - self.dense_weight) * words, -np.inf)
        first = np.argsort(-own, kind="stable")[: min(FIRST, int(told.sum()))]
        said, meant = words[first].sum(), np.maximum(meaning[first], 0).sum()
        return np.asarray(min(1.0, said / max(meant, 1e-9)) if len(first) else 1.0) * np.maximum(meaning, 0)


@dataclass(frozen=True, slots=True)
class Fused:
    """A fused ranking, best first, and for every passage what it was made of; all arrays are (n,).

    `semantic` is the cosine, `lexical` the BM25 score (0: no word in common), `held` the share of the query's words
    that the passage holds. `own` is the evidence before the neighbours had their say, `singled_out` whether the words
    put it first, `others` whether it is in another language than the query.
    """

    ids: Ids
    scores: Scores
    semantic: Scores
    lexical: Scores
    held: Scores
    own: Scores
    singled_out: NDArray[np.bool_]
    others: NDArray[np.bool_]

    @property
    def candidates(self) -> Candidates:
        """The ranking alone."""
        return Candidates(self.ids, self.scores)


class Meaning(Protocol):
    """What knows the vectors of passages."""

    def stored(self, ids: Ids) -> Vectors:
        """Return (n, d) unit vectors, zeros where a passage has none."""
        ...

    def scores(self, stored: Vectors) -> Scores:
        """Return the (n,) cosines of such vectors to the query."""
        ...


class Languages(Protocol):
    """What knows the languages of passages."""

    def are_others(self, ids: Ids) -> NDArray[np.bool_]:
        """Return (n,), whether they are in other ones than the query."""
        ...


class Discounts(Protocol):
    """What knows the boilerplate of passages."""

    def factors(self, ids: Ids) -> NDArray[np.float64]:
        """Return (n,), what passages count for, 0..1."""
        ...


class Words(Protocol):
    """What knows the words of passages."""

    def scores_for(self, ids: Ids) -> Scores:
        """Return (n,) exact BM25 scores."""
        ...

    def held_by(self, ids: Ids) -> Scores:
        """Return (n,) shares of the query's words, 0..1; far above 1 where a whole field is what is asked."""
        ...


def hybrid(
    dense: Candidates,
    lexical: Candidates,
    meaning: Meaning | None,
    words: Words,
    scale: Scale,
    languages: Languages | None = None,
    discount: Discounts | None = None,
) -> Fused:
    """Fuse the answers to one query.

    Args:
        dense, lexical: at least `DEPTH` of each where there are as many; what is beyond is not looked at, so that the
            ranking does not depend on how much was asked for.
        meaning: None where no model knows the query.
        languages: None where all passages are in the query's.

    Returns:
        at most twice `DEPTH` passages; `extend` gives what comes after.
    """
    if meaning is None or scale.dense_weight <= 0 or len(dense) == 0:
        head = _head(lexical)
        blank, held = np.zeros(len(head), np.float32), _held(head.ids, lexical, words)
        return Fused(head.ids, head.scores, blank, head.scores, held, head.scores, singled_out(held), blank > 0)
    ids = pool(dense, lexical)
    vectors = meaning.stored(ids)
    semantic = meaning.scores(vectors)
    bm25, held = _filled(ids, lexical, words), _held(ids, lexical, words)
    others = np.zeros(len(ids), np.bool_) if languages is None else languages.are_others(ids)
    own = scale.own(semantic, bm25, held, _best(lexical), others)
    singled = singled_out(held)
    final = np.where(singled, 1 + own, smooth(own, vectors))
    if discount is not None:
        final = np.where(final > 0, final * discount.factors(ids), final)
    final = final.round(_DECIMALS)
    order = np.lexsort((ids, -final))
    return Fused(
        ids[order],
        final[order].astype(np.float32),
        semantic[order],
        bm25[order],
        held[order],
        own[order].astype(np.float32),
        singled[order],
        others[order],
    )


def extend(fused: Fused, dense: Candidates, lexical: Candidates, scale: Scale) -> Candidates:
    """Append to a fused ranking what deeper lists have beyond it, by the evidence that they have.

    For pages far down, where neither exact scores of everything nor neighbours are worth their cost.
    """
    ids = np.setdiff1d(np.union1d(dense.ids, lexical.ids), fused.ids)
    if scale.dense_weight <= 0:
        ids = np.setdiff1d(lexical.ids, fused.ids)
    if len(ids) == 0:
        return fused.candidates
    words = _listed(ids, lexical)
    held = np.minimum(words / max(scale.weight, 1e-6), 1).astype(np.float32)
    values = scale.own(_listed(ids, dense), words, held, _best(lexical))
    order = np.lexsort((ids, -values))
    lowest = fused.scores[-1] if len(fused.scores) else np.float32(0)
    below = lowest - 1e-4 - (values[order[0]] - values[order])
    scores = np.concatenate([fused.scores, below.astype(np.float32)])
    return Candidates(np.concatenate([fused.ids, ids[order]]), scores)


def beyond(ids: Ids, dense: Candidates, lexical: Candidates, weight: float) -> tuple[Scores, Scores]:
    """Return what deep lists tell of (n,) ids: cosines, 0 without a vector, and about what share of words they hold.

    Where a list has no room for more, what it lacks counts like its last.

    Args:
        weight: the sum of the idf of the query's words.
    """
    found = [
        np.where(np.isin(ids, one.ids), _listed(ids, one), one.scores[-1] if len(one) >= MAX_REACH else 0)
        if len(one)
        else np.zeros(len(ids))
        for one in (dense, lexical)
    ]
    return found[0].astype(np.float32), np.minimum(found[1] / max(weight, 1e-6), 1).astype(np.float32)


def pool(dense: Candidates, lexical: Candidates) -> Ids:
    """List, ascending, the ids that either retriever has among its first `DEPTH`."""
    return distinct(np.concatenate([_head(dense).ids, _head(lexical).ids]))


def smooth(own: NDArray[np.float64], vectors: Vectors) -> NDArray[np.float64]:
    """Move (n,) evidence towards that of the nearest of (n, d) unit vectors, the less the more of it there is.

    Passages without near ones stay.
    """
    if len(own) < 2:
        return own
    near = np.maximum(_cosines(vectors), 0)
    near[near > SAME] = 0  # itself, too
    near = np.square(np.square(near))  # `**` takes ten times as long
    if len(own) > NEIGHBOURS:
        least = np.partition(near, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS]
        near[near < least[:, None]] = 0
    total = near.sum(axis=1)
    trust = total / (total + _STRANGERS) if len(own) <= NEIGHBOURS else 1.0  # of so few, strangers may be the nearest
    # Not a matrix product: for one as small as this, BLAS wakes its threads, and waits for them on a busy machine.
    around = np.divide((near * own).sum(axis=1), total, out=own.copy(), where=total > 0)
    return np.asarray(own + trust * np.clip(1 - own, 0, 1) * (around - own), np.float64)


def _cosines(vectors: Vectors) -> Vectors:
    """Return the (n, n) cosines of (n, d) unit vectors to each other.

    They are multiplied in tiles too small for BLAS to wake its threads, for which it waits on a busy machine a hundred
    times longer than the product takes.
    """
    count, width = vectors.shape
    tile = max(1, math.isqrt(_ONE_THREAD // width))
    tiles = -(-count // tile)
    padded = np.zeros((tiles * tile, width), np.float32)
    padded[:count] = vectors
    rows = padded.reshape(tiles, tile, width)
    products = np.matmul(rows[:, None], rows.transpose(0, 2, 1))
    cosines: Vectors = products.transpose(0, 2, 1, 3).reshape(tiles * tile, tiles * tile)[:count, :count]
    return cosines


def singled_out(held: Scores) -> NDArray[np.bool_]:
    """Mark the few passages whose (n,) share of the query's words is at least a half, and over twice any other's."""
    ranked = -np.sort(-held)[: SINGLED_OUT + 1]
    following = np.append(ranked[1:], 0) if len(ranked) <= SINGLED_OUT else ranked[1:]
    for share, after in zip(ranked, following, strict=False):
        if share >= 0.5 and share > 2 * after:
            return np.asarray(held >= share, np.bool_)
    return np.zeros(len(held), np.bool_)


def _head(candidates: Candidates) -> Candidates:
    return Candidates(candidates.ids[:DEPTH], candidates.scores[:DEPTH])


def _best(candidates: Candidates) -> float:
    return float(candidates.scores[0]) if len(candidates) else 0.0


def _filled(ids: Ids, lexical: Candidates, words: Words) -> Scores:
    """Scores of all ids: those found as they are; the others match no term where the list ended before its depth."""
    scores = np.zeros(len(ids), np.float32)
    head = _head(lexical)
    at = np.searchsorted(ids, head.ids)
    scores[at] = head.scores
    if len(head) == DEPTH:
        missing = np.ones(len(ids), np.bool_)
        missing[at] = False
        if missing.any():
            scores[missing] = words.scores_for(ids[missing])
    return scores


def _held(ids: Ids, lexical: Candidates, words: Words) -> Scores:
    """Shares of the query's words; none is held where none is found."""
    return np.asarray(words.held_by(ids), np.float32) if len(ids) and len(lexical) else np.zeros(len(ids), np.float32)


def _listed(ids: Ids, candidates: Candidates) -> Scores:
    """Return what a list says of ids; one that it lacks counts like its last."""
    if len(candidates) == 0:
        return np.zeros(len(ids), np.float32)
    by_id = np.argsort(candidates.ids)
    at = by_id[np.minimum(np.searchsorted(candidates.ids[by_id], ids), len(by_id) - 1)]
    return np.where(candidates.ids[at] == ids, candidates.scores[at], candidates.scores[-1]).astype(np.float32)
