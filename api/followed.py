"""What is open of the library at one place, and goes along with what is put there."""

from __future__ import annotations

import threading
from weakref import WeakSet

from quarry.search import deadline
from quarry.search.config import Settings
from quarry.search.errors import NoLibrary
from quarry.search.stores.catalog import Catalog
from quarry.search.wiring import Searcher


class Followed:
    """The catalog and the searcher of a library, opened when they are needed, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._catalog: Catalog | None = None
        self._searcher: Searcher | None = None
        self._was_there = False
        self._own: WeakSet[Catalog] = WeakSet()  # that were opened here

    def catalog(self, settings: Settings, *, create: bool = False) -> Catalog:
        """Return the open catalog; with `create`, make the library where there is none.

        Where another library has taken its place, or another state of it, that one is opened; where none has, none is
        made: whoever moved it away is about to put one there.
        """
        held = Catalog.of_thread()
        if held is not None and held in self._own:
            return held  # what is being read is all from one library
        with deadline.holding(self._lock):
            if self._catalog is not None and self._catalog.place.is_current():
                return self._catalog
            if self._catalog is not None:
                self._catalog.retire()
            self._catalog = self._searcher = None
            may_make = create and not self._was_there
            shared = settings.shared and may_make
            try:
                self._catalog = Catalog(settings.library, writable=may_make, wait_s=settings.wait_s, shared=shared)
            except NoLibrary as error:
                if self._was_there:
                    raise NoLibrary(f"The library at {settings.library} is gone since it was opened.") from error
                raise
            self._was_there = True
            self._own.add(self._catalog)
            return self._catalog

    def searcher(self, settings: Settings) -> Searcher:
        """Return the live objects of the query side, of the catalog that is open."""
        with self._lock:
            catalog = self.catalog(settings)
            if self._searcher is None or self._searcher.catalog is not catalog:
                self._searcher = Searcher(catalog, settings)
            return self._searcher

    def forget_searcher(self) -> None:
        """Have the searcher made anew, by other settings."""
        with self._lock:
            self._searcher = None

    def close(self) -> None:
        """Close the catalog, to be opened anew."""
        with self._lock:
            catalog, self._catalog, self._searcher = self._catalog, None, None
        if catalog is not None:
            catalog.close()
