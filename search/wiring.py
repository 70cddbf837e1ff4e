"""Settings -> live query-side objects, made when they are first needed. The concrete classes are named here only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any, Literal, cast, overload

import numpy as np

from quarry.search import beside, pipeline
from quarry.search.config import Settings
from quarry.search.engines.opened import OpenedVectors
from quarry.search.engines.table import Engines, engine_of
from quarry.search.errors import IndexDamaged, InvalidRequest, LibraryError, ModelError, ModelMismatch
from quarry.search.fields.allowed import Filters
from quarry.search.fields.filters import Allowed
from quarry.search.frames import KnownBoilerplate
from quarry.search.hits.models import HitModels
from quarry.search.language.scripts import admits, knows
from quarry.search.lexical.index import LexicalReader, LexicalView
from quarry.search.lexical.rows import LexicalRow, LexicalTail
from quarry.search.media.base import medium
from quarry.search.models.contracts import Encoder, ImageEncoder, TextEncoder
from quarry.search.models.live import SharedModels
from quarry.search.models.query_vectors import QueryVectors
from quarry.search.queries import negation
from quarry.search.queries.query import Query, Response, checked
from quarry.search.ranking.merging import rank
from quarry.search.ranking.retrievers import unit
from quarry.search.relevance import UNKNOWN
from quarry.search.requests import deadline
from quarry.search.requests.timing import Stage, measured
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.lineage import has_had
from quarry.search.stores.lookups import hit_rows, negated_rows, picture_rows, vector_rows
from quarry.search.stores.rows import documents
from quarry.search.stores.rows.nulls import nulls
from quarry.search.stores.spaces import Space, active_spaces, check_identity, has_vectors
from quarry.search.types import KINDS, WORDS, Ids, Kind, Vectors, distinct
from quarry.search.values.notes import Note
from quarry.search.views import LibraryView, SpaceView, WordsView

LONG_TAIL = 1_000  # passages; a short one, between a commit and the lexical index's, costs nobody anything


def open_vectors(catalog: Catalog, engines: Engines | None = None) -> OpenedVectors:
    """Return the vectors of a library's spaces, each opened by its engine when it is first asked for."""
    return OpenedVectors(catalog, lambda catalog, space: engine_of(engines or {}, space)(catalog, space))


class Searcher:
    """The query side of one library, for many threads."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self.catalog = catalog
        self._settings = settings
        self._lock = threading.RLock()
        self._encoders: dict[str, Encoder] = {}
        self.vectors = open_vectors(catalog, settings.engines)
        self._lexical = LexicalReader(catalog.directory / "lexical")
        self._tail: tuple[tuple[int, int], LexicalTail | None] = ((-1, -1), None)
        self.filters = Filters()
        self._kinds: tuple[int, frozenset[str]] = (-1, frozenset())
        self._boilerplate = KnownBoilerplate()
        self.models = HitModels(settings, self.text_encoder)
        shared = settings.live if isinstance(settings.live, SharedModels) else None
        self.lately = shared.lately if shared else QueryVectors(tell=settings.watch.vector)

    def search(self, query: Query) -> Response:
        """Answer one query from one generation."""
        started = time.perf_counter()
        query = checked(query)
        with measured() as timings:
            with ExitStack() as opened:
                with Stage("open"):
                    view = opened.enter_context(self.view(query))
                found = pipeline.find(query, view)
            response = pipeline.complete(query, found, self.models, started)
        self._settings.watch.stages({"search": response.took_ms, **timings})
        return replace(response, timings=timings)

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
            for missing in (view.words.missing, *(space.missing for space in view.spaces.values())):
                if missing is not None:
                    raise missing
            for space in view.spaces.values():
                if space.vectors is not None and space.vectors.count:
                    space.encoded("warm")

    @overload
    def encoder(self, name: Literal["text"] = "text", *, prepare: bool = False) -> TextEncoder: ...

    @overload
    def encoder(self, name: Literal["image"], *, prepare: bool = False) -> ImageEncoder: ...

    @overload
    def encoder(self, name: str, *, prepare: bool = False) -> Encoder: ...

    def encoder(self, name: str = "text", *, prepare: bool = False) -> Encoder:
        """Return the encoder of a space of this library; with `prepare`, export its model first where none is.

        Raises:
            ModelMismatch: the settings name another model than the one that embedded the library.
            ModelMissing, ModelDamaged: it can't be loaded.
        """
        return self._encoder(name, self.catalog.space(name), prepare=prepare)

    @overload
    def encoders(self, medium: Literal["text"]) -> Mapping[str, TextEncoder]: ...

    @overload
    def encoders(self, medium: Literal["image"]) -> Mapping[str, ImageEncoder]: ...

    def encoders(self, medium: Kind) -> Mapping[str, Encoder]:
        """Return the encoders of the spaces of a medium, by their names: those that can be used, of one at least.

        Raises:
            ModelMismatch, ModelMissing, ModelDamaged: as `encoder` does, where none can be used.
        """
        found: dict[str, Any] = {}
        why: list[ModelError] = []
        for name in [space.name for space in self.catalog.spaces() if space.medium == medium] or [medium]:
            try:
                found[name] = self.encoder(name)
            except ModelError as error:
                why.append(error)
        if not found:
            raise why[0]
        return found

    def text_encoder(self, text: str) -> TextEncoder:
        """Return the encoder of the library's texts that knows the script of `text` best; raise as `encoder` does."""
        taking = [
            space.name for space in self.catalog.spaces() if space.medium == WORDS and admits(space.takes, text, None)
        ]
        if len(taking) == 1:
            with suppress(ModelError):
                return self.encoder(cast(Literal["text"], taking[0]))
        return max(self.encoders("text").values(), key=lambda encoder: knows(encoder.card, text))

    def _encoder(self, name: str, space: Space | None, *, prepare: bool = False) -> Encoder:
        with deadline.holding(self._lock):
            encoder = self._encoders.get(name)
            if encoder is None or (space is not None and encoder.identity != space.identity):
                encoder = self._encoders[name] = self._load(name, space, prepare)
            if space is not None:
                check_identity(space, encoder.identity, encoder.card.name)
            return encoder

    def _load(self, name: str, space: Space | None, prepare: bool) -> Encoder:
        """Open the encoder of a space by its medium; what a library names, its user need not know."""
        of = medium(space.medium if space is not None else WORDS if name == beside.BESIDE else name)
        named = getattr(self._settings.models, f"{name}_model", None)
        model = named or (space.model if space is not None else beside.default_model(name, of.name, of.model))
        tell, live = self._settings.tell, self._settings.live
        found = of.open(live, model, self._texts, prepare=prepare, fetch=bool(named), progress=tell)
        if not beside.is_given(live):
            return found
        return beside.in_every_language(found, self._texts, self._multilingual, prepare=self._settings.prepare)

    def _texts(self) -> TextEncoder | None:
        """Return the encoder of the library's texts, for one that may share it."""
        with suppress(ModelError):
            return self.encoder("text")
        return None

    def _multilingual(self) -> TextEncoder:
        """Return the multilingual text model, for one that takes words of other languages by it."""
        if beside.BESIDE in {space.name for space in self.catalog.spaces()}:
            return cast(TextEncoder, self.encoder(beside.BESIDE))
        with deadline.holding(self._lock):
            if beside.BESIDE not in self._encoders:
                self._encoders[beside.BESIDE] = self._load(beside.BESIDE, None, self._settings.prepare)
            return cast(TextEncoder, self._encoders[beside.BESIDE])

    def like(self, row_id: int, kind: str) -> Mapping[str, Vectors]:
        """Return the (d,) unit vectors amid those of a document, by its row id and kind, by the name of their space.

        Raises:
            InvalidRequest: it has none, such as a picture that could not be embedded, or a document without text.
        """
        found = {}
        with self.catalog.snapshot() as snapshot:
            for space in active_spaces(snapshot.connection):
                vectors = documents.vectors_of(snapshot.connection, space.id, row_id) if space.medium == kind else None
                if vectors is not None:
                    whole: Vectors = vectors.sum(axis=0)
                    found[space.name] = whole / np.float32(max(float(np.linalg.norm(whole)), 1e-12))
        if not found:
            raise InvalidRequest("That document has no passage and no embedded picture that others could be like.")
        return found

    def like_passage(self, chunk_id: int) -> Mapping[str, Vectors]:
        """Return the (d,) unit vectors of a passage by the name of their space; raise as `like` does."""
        found = {}
        with self.catalog.snapshot() as snapshot:
            for space in active_spaces(snapshot.connection):
                vector = vector_rows.of_chunk(snapshot.connection, space.id, chunk_id)
                if vector is not None:
                    found[space.name] = unit(vector)
        if not found:
            raise InvalidRequest("That hit has no vector that others could be like.")
        return found

    @contextmanager
    def view(self, query: Query) -> Iterator[LibraryView]:
        """Open one generation of everything that answering `query` takes.

        The lexical index is opened before the snapshot, so that it is never newer: what it lacks is its tail. A
        missing or damaged part is left out and named; a model that is not the library's is refused.
        """
        words = self._lexical_index() if query.mode != "semantic" or query.without else WordsView()
        with self.catalog.snapshot() as snapshot:
            kinds = self._kinds_held(snapshot)
            words = self._words(words, snapshot)
            out, unable = _left_out(query, snapshot, words)
            allowed = self._allowing(snapshot, out)
            by_vectors = query.mode != "lexical" or query.example is not None or bool(query.exclude) or query.ground
            active = active_spaces(snapshot.connection) if by_vectors else []
            spaces = self._spaces(query, snapshot, active, kinds, allowed) if by_vectors else {}
            words = replace(words, allowed=allowed(_filter(query, kinds)))
            notes: list[Note] = []
            if words.tail is not None and len(words.tail) > LONG_TAIL:
                said = f"the lexical index lacks {len(words.tail)} passages; they were searched one by one"
                notes.append(Note("words_behind", said, {"count": len(words.tail)}))
            notes += unable
            notes += self.filters.notes(snapshot, query.filter)
            notes += self.filters.unknown(snapshot, query.fields)
            notes += self._unreached(query, snapshot, active)
            yield LibraryView(snapshot, spaces, words, kinds, tuple(notes), self._boilerplate.of(snapshot))

    def _allowing(self, snapshot: Snapshot, out: Ids) -> Callable[[Mapping[str, Any] | None], Allowed]:
        """Return what tells what may be found: what a filter allows but for some chunks, ascending."""
        known: list[tuple[Allowed, Allowed]] = []  # each space and the words ask, of one filter or two

        def allowed(filter: Mapping[str, Any] | None) -> Allowed:
            every = self.filters.allowed(snapshot, filter)
            if not len(out):
                return every
            found = next((rest for one, rest in known if one is every), None)
            if found is None:
                ids = negated_rows.every(snapshot.connection) if every.ids is None else every.ids
                found = Allowed(np.setdiff1d(ids, out, assume_unique=True))
                known.append((every, found))
            return found

        return allowed

    def _spaces(
        self,
        query: Query,
        snapshot: Snapshot,
        active: Sequence[Space],
        kinds: frozenset[str],
        allowed: Callable[[Mapping[str, Any] | None], Allowed],
    ) -> dict[str, SpaceView]:
        """Open the spaces that a query is looked up in, and those of what hits are to be like."""
        held: dict[str, Space | None] = {space.name: space for space in active}
        if all(space is None or space.medium != WORDS for space in held.values()):
            held[WORDS] = None  # of a library that has none yet: the default model's
        for name in set(KINDS) & set(query.example or ()):
            held.setdefault(name, None)
        fitted, views = nulls(snapshot.connection, active), {}
        for name, space in held.items():
            if name == WORDS and query.example is None and beside.answers(query.text, held):
                continue  # its model need not be loaded
            medium = space.medium if space is not None else name
            is_searched = medium == WORDS or medium in query.kinds  # words are said about documents of any kind
            if not is_searched and name not in (query.example or ()):
                continue
            vectors, encoder, missing = None, None, None
            if is_searched and space is not None:
                vectors = self.vectors.of(space).view(snapshot)
            try:
                encoder = self._encoder(name, space)
            except ModelMismatch:
                raise
            except ModelError as error:
                missing = error
            # What is no text belongs to documents of its own kind: these need not be told from others.
            filter = _filter(query, kinds) if medium == WORDS else query.filter
            null, scripts = fitted.get(name, UNKNOWN), _scripts(space, encoder)
            views[name] = SpaceView(
                name,
                medium,
                encoder,
                vectors,
                null,
                allowed(filter),
                missing,
                scripts,
                self.lately,
                self._boilerplate.frames(snapshot, space),
            )
        return views

    def _unreached(self, query: Query, snapshot: Snapshot, active: Sequence[Space]) -> tuple[Note, ...]:
        """Say how texts could be found that a query in another script does not find by meaning."""
        held = {space.name: space for space in active}
        is_asked = query.mode != "lexical" and WORDS in query.kinds and beside.is_given(self._settings.live)
        said = beside.unreached(query.text, held) if is_asked else None
        return (said,) if said and has_vectors(snapshot.connection, held[WORDS]) else ()

    def _lexical_index(self) -> WordsView:
        try:
            return WordsView(self._lexical.view())
        except LibraryError as error:
            return WordsView(missing=error)

    def _words(self, words: WordsView, snapshot: Snapshot) -> WordsView:
        """Return the words of a generation: the index, and what came after it."""
        if words.missing is not None and not documents.has_passages(snapshot.connection):
            return WordsView()  # an empty library answers nothing, and nothing is wrong
        if words.index is None:
            return words
        covers = words.index.covers
        if covers != snapshot.commit and not has_had(snapshot.connection, covers):
            return WordsView(missing=_of_other_commits(self.catalog))
        return WordsView(words.index, self._lexical_tail(snapshot, words.index))

    def _kinds_held(self, snapshot: Snapshot) -> frozenset[str]:
        """Return the kinds of documents of a generation, looked up once: for what is absent that reads all of them."""
        known = self._kinds
        if known[0] != snapshot.generation:
            known = self._kinds = (snapshot.generation, picture_rows.kinds_held(snapshot.connection))
        return known[1]

    def _lexical_tail(self, snapshot: Snapshot, view: LexicalView) -> LexicalTail | None:
        key = (view.generation, snapshot.generation)
        if view.generation == snapshot.generation:
            return None
        with deadline.holding(self._lock):
            if self._tail[0] != key:
                known = self._boilerplate.of(snapshot)
                newer = documents.chunks_since(snapshot.connection, view.generation)
                rows = [LexicalRow.of(row, known) for row in newer]
                deleted = documents.deleted_since(snapshot.connection, view.generation)
                self._tail = (key, LexicalTail(rows, deleted) if rows or len(deleted) else None)
            return self._tail[1]


def _filter(query: Query, kinds: frozenset[str]) -> Mapping[str, Any] | None:
    """Return the filter of a query, with the kinds that are asked for; those only where there are others."""
    if kinds <= set(query.kinds):
        return query.filter
    asked = {"kind": {"$in": list(query.kinds)}}
    return {"$and": [query.filter, asked]} if query.filter else asked


def _left_out(query: Query, snapshot: Snapshot, words: WordsView) -> tuple[Ids, tuple[Note, ...]]:
    """Return the chunks that a query leaves out, by the words that they hold or as they are, and what could not be."""
    own = np.array(query.apart, np.int64)
    if not query.without:
        return own, ()
    if words.index is None:
        cost = f"What holds {', '.join(query.without)} could not be left out."
        missing = [] if words.missing is None else [words.missing]
        return own, tuple(Note.of_error("not_left_out", error, cost, words=query.without) for error in missing)
    with Stage("negate"):
        found = negation.holding(snapshot, words.index, words.tail, query.without)
    return distinct(np.concatenate([own, found])), ()


def _scripts(space: Space | None, encoder: Encoder | None) -> tuple[str, ...]:
    """Return the scripts that a space knows: those that it takes, as far as its model knows them."""
    known = () if encoder is None else encoder.card.scripts
    taken = () if space is None else tuple[str, ...](space.takes.get("scripts", ()))
    return tuple(script for script in taken if script in known) or taken or known


def _of_other_commits(catalog: Catalog) -> IndexDamaged:
    return IndexDamaged(
        f"The lexical index in {catalog.directory} covers commits that the catalog does not have: they are lost, or "
        "one of the two is another library's. `quarry doctor` tells what is known."
    )
