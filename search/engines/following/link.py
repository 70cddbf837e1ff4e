"""The way to a store that may be down: opened when it is needed, left alone for a while where that failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from quarry.search.engines.following.store import Mark, OpenStore, VectorStore
from quarry.search.errors import EngineUnavailable, MissingExtra
from quarry.search.requests import deadline

AGAIN_S = 5.0  # after which one that was down is asked again
KNOWN_S = 1.0  # for which what a collection holds is believed to be so still: a query need not ask for it


class Link:
    """One collection of an engine, for many threads.

    Args:
        open_store: opens it; raises `EngineUnavailable`, or `MissingExtra` where a package is needed for it.
        dimension: of its vectors.
    """

    def __init__(self, open_store: OpenStore, dimension: int) -> None:
        self._open_store = open_store
        self._dimension = dimension
        self._lock = threading.Lock()
        self._opened: tuple[str, VectorStore] | None = None
        self._known: tuple[str, float, Mark | None] = ("", 0.0, None)
        self._failed: tuple[float, EngineUnavailable] | None = None

    @contextmanager
    def store(self, name: str) -> Iterator[VectorStore]:
        """Use the collection of that name in the block.

        Raises:
            EngineUnavailable: it can't be done, or could not be a moment ago.
            DeadlineExceeded: the time of the request is over, which says nothing of the engine.
        """
        self._refuse()
        try:
            yield self._open(name)
        except (EngineUnavailable, MissingExtra) as error:
            deadline.check()
            why = EngineUnavailable(str(error))
            self._failed, self._opened = (time.monotonic() + AGAIN_S, why), None
            raise why from error
        self._failed = None

    def mark(self, name: str) -> Mark | None:
        """Return what the collection holds, or held a moment ago; raise as `store` does, and as `VectorStore.mark`."""
        known, when, mark = self._known
        if known == name and time.monotonic() < when + KNOWN_S and self._failed is None:
            return mark
        with self.store(name) as store:
            mark = store.mark()
        self._known = (name, time.monotonic(), mark)
        return mark

    def changed(self) -> None:
        """Forget what the collection held; and that it was down, so that it is asked now."""
        self._known, self._failed = ("", 0.0, None), None

    def _refuse(self) -> None:
        """Raise why it was down a moment ago."""
        if self._failed is not None and time.monotonic() < self._failed[0]:
            raise self._failed[1]

    def _open(self, name: str) -> VectorStore:
        with deadline.holding(self._lock):
            self._refuse()  # who waited here while it was found to be down need not find it out again
            if self._opened is None or self._opened[0] != name:
                self._opened = (name, self._open_store(name, self._dimension))
            return self._opened[1]
