"""Retrievers: what finds chunks for one query, each in one way. A ranking is made of what they find.

A *dense* one goes by meaning, in one vector space or in several of a medium together; the *lexical* one by words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.language.scripts import knows
from quarry.search.queries.query import Query
from quarry.search.ranking import fusion
from quarry.search.relevance import Null
from quarry.search.requests.timing import Stage
from quarry.search.types import MAX_REACH, Candidates, Ids, Vectors, distinct
from quarry.search.views import SpaceView, WordsView

DEEP = MAX_REACH  # how far down a retriever is read for a page that lies beyond `fusion.DEPTH`

Scores = NDArray[np.float32]


class Retriever(Protocol):
    """Finds chunks of one medium for one query."""

    @property
    def name(self) -> str:
        """What an explanation calls it."""
        ...

    @property
    def medium(self) -> str:
        """What it finds: texts, pictures."""
        ...

    @property
    def weight(self) -> float:
        """What it counts for, 0..1: 0 where it does not know the script of the query."""
        ...

    def nearest(self, k: int) -> Candidates:
        """Find the k best."""
        ...


class Dense(Retriever, Protocol):
    """Finds by meaning; scores are cosines, and `null` is what they are by chance."""

    @property
    def null(self) -> Null:
        """What its scores are by chance."""
        ...

    @property
    def model(self) -> str:
        """The name of the model, "" where it can't be used."""
        ...

    def stored(self, ids: Ids) -> Vectors:
        """Return the (n, d) vectors of chunks, of length 1; zeros where one has none."""
        ...

    def scores(self, stored: Vectors) -> Scores:
        """Return the (n,) exact scores of chunks by their stored vectors, 0 where one has none."""
        ...


@dataclass(frozen=True, slots=True)
class InSpace:
    """Finds what is near a vector in one space.

    Args:
        vector: (d,) of length 1.
        null: what the scores of such a vector are by chance.
        known: the share of the query's letters that the space knows.
    """

    space: SpaceView
    vector: Vectors
    null: Null
    known: float = 1.0

    @classmethod
    def by_words(cls, space: SpaceView, text: str, away: Vectors | None = None) -> InSpace:
        """Return what finds by the meaning of words, away from a (d,) vector; raise why the space has no encoder."""
        with Stage("encode"):
            vector = space.encoded(text)
        if away is not None:
            vector = unit(vector - away)
        return cls(space, vector, space.null, knows(space, text))

    @property
    def name(self) -> str:
        """The space's."""
        return self.space.name

    @property
    def medium(self) -> str:
        """The space's."""
        return self.space.medium

    @property
    def model(self) -> str:
        """The name of the space's model."""
        return self.space.model

    @property
    def weight(self) -> float:
        """What it counts for by what it knows of the query."""
        return weight_of(self.known)

    def nearest(self, k: int) -> Candidates:
        """Find the k nearest; scores are cosines."""
        with Stage("vectors"):
            return self.space.nearest(self.vector, k)

    def stored(self, ids: Ids) -> Vectors:
        """Return the (n, d) vectors of chunks without what boilerplate adds to them, zeros where one has none."""
        return self.space.compared(ids)

    def scores(self, stored: Vectors) -> Scores:
        """Return the (n,) cosines of stored vectors."""
        return np.asarray(stored @ self.vector, np.float32)


@dataclass(frozen=True, slots=True)
class Together:
    """Finds in several spaces of one medium at once, and is asked as if there were one.

    Cosines of two models have nothing in common, but their distances from their nulls have. A chunk's score is the mean
    of its distances in the spaces that hold it, weighed by how much of the query each knows, brought back to the scale
    of the first space. (Not the best of them: that would be the better by chance the more spaces hold a chunk.)

    Args:
        members: what finds in one space each, at least two; the first knows the query best.
    """

    members: tuple[InSpace, ...]

    @property
    def name(self) -> str:
        """Those of the members."""
        return "+".join(one.name for one in self.members)

    @property
    def medium(self) -> str:
        """That of the members."""
        return self.members[0].medium

    @property
    def model(self) -> str:
        """The name of the first member's model, on whose scale scores are."""
        return self.members[0].model

    @property
    def weight(self) -> float:
        """That of one which knows what they know of the query together, such as two scripts."""
        return weight_of(min(1.0, sum(one.known for one in self.members)))

    @property
    def null(self) -> Null:
        """The first member's, on whose scale scores are."""
        return self.members[0].null

    def nearest(self, k: int) -> Candidates:
        """Find the k best of what the members find."""
        ids = distinct(np.concatenate([one.nearest(k).ids for one in self.members]))
        scores = self.scores(self.stored(ids))
        order = np.lexsort((ids, -scores))[:k]
        return Candidates(ids[order], scores[order])

    def stored(self, ids: Ids) -> Vectors:
        """Return the (n, d) vectors of chunks in all spaces, one beside the other, of length 1 in all.

        The product of two is the mean of their cosines, weighed as scores are.
        """
        every = [one.stored(ids) for one in self.members]
        weights = self._weights([np.any(stored, axis=1) for stored in every])
        return np.concatenate([np.sqrt(own)[:, None] * stored for own, stored in zip(weights, every, strict=True)], 1)

    def scores(self, stored: Vectors) -> Scores:
        """Return (n,) scores by what `stored` gave, 0 where a chunk is in none of the spaces."""
        ends = np.cumsum([len(one.vector) for one in self.members])
        parts = np.split(stored, ends[:-1], axis=1)
        lengths = [np.linalg.norm(part, axis=1) for part in parts]
        weights = self._weights([np.greater(length, 0) for length in lengths])
        distance = np.zeros(len(stored))
        for one, part, length, own in zip(self.members, parts, lengths, weights, strict=True):
            distance += own * one.null.distance(one.scores(part) / np.maximum(length, np.float32(1e-12)))
        scores = self.null.mean + self.null.spread * distance
        return np.where(stored.any(axis=1), scores, 0).astype(np.float32)

    def _weights(self, held: Sequence[NDArray[np.bool_]]) -> NDArray[np.float32]:
        """Return (members, n) weights of the spaces that hold a chunk, which sum to 1."""
        known = np.array([one.known for one in self.members], np.float32)[:, None] * np.stack(held)
        return np.asarray(known / np.maximum(known.sum(axis=0), np.float32(1e-12)), np.float32)


@dataclass(frozen=True, slots=True)
class Lexical:
    """Finds by words; scores are BM25."""

    words: WordsView
    text: str
    medium: str
    name: str = "lexical"
    weight: float = 1.0  # words are looked up in any script

    @property
    def idf(self) -> float:
        """The sum of the idf of the query's words; 1 without an index."""
        return 1.0 if self.words.index is None else self.words.index.weight(self.text, self.words.tail)

    def nearest(self, k: int) -> Candidates:
        """Find the k best; raise why there is no index. An empty library needs none."""
        if self.words.index is None:
            if self.words.missing is not None:
                raise self.words.missing
            return Candidates.empty()
        with Stage("words"):
            return self.words.index.search(self.text, k, self.words.allowed.ids, self.words.tail)

    def scores_for(self, ids: Ids) -> Scores:
        """Return the (n,) exact scores of chunks, 0 where one has no word of the query."""
        assert self.words.index is not None
        return self.words.index.scores_for(self.text, ids, self.words.tail)

    def held_by(self, ids: Ids) -> Scores:
        """Return (n,) shares of the query's words that chunks hold."""
        assert self.words.index is not None
        return self.words.index.held_by(self.text, ids, self.words.tail)

    def said_by(self, ids: Ids) -> Scores:
        """Return (n,) shares of the query's words that chunks hold, those of boilerplate like any others."""
        assert self.words.index is not None
        return self.words.index.held_by(self.text, ids, self.words.tail, repeated=1.0)


def weight_of(known: float) -> float:
    """Return what meaning counts for by the share of a query that is understood: from half of it down, for nothing."""
    return max(0.0, 2 * known - 1)


def together(members: Sequence[InSpace]) -> Dense:
    """Return one retriever for all; there must be at least one member."""
    if len(members) == 1:
        return members[0]
    return Together(tuple(sorted(members, key=lambda one: -one.known)))


def down_to(query: Query, search: Callable[[int], Candidates]) -> Candidates:
    """Find as far down as the page that is asked for reaches, by `search`, which is told how many to find.

    What a deeper search finds is appended to the head, which stays as it is: pages must not reshuffle.
    """
    head = search(fusion.DEPTH)
    if query.offset + query.limit <= fusion.DEPTH or len(head) < fusion.DEPTH:
        return head
    deep = search(DEEP)
    more = ~np.isin(deep.ids, head.ids)
    # What an approximate search missed at first may score more than what it found; it counts for no more.
    scores = np.minimum(deep.scores[more], head.scores[-1])
    return Candidates(np.concatenate([head.ids, deep.ids[more]]), np.concatenate([head.scores, scores]))


def middle(one: Vectors, other: Vectors) -> Vectors:
    """Return the (d,) unit vector half-way between two."""
    return unit(one + other)


def unit(vector: Vectors) -> Vectors:
    """Return a (d,) vector at length 1."""
    made: Vectors = (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
    return made
