"""Settings -> live query-side objects, made when they are first needed. The concrete classes are named here only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from search import pipeline
from search.config import DEFAULT_TEXT_MODEL, Settings
from search.encoders.base import TextEncoder
from search.errors import LibraryError, ModelError, ModelMismatch
from search.ranking import rank
from search.retrieval import Filters, View
from search.stores import documents
from search.stores.catalog import Catalog, Snapshot, Space, active_space, check_identity
from search.stores.lexical import LexicalReader, LexicalRow, LexicalTail, LexicalView
from search.stores.segments import SegmentedVectors
from search.types import Query, Response

LONG_TAIL = 1_000  # passages; a short one, between a commit and the lexical index's, costs nobody anything


def open_vectors(catalog: Catalog, space: Space) -> SegmentedVectors:
    """Return the vector segments of a space."""
    return SegmentedVectors(catalog.directory / "segments", space.id, space.identity, space.dimension)


class Searcher:
    """The query side of one library, for many threads."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._lock = threading.RLock()
        self._encoder: TextEncoder | None = None
        self._vectors: tuple[int, SegmentedVectors] | None = None
        self._lexical = LexicalReader(catalog.directory / "lexical")
        self._tail: tuple[tuple[int, int], LexicalTail | None] = ((-1, -1), None)
        self._filters = Filters()

    def search(self, query: Query) -> Response:
        """Answer one query from one generation."""
        query = pipeline.checked(query)
        with self.view(query.filter, semantic=query.mode != "lexical", lexical=query.mode != "semantic") as view:
            return pipeline.search(query, view)

    def ranking(self, query: Query) -> list[tuple[str, float]]:
        """Rank passages as `search` does, without reading them; return (document id, score), best first."""
        query = pipeline.checked(query)
        with self.view(query.filter, semantic=query.mode != "lexical", lexical=query.mode != "semantic") as view:
            found = rank(query, view).candidates
            owners = documents.owners(view.snapshot.connection, found.ids.tolist())
        return [
            (owners[id], score)
            for id, score in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
            if id in owners
        ][query.offset : query.offset + query.limit]

    def warm(self) -> None:
        """Load everything a hybrid search needs; raise the first cause why it can't be answered in full."""
        with self.view() as view:
            for error in view.why.values():
                raise error

    def encoder(self, *, prepare: bool = False) -> TextEncoder:
        """Return the encoder of this library; with `prepare`, export the model first where that was not done yet.

        Raises:
            ModelMismatch: the settings name another model than the one that embedded the library.
            ModelMissing, ModelDamaged: it can't be loaded.
        """
        from search.encoders.text import load_text_encoder

        with self._lock:
            space = self._catalog.space("text")
            if self._encoder is None or (space is not None and self._encoder.identity != space.identity):
                name = self._settings.text_model or (space.model if space else DEFAULT_TEXT_MODEL)
                self._encoder = load_text_encoder(name, prepare=prepare)
            if space is not None:
                check_identity(space, self._encoder.identity, self._encoder.card.name)
            return self._encoder

    @contextmanager
    def view(
        self, filter: Mapping[str, Any] | None = None, *, semantic: bool = True, lexical: bool = True
    ) -> Iterator[View]:
        """Open one generation of everything.

        The lexical index is opened before the snapshot, so that it is never newer: what it lacks is its tail. A
        missing or damaged part is left out and named; a model that is not the library's is refused.
        """
        why: dict[str, LibraryError | ModelError] = {}
        notes: list[str] = []
        words, encoder = None, None
        if lexical:
            try:
                words = self._lexical.view()
            except LibraryError as error:
                why["lexical"] = error
        with self._catalog.snapshot() as snapshot:
            if semantic:
                try:
                    encoder = self.encoder()  # of this generation: the next one may be of another model
                except ModelMismatch:
                    raise
                except ModelError as error:
                    why["encoder"] = error
            space = active_space(snapshot.connection, "text")
            if space is None:  # nothing was embedded yet: an empty library answers nothing, and nothing is wrong
                why.pop("lexical", None)
                words = None
            vectors = None
            if semantic and space is not None:
                vectors = self._segments(space).view(snapshot.connection, snapshot.generation)
                notes += vectors.degraded
            tail = self._lexical_tail(snapshot, words) if words is not None else None
            if tail is not None and len(tail) > LONG_TAIL:
                notes.append(f"the lexical index lacks {len(tail)} passages; they were searched one by one")
            yield View(
                snapshot,
                vectors,
                words,
                tail,
                encoder,
                self._filters.allowed(snapshot, filter),
                why,
                tuple(notes),
            )

    def _segments(self, space: Space) -> SegmentedVectors:
        with self._lock:
            if self._vectors is None or self._vectors[0] != space.id:
                self._vectors = (space.id, open_vectors(self._catalog, space))
            return self._vectors[1]

    def _lexical_tail(self, snapshot: Snapshot, view: LexicalView) -> LexicalTail | None:
        key = (view.generation, snapshot.generation)
        if view.generation == snapshot.generation:
            return None
        with self._lock:
            if self._tail[0] != key:
                rows = [lexical_row(row) for row in documents.chunks_since(snapshot.connection, view.generation)]
                deleted = documents.deleted_since(snapshot.connection, view.generation)
                self._tail = (key, LexicalTail(rows, deleted) if rows or len(deleted) else None)
            return self._tail[1]


def lexical_row(row: documents.ChunkRow) -> LexicalRow:
    """Return what the lexical index holds of a chunk."""
    return LexicalRow(row.id, row.chunk.text, f"{row.title}\n{row.chunk.heading}", row.uri)
