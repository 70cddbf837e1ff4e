"""What a query is answered from: one generation of every vector space and of the words.

A part that can't be used is None, and `missing` beside it says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quarry.search.alike.boilerplate import Boilerplate
from quarry.search.engines.base import Unreached, VectorView
from quarry.search.errors import LibraryError, ModelError
from quarry.search.fields.filters import EVERYTHING, Allowed
from quarry.search.frames import Frames
from quarry.search.lexical.index import LexicalView
from quarry.search.lexical.rows import LexicalTail
from quarry.search.models.contracts import Encoder
from quarry.search.models.query_vectors import QueryVectors
from quarry.search.relevance import Null
from quarry.search.stores.catalog import Snapshot
from quarry.search.types import Candidates, Ids, Vectors
from quarry.search.values.notes import Note


@dataclass(frozen=True, slots=True)
class SpaceView:
    """A vector space.

    Args:
        name, medium: what it is called, and what its vectors stand for: texts, pictures.
        encoder: of what is looked for in it.
        vectors: None where it has none, or is not searched.
        null: what its scores are by chance.
        allowed: the chunks that may be found.
        missing: why there is no encoder.
        scripts: of queries that it knows, () for all.
        lately: the vectors of queries that were encoded before.
        frames: what boilerplate adds to its vectors; None where there is none.
    """

    name: str
    medium: str
    encoder: Encoder | None
    vectors: VectorView | None
    null: Null
    allowed: Allowed = EVERYTHING
    missing: ModelError | None = None
    scripts: tuple[str, ...] = ()
    lately: QueryVectors = field(default_factory=QueryVectors)
    frames: Frames | None = None

    @property
    def model(self) -> str:
        """The name of its model, "" where that can't be used."""
        return "" if self.encoder is None else self.encoder.card.name

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is wrong with its vectors."""
        return tuple(
            Note("engine_unavailable" if isinstance(note, Unreached) else "vectors_damaged", note, {"space": self.name})
            for note in (() if self.vectors is None else self.vectors.notes)
        )

    def encoded(self, text: str) -> Vectors:
        """Return the (d,) unit vector of what is looked for; raise why there is no encoder."""
        if self.encoder is None:
            assert self.missing is not None
            raise self.missing
        return self.lately.of(self.encoder, text)

    def nearest(self, vector: Vectors, k: int) -> Candidates:
        """Find the k chunks nearest to a (d,) unit vector; scores are cosines."""
        return Candidates.empty() if self.vectors is None else self.vectors.search(vector, k, self.allowed)

    def stored(self, ids: Ids) -> Vectors:
        """Return the (n, d) stored vectors of chunks, zeros where one has none."""
        assert self.vectors is not None
        return self.vectors.vectors(ids)

    def compared(self, ids: Ids) -> Vectors:
        """Return the (n, d) vectors of chunks as queries are compared with them: without what boilerplate adds."""
        stored = self.stored(ids)
        if self.frames is None or self.vectors is None:
            return stored
        return self.frames.without(ids, stored, self.vectors)


@dataclass(frozen=True, slots=True)
class WordsView:
    """The lexical index, and what the catalog has beyond it; without an index and a reason, there are no words yet."""

    index: LexicalView | None = None
    tail: LexicalTail | None = None
    allowed: Allowed = EVERYTHING
    missing: LibraryError | None = None


@dataclass(frozen=True, slots=True)
class LibraryView:
    """All of a library at one generation, as far as one query needs it.

    Args:
        spaces: by name.
        kinds: of documents that there are.
        told: what of the words is damaged, and what the filter may have been meant as.
        boilerplate: what stands in many documents, and which passages hold some.
    """

    snapshot: Snapshot
    spaces: Mapping[str, SpaceView]
    words: WordsView
    kinds: frozenset[str]
    told: tuple[Note, ...] = ()
    boilerplate: Boilerplate = field(default_factory=Boilerplate.none)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was missing so far, of vectors first: an engine may be lost in the middle of a search."""
        return (*(note for space in self.spaces.values() for note in space.notes), *self.told)

    def of(self, medium: str) -> list[SpaceView]:
        """Return the spaces of a medium."""
        return [space for space in self.spaces.values() if space.medium == medium]
