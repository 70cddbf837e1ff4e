"""A library in this process: what the command line, the server and Python users call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from quarry.api.deleting import Deleting
from quarry.api.followed import Followed
from quarry.api.texts import Text as Text
from quarry.search import arguments
from quarry.search.config import Settings, read_settings
from quarry.search.errors import InvalidRequest, NoLibrary
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.disks import temporary_folder
from quarry.search.types import KINDS, MODES, Group, Kind, Mode, Query, Rerank, Response, Vectors
from quarry.search.uris import expanded
from quarry.search.uses import Uses, used, used_for_any_time, used_to_write
from quarry.search.wiring import Searcher

if TYPE_CHECKING:
    from quarry.indexer.parsers import Parsers
    from quarry.indexer.report import Progress, Report
    from quarry.indexer.writer import Writer


class Library(Deleting):
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
        shared: make the library for this user's group, too, and not for its owner alone, whatever the umask; whoever
            writes to it later keeps to that.
        deadline_s: how many seconds a search may take before it is stopped and raises `DeadlineExceeded`, and what adds
            or deletes documents twenty times as long; the default is `QUARRY_DEADLINE`, then any time.
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
        shared: bool = False,
        deadline_s: float | None = None,
    ) -> None:
        for name, value in {
            "text_model": text_model, "image_model": image_model, "reader": reader, "cross_encoder": cross_encoder,
            "summarizer": summarizer, "generator": generator,
        }.items():  # fmt: skip
            if value is not None:
                arguments.path(value, name)
        self.settings: Settings = read_settings(
            None if directory is None else arguments.path(directory, "directory"),
            text_model,
            arguments.seconds(wait_s, "wait_s"),
            arguments.flag(prepare, "prepare"),
            image_model,
            reader=reader,
            cross_encoder=cross_encoder,
            summarizer=summarizer,
            generator=generator,
            tell=tell,
            shared=arguments.flag(shared, "shared"),
            deadline_s=None if deadline_s is None else arguments.seconds(deadline_s, "deadline_s"),
        )
        self.uses = Uses(f"The library at {self.settings.library}")
        self._parsers: Parsers | None = None
        self._open = Followed()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what other threads run, and close connections; the library can't be used after.

        Raises:
            LibraryClosed: by what runs in this thread, such as a progress callback, it can't be closed.
        """
        if not self.uses.end():
            return
        self._open.close()
        if self._parsers is not None:
            self._parsers.close()

    @property
    def deadline_s(self) -> float | None:
        """How many seconds a search may take."""
        return self.settings.deadline_s

    # --- searching ---------------------------------------------------------------------------------------------

    @used
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
        min_relevance: float | Literal["meant"] | None = 0.0,
        picture: str | os.PathLike[str] | bytes | None = None,
        like: str | os.PathLike[str] | None = None,
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
            min_relevance: leave out hits below it, 0 to 1; "meant" leaves out those that are not likely to be meant, as
                the command line does.
            picture: a picture to search with, the path of its file or the content; with `text`, both count.
            like: the id or URI of a document of the library, to search with instead: what is like a picture is found,
                or passages like those of a text.
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
        if picture is not None and like is not None:
            raise InvalidRequest("Give a picture to search with or what the hits should be like, not both.")
        vectors: Mapping[str, Vectors] | None = None
        if picture is not None:
            from quarry.indexer.query_pictures import QueryPictures

            reader = QueryPictures(self._open_parsers())
            if not isinstance(picture, bytes):
                picture = arguments.path(picture, "picture")
            vectors = {"image": reader.vector(picture, self.searcher.encoder("image"))}
        elif like is not None:
            row_id, document = self._find(like)
            vectors = self.searcher.like(row_id, document.kind)
            itself = {"id": {"$ne": document.id}}
            filter = itself if filter is None else {"$and": [filter, itself]}
        wanted = cast("tuple[Kind, ...]", arguments.texts(kinds, "kinds"))  # which there are is checked with the rest
        query = Query(text, mode, limit, offset, filter, explain, wanted, _least(min_relevance), vectors)
        query = replace(query, rerank=rerank, answer=answer, summarize=summarize, group=group)
        return self.searcher.search(query)

    @used
    def warm(self) -> None:
        """Load everything a search needs; raise the first cause why one can't be answered in full."""
        self.searcher.warm()

    @property
    def searcher(self) -> Searcher:
        """The live objects of the query side."""
        with self.uses.one():
            return self._open.searcher(self.settings)

    # --- writing -----------------------------------------------------------------------------------------------

    @used_for_any_time
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
        from quarry.indexer.prepared import checked_metadata
        from quarry.indexer.report import NoProgress
        from quarry.indexer.roots import RootOptions
        from quarry.indexer.sync import Choice, sync

        options = RootOptions(
            arguments.texts(text_fields, "text_fields"),
            arguments.text(title_field, "title_field"),
            arguments.text(id_field, "id_field"),
            checked_metadata({} if metadata is None else metadata, "index"),
        )
        choice = Choice(
            arguments.flag(prune, "prune"), arguments.flag(verify, "verify"), arguments.flag(dry_run, "dry_run")
        )
        with self._catalog_to_index(dry_run) as catalog:
            return sync(
                catalog,
                self._open_writer,
                [expanded(arguments.path(path, "path")) for path in paths],
                options if options != RootOptions() else None,
                choice,
                progress or NoProgress(),
            )

    @used_to_write
    def add(self, texts: Sequence[Text] | Text) -> list[str]:
        """Add documents that are not files; return their ids. All become visible at once."""
        from quarry.indexer.uploads import add

        texts = (texts,) if isinstance(texts, Text) else texts
        return add(self._open_writer(create=True), texts)

    @used_to_write
    def add_file(self, data: bytes | IO[bytes], name: str, metadata: Mapping[str, Any] | None = None) -> list[str]:
        """Add the documents of a file's content, read as its `name` says (`notes.md`); return their ids.

        A stream is read to its end; one that goes on beyond 256 MiB is refused.
        """
        from quarry.indexer.uploads import add_file

        writer = self._open_writer(create=True)
        return add_file(writer, self._open_parsers(), data, name, {} if metadata is None else metadata)

    @used_for_any_time
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
        from quarry.indexer.wiring import reembed_by

        for name, value in (("text_model", text_model), ("image_model", image_model)):
            if value is not None:
                arguments.path(value, name)
        try:
            return reembed_by(self.catalog(), text_model, image_model, progress, self.settings.tell)
        finally:  # the library's own models, from now on
            named = self.settings
            self.settings = replace(
                named,
                text_model=None if text_model else named.text_model,
                image_model=None if image_model else named.image_model,
            )
            self._open.forget_searcher()

    # --- inside ------------------------------------------------------------------------------------------------

    def catalog(self, *, create: bool = False) -> Catalog:
        """Return the open catalog; with `create`, make the library where there is none.

        Where another library has taken its place, or another state of it, that one is opened; where none has, none is
        made: whoever moved it away is about to put one there.
        """
        with self.uses.one():
            return self._open.catalog(self.settings, create=create)

    @contextmanager
    def _catalog_to_index(self, dry_run: bool) -> Iterator[Catalog]:
        try:
            catalog = self.catalog(create=not dry_run)
        except NoLibrary:  # a dry run makes none: what would be done to an empty one?
            with (
                temporary_folder("quarry-") as directory,
                closing(Catalog(directory, writable=True)) as empty,
            ):
                yield empty
        else:
            yield catalog

    def _open_writer(self, *, create: bool = False) -> Writer:
        from quarry.indexer.wiring import open_writer

        self.catalog(create=create)
        return open_writer(self.settings, self.searcher)

    def _open_parsers(self) -> Parsers:
        from quarry.indexer.parsers import PARSERS

        self._parsers = PARSERS
        return PARSERS


def _least(relevance: float | Literal["meant"] | None) -> float | None:
    """Return what `Query.min_relevance` calls it."""
    if relevance == "meant":
        return None
    return 0.0 if relevance is None else relevance
