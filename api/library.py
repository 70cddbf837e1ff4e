"""A library in this process: what the command line, the server and Python users call."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from api.asking import Asking
from api.texts import Text as Text
from search.config import Settings, read_settings
from search.errors import InvalidRequest, NoLibrary, NotFound
from search.fields import Field
from search.stores import documents
from search.stores.catalog import Catalog
from search.stores.thumbnails import Thumbnails
from search.types import KINDS, MODES, Document, Group, Kind, Mode, Query, Rerank, Response
from search.uris import uri_of
from search.wiring import Searcher

if TYPE_CHECKING:
    from indexer.doctor import Finding
    from indexer.query_pictures import QueryPictures
    from indexer.report import Progress, Report
    from indexer.roots import Root
    from indexer.writer import Writer


class Library(Asking):
    """One library: `with Library("~/notes.quarry") as library: library.index("~/notes"); library.search("stars")`.

    Thread-safe. Nothing is loaded before it is needed: opening is free, the first search loads the encoder.

    Args:
        directory: where the library is; the default is `QUARRY_LIBRARY`, then the user's data folder.
        text_model: name or folder of a sentence-transformers model; the default is the one the library was made
            with, and the embedded one for a new library.
        image_model: name of an open_clip model with its weights, or a folder; the default as for texts.
        wait_s: how long a write waits for another process's batch before it raises `LibraryLocked`.
        reader: name or folder of a transformers model for question answering; the default is the embedded one.
        cross_encoder: name or folder of a sentence-transformers CrossEncoder, for `rerank="cross-encoder"`.
        summarizer: name or folder of a transformers model that writes summaries; without one, they consist of the
            documents' own sentences.
        generator: name or folder of a transformers model that writes answers.
        prepare: export the model when the first document is added, where that was not done yet (seconds to minutes);
            without it, adding raises `ModelMissing`.
        tell: is told in words when a model is exported, which takes a while.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        text_model: str | None = None,
        image_model: str | None = None,
        wait_s: float = 30.0,
        prepare: bool = True,
        reader: str | None = None,
        cross_encoder: str | None = None,
        summarizer: str | None = None,
        generator: str | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.settings: Settings = read_settings(
            directory,
            text_model,
            wait_s,
            prepare,
            image_model,
            reader=reader,
            cross_encoder=cross_encoder,
            summarizer=summarizer,
            generator=generator,
            tell=tell,
        )
        self._lock = threading.RLock()
        self._pictures: QueryPictures | None = None
        self._catalog: Catalog | None = None
        self._searcher: Searcher | None = None

    def __enter__(self) -> Library:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close connections; the library can be used again, which opens them anew."""
        with self._lock:
            if self._catalog is not None:
                self._catalog.close()
            if self._pictures is not None:
                self._pictures.close()
            self._catalog = self._searcher = self._pictures = None

    # --- searching ---------------------------------------------------------------------------------------------

    def search(
        self,
        text: str = "",
        *,
        mode: Mode = "hybrid",
        limit: int = 10,
        offset: int = 0,
        filter: Mapping[str, Any] | None = None,
        explain: bool = False,
        kinds: Sequence[Kind] = KINDS,
        min_relevance: float = 0.0,
        picture: str | os.PathLike[str] | bytes | None = None,
        like: str | None = None,
        rerank: Rerank | None = None,
        answer: bool = False,
        summarize: bool = False,
        group: Group | None = None,
    ) -> Response:
        """Find passages and pictures, in one list by relevance.

        Args:
            text: a question, a phrase, or words; at most 10,000 characters.
            mode: `hybrid` weighs meaning and words together; `semantic` and `lexical` are its two parents.
            limit: 1 to 1,000; `offset + limit` at most 10,000. Pages never reshuffle within a generation.
            filter: such as `{"type": "text/markdown", "year": {"$gte": 2020}}`.
            explain: tell for each hit how it was found.
            kinds: `text`, `image`, or both.
            min_relevance: leave out hits below it, 0 to 1.
            picture: a picture to search with, the path of its file or the content; with `text`, both count.
            like: the id or URI of a picture of the library, to search with instead.
            rerank: put the first 20 hits in order once more, by how well they answer (`reader`) or by a
                `cross-encoder`.
            answer: look for exact answers in the first 10 hits.
            summarize: say in a few sentences what the first 10 hits hold.
            group: `document` for one hit a document, its further passages in `more`; limit and offset count documents.

        Raises:
            InvalidRequest, InvalidFilter: the message names what is wrong.
            NoLibrary, LibraryDamaged, LibraryFormat: the library can't be read.
            ModelMismatch, ModelMissing: and a lexical search would not help.
            LoadError: the picture can't be read.
        """
        if mode not in MODES:
            raise InvalidRequest(f"mode is {mode!r}; it can be {', '.join(MODES)}.")
        vector = None
        if picture is not None:
            from indexer.query_pictures import QueryPictures

            with self._lock:
                self._pictures = reader = self._pictures or QueryPictures()
            vector = reader.vector(picture, self.searcher.image_encoder())
        elif like is not None:
            row_id, document = self._find(like)
            vector = self.searcher.picture_vector(row_id)
            itself = {"id": {"$ne": document.id}}
            filter = {"$and": [filter, itself]} if filter else itself
        query = Query(text, mode, limit, offset, filter, explain, tuple(kinds), min_relevance, vector)
        return self.searcher.search(replace(query, rerank=rerank, answer=answer, summarize=summarize, group=group))

    def warm(self) -> None:
        """Load everything a search needs; raise the first cause why one can't be answered in full."""
        self.searcher.warm()

    @property
    def searcher(self) -> Searcher:
        """The live objects of the query side."""
        with self._lock:
            if self._searcher is None:
                self._searcher = Searcher(self.catalog(), self.settings)
            return self._searcher

    # --- reading -----------------------------------------------------------------------------------------------

    def get(self, reference: str) -> Document:
        """Return the document with that id or URI; raise `NotFound` where there is none."""
        return self._find(reference)[1]

    def text(self, reference: str) -> str:
        """Return the whole text of a document, as its loader read it."""
        with self.catalog().snapshot() as snapshot:
            row_id, _ = self._find(reference)
            return documents.text_of(snapshot.connection, row_id)

    def page_starts(self, reference: str) -> tuple[int, ...]:
        """Return the offset at which each page of a document's text begins, () where it has none."""
        with self.catalog().snapshot() as snapshot:
            row_id, _ = self._find(reference)
            return tuple(documents.structure_of(snapshot.connection, row_id)["pages"])

    def thumbnail(self, reference: str) -> bytes:
        """Return a small JPEG of a picture; raise `NotFound` where there is none."""
        with self.catalog().snapshot() as snapshot:
            row_id, document = self._find(reference)
            key = documents.picture_key(snapshot.connection, row_id)
        found = Thumbnails(self.settings.library).get(key) if key is not None else None
        if found is None:
            raise NotFound(f"There is no thumbnail of {document.title!r}.")
        return found

    def original(self, reference: str) -> bytes:
        """Return the content of a picture's file; raise `NotFound` where it is not there any more, or never was."""
        from indexer.originals import read_original

        with self.catalog().snapshot() as snapshot:
            row_id, document = self._find(reference)
            return read_original(snapshot.connection, row_id, document)

    def documents(
        self, *, filter: Mapping[str, Any] | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[Document], int]:
        """Return documents in the order they were added, and how many there are in all."""
        from search.filters import compile_filter

        if not 0 <= limit <= 1_000 or offset < 0:
            raise InvalidRequest("limit must be 0 to 1,000 and offset 0 or more.")
        where, params = compile_filter(filter) if filter is not None else ("1", [])
        with self.catalog().snapshot() as snapshot:
            total = snapshot.connection.execute(f"SELECT count(*) FROM documents d WHERE {where}", params).fetchone()[0]
            return documents.listing(snapshot.connection, where, params, limit, min(offset, 2**62)), int(total)

    def fields(self) -> list[Field]:
        """Return what a filter can name: what every document has, then its own metadata, the most frequent first."""
        with self.catalog().snapshot() as snapshot:
            return self.searcher.filters.fields(snapshot)

    def filter_notes(self, filter: Mapping[str, Any] | None) -> tuple[str, ...]:
        """Say what a filter may have been meant as: which fields no document has, and why it lets nothing through.

        `Response.degraded` has these notes, too.
        """
        with self.catalog().snapshot() as snapshot:
            return self.searcher.filters.notes(snapshot, filter)

    def roots(self) -> list[Root]:
        """Return the folders and files that are kept in sync."""
        from indexer import roots

        with self.catalog().snapshot() as snapshot:
            return roots.listed(snapshot.connection)

    def status(self) -> dict[str, Any]:
        """Return counts, models, roots and sizes, as `quarry status --json` prints them."""
        from indexer.doctor import status

        return status(self.catalog(), self.settings)

    def skipped(self) -> dict[str, str]:
        """Return why files and folders under the roots are passed by, by path."""
        from indexer.skipped import skipped

        return skipped(self.catalog())

    def doctor(self, *, repair: bool = False) -> list[Finding]:
        """Check everything against the catalog; with `repair`, rebuild what is derived and damaged."""
        from indexer.doctor import examine

        return examine(self.settings, repair=repair)

    # --- writing -----------------------------------------------------------------------------------------------

    def index(
        self,
        *paths: str | os.PathLike[str],
        text_fields: Sequence[str] = (),
        title_field: str = "",
        id_field: str = "",
        metadata: Mapping[str, Any] | None = None,
        prune: bool = False,
        verify: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Report:
        """Bring folders and files in sync, or every root there is where none is named.

        Args:
            text_fields, title_field, id_field: which fields of tables and records are the text, title and id.
            metadata: added to every document of these roots.
            prune: drop documents even where a root is missing or lost more than half of them.
            verify: hash every file instead of trusting size and times; try those again that failed.
            dry_run: only say what would be done.

        Returns:
            What was done; a file that can't be read is in `failed`, and stops nothing.
        """
        from indexer.report import NoProgress
        from indexer.roots import RootOptions
        from indexer.sync import Choice, sync

        options = None
        if text_fields or title_field or id_field or metadata:
            options = RootOptions(tuple(text_fields), title_field, id_field, dict(metadata or {}))
        with self._catalog_to_index(dry_run) as catalog:
            return sync(
                catalog,
                self._open_writer,
                [Path(path).expanduser() for path in paths],
                options,
                Choice(prune, verify, dry_run),
                progress or NoProgress(),
            )

    def add(self, texts: Sequence[Text]) -> list[str]:
        """Add documents that are not files; return their ids. All become visible at once."""
        from indexer.uploads import add

        return add(self._open_writer(create=True), texts)

    def add_file(self, data: bytes, name: str, metadata: Mapping[str, Any] | None = None) -> list[str]:
        """Add the documents of a file's content, read as its `name` says (`notes.md`); return their ids."""
        from indexer.uploads import add_file

        return add_file(self._open_writer(create=True), data, name, metadata or {})

    def delete(self, references: Sequence[str]) -> int:
        """Delete documents by id or URI, all or none; return how many there were.

        `undelete` brings them back, until `compact`. A document of a file that is still there comes back when that
        file changes.
        """
        rows = [self._find(reference)[0] for reference in references]
        from indexer.deleting import delete

        return delete(self.catalog(), rows)

    def undelete(self, references: Sequence[str] = ()) -> list[str]:
        """Bring deleted documents back by id or URI, all or none, or what was deleted last; return their ids.

        Raises:
            NotFound: nothing of the kind was deleted, or it was compacted away since.
            InvalidRequest: there is another document under such an id or URI now.
        """
        from indexer.deleting import undelete

        return undelete(self._open_writer(), references)

    def forget(self, root: str | os.PathLike[str]) -> int:
        """Stop syncing a root and drop its documents; return how many there were."""
        from indexer import roots
        from indexer.writer import commit

        path = uri_of(os.path.realpath(Path(root).expanduser()))
        return commit(self.catalog(), lambda connection: roots.forget(connection, path))

    def compact(self) -> None:
        """Merge all segments into one, drop what nothing refers to, and give space back."""
        from indexer.writer import compact

        compact(self.catalog())

    def reembed(
        self, text_model: str | None = None, image_model: str | None = None, *, progress: Progress | None = None
    ) -> Report:
        """Embed all stored text, or all pictures, anew by another model; searches change over at the end.

        With both models, the texts come first. A picture whose file is gone or has changed is read from its thumbnail.

        Returns:
            How many passages and pictures there are, how many were embedded, in `failed`, by URI, those that have no
            vector, and which were read `from_thumbnails`.

        Raises:
            InvalidRequest: no model is named.
            ModelMissing, ModelDamaged: one can't be used; nothing was changed.
            ModelError: it gives nothing of this library a usable vector; that of the texts may have taken over.
        """
        from indexer.wiring import reembed_by

        try:
            return reembed_by(self.catalog(), text_model, image_model, progress, self.settings.tell)
        finally:  # the library's own models, from now on
            named = self.settings
            self.settings = replace(
                named,
                text_model=None if text_model else named.text_model,
                image_model=None if image_model else named.image_model,
            )
            self.close()

    # --- inside ------------------------------------------------------------------------------------------------

    def catalog(self, *, create: bool = False) -> Catalog:
        """Return the open catalog; with `create`, make the library where there is none."""
        with self._lock:
            if self._catalog is None:
                self._catalog = Catalog(self.settings.library, writable=create, wait_s=self.settings.wait_s)
            return self._catalog

    @contextmanager
    def _catalog_to_index(self, dry_run: bool) -> Iterator[Catalog]:
        try:
            catalog = self.catalog(create=not dry_run)
        except NoLibrary:  # a dry run makes none: what would be done to an empty one?
            with (
                tempfile.TemporaryDirectory(prefix="quarry-") as directory,
                closing(Catalog(Path(directory), writable=True)) as empty,
            ):
                yield empty
        else:
            yield catalog

    def _open_writer(self, *, create: bool = False) -> Writer:
        from indexer.wiring import open_writer

        return open_writer(self.catalog(create=create), self.settings, self.searcher)

    def _find(self, reference: str) -> tuple[int, Document]:
        with self.catalog().snapshot() as snapshot:
            found = documents.find(snapshot.connection, reference)
        if found is None:
            raise NotFound(f"This library has no document with the id or path {reference!r}.")
        return found
