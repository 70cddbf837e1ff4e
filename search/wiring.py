"""Settings -> live query-side objects, made when they are first needed. The concrete classes are named here only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from quarry.search import deadline, pipeline
from quarry.search.config import Settings
from quarry.search.errors import IndexDamaged, InvalidRequest, LibraryError, ModelError, ModelMismatch
from quarry.search.hit_models import HitModels
from quarry.search.models.contracts import ImageEncoder, TextEncoder
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL
from quarry.search.queries import checked
from quarry.search.ranking import rank
from quarry.search.retrieval import Filters, View
from quarry.search.stores import documents, hit_rows, picture_rows
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.lexical import LexicalReader, LexicalView
from quarry.search.stores.lexical_rows import LexicalRow, LexicalTail
from quarry.search.stores.lineage import has_had
from quarry.search.stores.nulls import nulls
from quarry.search.stores.segments import SegmentedVectors
from quarry.search.stores.spaces import Space, active_space, check_identity
from quarry.search.types import KINDS, Query, Response, Vectors

LONG_TAIL = 1_000  # passages; a short one, between a commit and the lexical index's, costs nobody anything


def open_vectors(catalog: Catalog, space: Space) -> SegmentedVectors:
    """Return the vector segments of a space."""
    return SegmentedVectors(catalog.directory / "segments", space.id, space.identity, space.dimension)


class Searcher:
    """The query side of one library, for many threads."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self.catalog = catalog
        self._settings = settings
        self._lock = threading.RLock()
        self._encoder: TextEncoder | None = None
        self._image_encoder: ImageEncoder | None = None
        self._vectors: dict[str, tuple[int, SegmentedVectors]] = {}
        self._lexical = LexicalReader(catalog.directory / "lexical")
        self._tail: tuple[tuple[int, int], LexicalTail | None] = ((-1, -1), None)
        self.filters = Filters()
        self._pictures: tuple[int, bool] = (-1, False)
        self.models = HitModels(settings, self.encoder)

    def search(self, query: Query) -> Response:
        """Answer one query from one generation."""
        started = time.perf_counter()
        query = checked(query)
        with self.view(query) as view:
            found = pipeline.find(query, view)
        return pipeline.complete(query, found, self.models, started)

    def ranking(self, query: Query) -> list[tuple[str, float]]:
        """Rank passages as `search` does, without reading them; return (document id, score), best first."""
        query = checked(query)
        with self.view(query) as view:
            found = rank(query, view).candidates
            owners = hit_rows.owners(view.snapshot.connection, found.ids.tolist())
        return [
            (owners[id], score)
            for id, score in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
            if id in owners
        ][query.offset : query.offset + query.limit]

    def warm(self) -> None:
        """Load everything a hybrid search needs; raise the first cause why it can't be answered in full."""
        with self.view(Query("")) as view:
            for error in view.why.values():
                raise error
            if view.has_pictures:
                view.encode_for_pictures("warm")

    def encoder(self, *, prepare: bool = False) -> TextEncoder:
        """Return the encoder of this library; with `prepare`, export the model first where that was not done yet.

        Raises:
            ModelMismatch: the settings name another model than the one that embedded the library.
            ModelMissing, ModelDamaged: it can't be loaded.
        """
        from quarry.search.models.loading import load_text_encoder

        with deadline.holding(self._lock):
            space = self.catalog.space("text")
            if self._encoder is None or (space is not None and self._encoder.identity != space.identity):
                named = self._settings.text_model
                self._encoder = load_text_encoder(
                    named or (space.model if space else DEFAULT_TEXT_MODEL),
                    prepare=prepare,
                    fetch=bool(named),  # what a library names, its user need not know
                    progress=self._settings.tell,
                )
            if space is not None:
                check_identity(space, self._encoder.identity, self._encoder.card.name)
            return self._encoder

    def image_encoder(self, *, prepare: bool = False) -> ImageEncoder:
        """Return the image model of this library, as `encoder` does that of its texts."""
        from quarry.search.models.loading import load_image_encoder

        with deadline.holding(self._lock):
            space = self.catalog.space("image")
            if self._image_encoder is None or (space is not None and self._image_encoder.identity != space.identity):
                named = self._settings.image_model
                self._image_encoder = load_image_encoder(
                    named or (space.model if space else DEFAULT_IMAGE_MODEL),
                    prepare=prepare,
                    fetch=bool(named),
                    text_encoder=self._shared(),
                    progress=self._settings.tell,
                )
            if space is not None:
                check_identity(space, self._image_encoder.identity, self._image_encoder.card.name)
            return self._image_encoder

    def _shared(self) -> TextEncoder | None:
        """Return the text encoder, in case that the image model's text tower is the same; None where there is none."""
        try:
            return self.encoder()
        except ModelError:
            return None

    def picture_vector(self, row_id: int) -> Vectors:
        """Return the stored vector of a picture of this library, by its document's row id.

        Raises:
            InvalidRequest: that document is no picture, or has no vector.
        """
        with self.catalog.snapshot() as snapshot:
            key = picture_rows.picture_key(snapshot.connection, row_id)
            space = active_space(snapshot.connection, "image")
            vector = documents.vector_of(snapshot.connection, space.id, key) if key and space else None
        if vector is None:
            raise InvalidRequest("That document is no picture, or could not be embedded as one.")
        return vector / np.float32(np.linalg.norm(vector))

    def text_vector(self, row_id: int) -> Vectors:
        """Return the unit vector in the middle of a document's passages, by its row id.

        Raises:
            InvalidRequest: it has none, such as a picture about which nothing is said.
        """
        with self.catalog.snapshot() as snapshot:
            space = active_space(snapshot.connection, "text")
            vectors = documents.vectors_of(snapshot.connection, space.id, row_id) if space else None
        if vectors is None:
            raise InvalidRequest("That document has no passage that could be compared with others.")
        whole: Vectors = vectors.sum(axis=0)
        return whole / np.float32(max(float(np.linalg.norm(whole)), 1e-12))

    @contextmanager
    def view(self, query: Query) -> Iterator[View]:
        """Open one generation of everything that answering `query` takes.

        The lexical index is opened before the snapshot, so that it is never newer: what it lacks is its tail. A
        missing or damaged part is left out and named; a model that is not the library's is refused.
        """
        why: dict[str, LibraryError | ModelError] = {}
        notes: list[str] = []
        words, encoder, image_encoder = None, None, None
        semantic = query.mode != "lexical" or query.like is not None
        if query.mode != "semantic":
            try:
                words = self._lexical.view()
            except LibraryError as error:
                why["lexical"] = error
        with self.catalog.snapshot() as snapshot:
            if semantic:
                try:
                    encoder = self.encoder()  # of this generation: the next one may be of another model
                except ModelMismatch:
                    raise
                except ModelError as error:
                    why["encoder"] = error
            space = active_space(snapshot.connection, "text")
            if "lexical" in why and not documents.has_passages(snapshot.connection):
                del why["lexical"]  # an empty library answers nothing, and nothing is wrong
            if words is not None and not has_had(snapshot.connection, words.covers):
                words, why["lexical"] = None, _of_other_commits(self.catalog)
            vectors, pictures = None, None
            if semantic and space is not None:
                vectors = self._segments(space).view(snapshot.connection, snapshot.generation)
                notes += vectors.degraded
            image_space = active_space(snapshot.connection, "image")
            if semantic and image_space is not None and "image" in query.kinds:
                pictures = self._segments(image_space).view(snapshot.connection, snapshot.generation)
                notes += pictures.degraded
            if pictures is not None or query.like is not None:
                try:
                    image_encoder = self.image_encoder()
                except ModelMismatch:
                    raise
                except ModelError as error:
                    why["image"] = error
            has_pictures = self._has_pictures(snapshot)
            tail = self._lexical_tail(snapshot, words) if words is not None else None
            if tail is not None and len(tail) > LONG_TAIL:
                notes.append(f"the lexical index lacks {len(tail)} passages; they were searched one by one")
            yield View(
                snapshot,
                vectors,
                pictures,
                words,
                tail,
                encoder,
                image_encoder,
                nulls(snapshot.connection),
                self.filters.allowed(snapshot, _filter(query, has_pictures)),
                self.filters.allowed(snapshot, query.filter),
                why,
                has_pictures,
                (*notes, *self.filters.notes(snapshot, query.filter)),
            )

    def _has_pictures(self, snapshot: Snapshot) -> bool:
        """Whether a generation has any; looked up once, since without any it takes a look at every document."""
        known = self._pictures
        if known[0] != snapshot.generation:
            known = self._pictures = (snapshot.generation, picture_rows.has_pictures(snapshot.connection))
        return known[1]

    def _segments(self, space: Space) -> SegmentedVectors:
        with deadline.holding(self._lock):
            known = self._vectors.get(space.name)
            if known is None or known[0] != space.id:
                known = self._vectors[space.name] = (space.id, open_vectors(self.catalog, space))
            return known[1]

    def _lexical_tail(self, snapshot: Snapshot, view: LexicalView) -> LexicalTail | None:
        key = (view.generation, snapshot.generation)
        if view.generation == snapshot.generation:
            return None
        with deadline.holding(self._lock):
            if self._tail[0] != key:
                rows = [lexical_row(row) for row in documents.chunks_since(snapshot.connection, view.generation)]
                deleted = documents.deleted_since(snapshot.connection, view.generation)
                self._tail = (key, LexicalTail(rows, deleted) if rows or len(deleted) else None)
            return self._tail[1]


def _filter(query: Query, has_pictures: bool) -> Mapping[str, Any] | None:
    """Return the filter of a query, with the kinds that are asked for; those only where there are several."""
    if len(query.kinds) == len(KINDS) or (query.kinds == ("text",) and not has_pictures):
        return query.filter
    kinds = {"kind": {"$in": list(query.kinds)}}
    return {"$and": [query.filter, kinds]} if query.filter else kinds


def _of_other_commits(catalog: Catalog) -> IndexDamaged:
    return IndexDamaged(
        f"The lexical index in {catalog.directory} covers commits that the catalog does not have: they are lost, or "
        "one of the two is another library's. `quarry doctor` tells what is known."
    )


def lexical_row(row: documents.ChunkRow) -> LexicalRow:
    """Return what the lexical index holds of a chunk."""
    title = f"{row.title}\n{row.chunk.heading}"
    return LexicalRow(row.id, row.chunk.text, title, row.uri, row.metadata, first=row.chunk.ordinal == 0)
