"""The engines of a library's spaces, kept open: opening one again would read and check all that it keeps."""

from __future__ import annotations

import threading

from quarry.search.engines.base import OpenEngine, VectorEngine
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.spaces import Space


class OpenedVectors:
    """What searches and writes of one library share, each space opened when it is first asked for.

    Args:
        catalog: the library's.
        open_engine: opens the engine of a space.
    """

    def __init__(self, catalog: Catalog, open_engine: OpenEngine) -> None:
        self.catalog = catalog
        self._open = open_engine
        self._opened: dict[str, tuple[Space, VectorEngine]] = {}
        self._lock = threading.Lock()

    def of(self, space: Space) -> VectorEngine:
        """Return the engine of a space; that of a former one of its name, or of a former choice, is let go."""
        with deadline.holding(self._lock):
            known, engine = self._opened.get(space.name, (None, None))
            if engine is None or known is None or (known, known.engine) != (space, space.engine):
                engine = self._open(self.catalog, space)
                self._opened[space.name] = (space, engine)
            return engine
