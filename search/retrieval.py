"""Query -> Candidates: one list per retriever, all from one generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.encoders.base import TextEncoder
from search.errors import LibraryError, ModelError
from search.filters import allowed_chunks, compile_filter
from search.stores.catalog import Snapshot
from search.stores.lexical import LexicalTail, LexicalView
from search.stores.segments import View as VectorsView
from search.types import MAX_REACH, Candidates, Ids, Vectors

DEEP = MAX_REACH  # how far down a retriever is read for a page that lies beyond `fusion.DEPTH`


@dataclass(frozen=True, slots=True)
class View:
    """What a query is answered from: one generation of everything. A part that is missing is None, `why` says why."""

    snapshot: Snapshot
    vectors: VectorsView | None
    lexical: LexicalView | None
    tail: LexicalTail | None
    encoder: TextEncoder | None
    allowed: Ids | None
    why: Mapping[str, LibraryError | ModelError]
    notes: tuple[str, ...] = ()

    def encode(self, text: str) -> Vectors:
        """Return the (d,) unit vector of a query; raise why there is no encoder."""
        if self.encoder is None:
            raise self.why["encoder"]
        vector: Vectors = self.encoder.encode_queries([text])[0]
        return vector

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


class Filters:
    """Filter -> sorted ids of the chunks that it allows; the last few answers are kept, each for one generation."""

    _KEPT = 16

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], Ids] = {}

    def allowed(self, snapshot: Snapshot, filter: Mapping[str, Any] | None) -> Ids | None:
        """Return None for no filter."""
        if filter is None or filter == {}:
            return None
        key = (repr(compile_filter(filter)), snapshot.generation)
        answers = self._answers
        if key not in answers:
            ids = allowed_chunks(snapshot.connection, filter)
            self._answers = dict(list(answers.items())[-self._KEPT + 1 :]) | {key: ids}
            return ids
        return answers[key]
