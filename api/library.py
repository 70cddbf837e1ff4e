"""A library in this process: what the command line, the server and Python users call.

The class is a list of what can be done; what each member takes and does is told in the module that it is taken from.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

from quarry.api.members import (
    asking,
    counting,
    duplicates,
    embedding,
    engines,
    enriching,
    keeping,
    labelling,
    listing,
    mapping,
    outliers,
    reading,
    searching,
    summarizing,
    verifying,
    writing,
)
from quarry.api.methods import used, used_for_any_time, used_to_write
from quarry.api.opened import OpenLibrary
from quarry.indexer.texts import Text as Text
from quarry.search.config import ModelOptions, Settings, read_settings
from quarry.search.wiring import Searcher

if TYPE_CHECKING:
    from quarry.search.engines.table import Engines
    from quarry.search.models.live import LiveModels


class Library:
    """One library: `with Library("~/notes.quarry") as library: library.index("~/notes"); library.search("stars")`.

    Thread-safe. Nothing is loaded before it is needed: opening is free, the first search loads the encoder.

    Args:
        directory: where the library is; the default is `QUARRY_LIBRARY`, then the user's data folder.
        wait_s: how long a write waits for another process's batch before it raises `LibraryLocked`.
        prepare: export the model when the first document is added, where that was not done yet (seconds to minutes);
            without it, adding raises `ModelMissing`.
        tell: is told in words when a model is exported, which takes a while.
        shared: make the library for this user's group, too, and not for its owner alone, whatever the umask; whoever
            writes to it later keeps to that.
        deadline_s: how many seconds a search may take before it is stopped and raises `DeadlineExceeded`, and what adds
            or deletes documents twenty times as long; the default is `QUARRY_DEADLINE`, then any time.
        models: live ones (`quarry.search.models.live.GivenModels`), in place of those of this machine.
        engines: vector engines in place of the default, by the names of spaces: `{"text": "exact"}`, or what opens one
            (`quarry.search.engines.base.OpenEngine`).
        names: the fields of `ModelNames`, such as `text_model`; the default is `QUARRY_TEXT_MODEL` and so on.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        wait_s: float = 30.0,
        prepare: bool = True,
        tell: Callable[[str], None] | None = None,
        shared: bool = False,
        deadline_s: float | None = None,
        models: LiveModels | None = None,
        engines: Engines | None = None,
        **names: Unpack[ModelOptions],
    ) -> None:
        self.opened = OpenLibrary(
            read_settings(
                directory,
                wait_s=wait_s,
                prepare=prepare,
                tell=tell,
                shared=shared,
                deadline_s=deadline_s,
                live=models,
                engines=engines,
                **names,
            )
        )

    search = used(searching.search)
    warm = used(searching.warm)

    ask = used(asking.ask)
    choose = used(asking.choose)
    check = used_to_write(asking.check)
    ask_picture = used_to_write(asking.ask_picture)
    write = used_to_write(asking.write)
    summarize = used_to_write(summarizing.summarize)
    verify = used(verifying.verify)
    embed = used(embedding.embed)
    models = used(embedding.models)

    index = used_for_any_time(writing.index)
    watch = used_for_any_time(writing.watch)
    add = used_to_write(writing.add)
    add_file = used_to_write(writing.add_file)
    delete = used_to_write(writing.delete)
    undelete = used_to_write(writing.undelete)
    forget = used_to_write(writing.forget)
    enrich = used_for_any_time(enriching.enrich)
    enrichments = used(enriching.enrichments)
    reembed = used_for_any_time(writing.reembed)

    get = used(reading.get)
    text = used(reading.text)
    page_starts = used(reading.page_starts)
    thumbnail = used(reading.thumbnail)
    original = used(reading.original)
    open_original = used(reading.open_original)
    passages = used(reading.passages)
    documents = used(reading.documents)
    listing = used(listing.listing)
    label = used_for_any_time(labelling.label)
    label_sets = used(labelling.label_sets)
    duplicates = used(duplicates.duplicates)
    outliers = used(outliers.outliers)
    fields = used(reading.fields)
    facets = used(counting.facets)
    filter_notes = used(reading.filter_notes)
    map = used(mapping.map_of)

    move = used_for_any_time(engines.move)

    roots = used(keeping.roots)
    root_paths = used(writing.root_paths)
    status = used(keeping.status)
    skipped = used(keeping.skipped)
    doctor = used_for_any_time(keeping.doctor)
    compact = used_for_any_time(keeping.compact)
    backup = used_for_any_time(keeping.backup)
    export = used_for_any_time(keeping.export)
    import_file = used_for_any_time(keeping.import_file)

    catalog = used_for_any_time(OpenLibrary.catalog)

    @property
    def searcher(self) -> Searcher:
        """The live objects of the query side."""
        return self.opened.searcher

    @property
    def settings(self) -> Settings:
        """How it was opened."""
        return self.opened.settings

    @property
    def deadline_s(self) -> float | None:
        """How many seconds a search may take."""
        return self.settings.deadline_s

    def close(self) -> None:
        """Wait for what other threads run, and close connections; the library can't be used after.

        Raises:
            LibraryClosed: by what runs in this thread, such as a progress callback, it can't be closed.
        """
        self.opened.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
