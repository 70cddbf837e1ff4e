"""The library at one place on disk, opened when it is needed, and followed where another is put there.

Of a replica, what runs ends in the generation that it began in, and what begins takes the newest.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakSet

from quarry.api.uses import Uses
from quarry.search.config import Settings
from quarry.search.errors import NoLibrary
from quarry.search.models.live import NamedModels, SharedModels
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.replicas import EnteredGeneration
from quarry.search.wiring import Searcher

if TYPE_CHECKING:
    from quarry.indexer.parsers import Parsers
    from quarry.indexer.writer import Writer


@dataclass(slots=True)
class _Pinned:
    """What a use of a replica goes on with, though another generation came meanwhile."""

    catalog: Catalog
    entered: EnteredGeneration
    searcher: Searcher | None = None


class OpenLibrary:
    """What is open of a library, for many threads: what the functions that `api.library.Library` consists of share.

    Args:
        settings: how it is opened.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uses = Uses(f"The library at {settings.library}")
        self._lock = threading.RLock()
        self._catalog: Catalog | None = None
        self._searcher: Searcher | None = None
        self._opened: WeakSet[Catalog] = WeakSet()
        self._was_there = False
        self._parsers: Parsers | None = None
        self._inside = threading.local()  # what a thread has pinned

    @property
    def settings(self) -> Settings:
        """How it is opened."""
        return self._settings

    def change(self, settings: Settings) -> None:
        """Go on by other settings, which name other models."""
        with self._lock:
            self._settings, self._searcher = settings, None

    @contextmanager
    def used(self) -> Iterator[None]:
        """Use it in the block; raise `LibraryClosed` where it was closed."""
        with self._uses.one() as is_outermost:
            try:
                yield
            finally:
                if is_outermost:
                    self._unpin()

    def catalog(self, *, create: bool = False) -> Catalog:
        """Return the open catalog; with `create`, make the library where there is none.

        Where another library has taken its place, or another state of it, that one is opened; where none has, none is
        made: whoever moved it away is about to put one there.
        """
        held = Catalog.of_thread()
        with self.used():
            if held is not None and held in self._opened:
                return held  # what is being read is all from one library
            pinned = self._pinned
            if pinned is None:
                with deadline.holding(self._lock):
                    catalog = self._current(create)
                    if (entered := catalog.held()) is not None:
                        self._inside.pinned = _Pinned(catalog, entered)
            else:
                catalog = pinned.catalog
            return catalog

    @property
    def _pinned(self) -> _Pinned | None:
        return getattr(self._inside, "pinned", None)

    def _unpin(self) -> None:
        if (pinned := self._pinned) is not None:
            self._inside.pinned = None
            pinned.entered.leave()
            is_old = pinned.catalog is not self._catalog
            del pinned
            if is_old:
                gc.collect()  # searchers are parts of circles, and keep files of the disk that are mapped

    def _current(self, create: bool) -> Catalog:
        if self._catalog is not None and self._catalog.place.is_current() and self._catalog.is_newest():
            return self._catalog
        if self._catalog is not None:
            self._catalog.retire()
            self._catalog = self._searcher = None
            gc.collect()
        may_make = create and not self._was_there
        shared = self._settings.shared and may_make
        try:
            self._catalog = Catalog(
                self._settings.library, writable=may_make, wait_s=self._settings.wait_s, shared=shared
            )
        except NoLibrary as error:
            if self._was_there:
                raise NoLibrary(f"The library at {self._settings.library} is gone since it was opened.") from error
            raise
        if self._catalog.replica is not None and type(self._settings.live) is NamedModels:
            self._settings = replace(self._settings, live=SharedModels())
        self._opened.add(self._catalog)
        self._was_there = True
        return self._catalog

    @property
    def searcher(self) -> Searcher:
        """The live objects of the query side, of the catalog that is open."""
        with self.used(), self._lock:
            catalog, pinned = self.catalog(), self._pinned
            if pinned is not None and pinned.searcher is not None:
                return pinned.searcher
            if self._searcher is None or self._searcher.catalog is not catalog:
                self._searcher = Searcher(catalog, self._settings)
            if pinned is not None:
                pinned.searcher = self._searcher
            return self._searcher

    def writer(self, *, create: bool = False) -> Writer:
        """Return what writes documents; with `create`, make the library where there is none."""
        from quarry.indexer.wiring import open_writer

        self.catalog(create=create).lock.require()
        return open_writer(self._settings, self.searcher)

    def parsers(self) -> Parsers:
        """Return what reads files in child processes."""
        from quarry.indexer.parsers import PARSERS

        self._parsers = PARSERS
        return PARSERS

    def close(self) -> None:
        """Wait for what other threads run, and close connections; it can't be used after.

        Raises:
            LibraryClosed: by what runs in this thread, such as a progress callback, it can't be closed.
        """
        if not self._uses.end():
            return
        with self._lock:
            catalog, self._catalog, self._searcher = self._catalog, None, None
        if catalog is not None:
            catalog.close()
        if self._parsers is not None:
            self._parsers.close()
