"""Query -> Candidates: one list per retriever, all from one generation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search import deadline, fusion
from quarry.search.errors import InvalidFilter, LibraryError, ModelError
from quarry.search.fields import Field, fields
from quarry.search.filter_notes import notes
from quarry.search.filters import MAX_DEPTH, allowed_chunks
from quarry.search.models.contracts import ImageEncoder, TextEncoder
from quarry.search.relevance import UNKNOWN, Null
from quarry.search.stores.catalog import Snapshot
from quarry.search.stores.lexical import LexicalView
from quarry.search.stores.lexical_rows import LexicalTail
from quarry.search.stores.segments import View as VectorsView
from quarry.search.types import MAX_REACH, Candidates, Ids, Query, Vectors

ONLY_THE_PICTURE = "The script of the words is not known; only the picture counted."
DEEP = MAX_REACH  # how far down a retriever is read for a page that lies beyond `fusion.DEPTH`


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, best first: (n,) ids, scores and relevance, the last never rising.

    `explain` tells of a hit, by its place, what speaks for it; `notes` what was not weighed. `meant` is (n,),
    whether it is likely to be meant; None for all of them.
    """

    ids: Ids
    scores: NDArray[np.float32]
    relevance: NDArray[np.float32]
    explain: Callable[[int], Mapping[str, Any]]
    notes: tuple[str, ...] = ()
    meant: NDArray[np.bool_] | None = None

    @classmethod
    def empty(cls, notes: tuple[str, ...] = ()) -> Found:
        """Return nothing, and why."""
        nothing = np.empty(0, np.float32)
        return cls(np.empty(0, np.int64), nothing, nothing, lambda place: {}, notes)


@dataclass(frozen=True, slots=True)
class View:
    """What a query is answered from: one generation of everything. A part that is missing is None, `why` says why.

    Args:
        vectors, pictures: the spaces of passages and of pictures.
        nulls: by the name of a space.
        allowed: ids of the chunks that may be found, None for all.
        allowed_pictures: likewise where only pictures are looked at, which need not be told from texts.
        has_pictures: whether there are any documents of that kind.
    """

    snapshot: Snapshot
    vectors: VectorsView | None
    pictures: VectorsView | None
    lexical: LexicalView | None
    tail: LexicalTail | None
    encoder: TextEncoder | None
    image_encoder: ImageEncoder | None
    nulls: Mapping[str, Null]
    allowed: Ids | None
    allowed_pictures: Ids | None
    why: Mapping[str, LibraryError | ModelError]
    has_pictures: bool = False
    notes: tuple[str, ...] = ()

    def encode(self, text: str) -> Vectors:
        """Return the (d,) unit vector of a query; raise why there is no encoder."""
        if self.encoder is None:
            raise self.why["encoder"]
        vector: Vectors = self.encoder.encode_queries([text])[0]
        return vector

    def encode_for_pictures(self, text: str) -> Vectors:
        """Return the (d,) unit vector of a text in the space of pictures; raise why there is no encoder."""
        if self.image_encoder is None:
            raise self.why["image"]
        vector: Vectors = self.image_encoder.encode_texts([as_caption(text)])[0]
        return vector

    def null(self, space: str) -> Null:
        """Return what scores in a space mean by chance."""
        return self.nulls.get(space, UNKNOWN)

    def nearest(self, vector: Vectors, k: int) -> Candidates:
        """Find by meaning; scores are cosines."""
        return Candidates.empty() if self.vectors is None else self.vectors.search(vector, k, self.allowed)

    def stored(self, ids: Ids) -> Vectors:
        """Return the (n, d) stored vectors of passages, zeros where one has none."""
        if self.vectors is None:
            raise self.why["encoder"]
        return self.vectors.vectors(ids)

    def matching(self, text: str, k: int) -> Candidates:
        """Find by words; scores are BM25. Raise why there is no lexical index; an empty library needs none."""
        if self.lexical is None:
            if "lexical" in self.why:
                raise self.why["lexical"]
            return Candidates.empty()
        return self.lexical.search(text, k, self.allowed, self.tail)


def as_caption(text: str) -> str:
    """Put a single word as a caption would, since image models were trained on captions."""
    return f"a {text}" if text.isascii() and text.isalpha() else text


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
    both = one + other
    unit: Vectors = (both / max(float(np.linalg.norm(both)), 1e-12)).astype(np.float32)
    return unit


class Filters:
    """What filters come to, each for one generation; the last few answers are kept."""

    _KEPT = 16
    _LONG = 2_000  # characters of a filter that takes a while to compile
    _AT_ONCE = 2  # of those: more would keep the interpreter from everybody else

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], Ids] = {}
        self._notes: dict[tuple[str, int], tuple[str, ...]] = {}
        self._fields: tuple[int, list[Field]] = (-1, [])
        self._listing = threading.Lock()
        self._long = threading.BoundedSemaphore(self._AT_ONCE)

    def allowed(self, snapshot: Snapshot, filter: Mapping[str, Any] | None) -> Ids | None:
        """Return the sorted ids of the chunks that a filter allows, None for no filter."""
        if filter is None or filter == {}:
            return None
        key = (_written(filter), snapshot.generation)
        answers = self._answers
        if key not in answers:
            with self._turn(key[0]):
                ids = allowed_chunks(snapshot.connection, filter)
            self._answers = dict(list(answers.items())[-self._KEPT + 1 :]) | {key: ids}
            return ids
        return answers[key]

    def notes(self, snapshot: Snapshot, filter: Mapping[str, Any] | None) -> tuple[str, ...]:
        """Say what a filter may have been meant as, where it can't be meant as it is; see `search.filter_notes`."""
        allowed = self.allowed(snapshot, filter)
        if filter is None or allowed is None:
            return ()
        key = (_written(filter), snapshot.generation)
        known = self._notes
        if key not in known:
            with self._turn(key[0]):
                said = notes(snapshot.connection, filter, lambda: self.fields(snapshot), nothing=not len(allowed))
            self._notes = dict(list(known.items())[-self._KEPT + 1 :]) | {key: said}
            return said
        return known[key]

    def _turn(self, said: str) -> AbstractContextManager[None]:
        """Wait for one's turn to work on a filter, if it is a long one."""
        return deadline.holding(self._long) if len(said) > self._LONG else nullcontext()

    def fields(self, snapshot: Snapshot) -> list[Field]:
        """Return the fields of the library."""
        with deadline.holding(self._listing):  # it is the same for all who ask at once
            known = self._fields
            if known[0] != snapshot.generation:
                known = self._fields = (snapshot.generation, fields(snapshot.connection))
            return known[1]


def _written(filter: Mapping[str, Any]) -> str:
    try:
        return repr(filter)
    except RecursionError:
        raise InvalidFilter(f"is nested deeper than {MAX_DEPTH} levels.", "filter") from None
