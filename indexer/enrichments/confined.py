"""What looks into files themselves, in the confined child: pages that are read, minutes that are heard."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from quarry.indexer.enrichments.base import Enrichment, Pictured, Recorded, Result
from quarry.indexer.loaders.base import DEFAULTS
from quarry.indexer.loaders.sandbox.sandbox import NOT_NOW, Sandbox, as_file
from quarry.search.errors import LoadError
from quarry.search.files import disks
from quarry.search.requests import deadline

Item = TypeVar("Item", Pictured, Recorded)
_TURN = threading.Lock()  # one looks at a time in a process: each takes its memory, and all of a core


class Confined(Enrichment, Generic[Item]):
    """An enrichment by a child of its own, which is kept while it is `running`.

    Attributes:
        part_s: seconds that looking at a part, a page or a minute, may take.
    """

    is_slow = True
    part_s: ClassVar[float]

    def __init__(self) -> None:
        self._kept: ExitStack | None = None
        self._sandbox: Sandbox | None = None

    def enrich(self, items: Sequence[Item]) -> list[Result | None]:
        """Look into files, a part at a time; a part that can't be looked at costs itself alone."""
        if self._kept is None:
            with self.running():
                return self.enrich(items)
        with deadline.holding(_TURN):
            if self._sandbox is None:
                self.open()
                folder = self._kept.enter_context(disks.temporary_folder("quarry-"))
                opened = Sandbox(timeout=self.part_s, memory=self.memory, folder=folder)
                self._sandbox = self._kept.enter_context(closing(opened))
            sandbox = self._sandbox
            return [self._tried(sandbox, item) if item.path.is_file() else None for item in items]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the child from one batch to the next: it takes as long to start as to look at a hundred photos."""
        with ExitStack() as self._kept:
            try:
                yield
            finally:
                self._kept = self._sandbox = None

    @property
    @abstractmethod
    def memory(self) -> int:
        """Bytes that the child may take."""

    @abstractmethod
    def look(self, sandbox: Sandbox, item: Item) -> Result:
        """Return what is found in a file.

        Raises:
            FileUnreadable, TookLong: it can't be looked at now, such as where memory or time was short.
            LoadError: what holds it is damaged, or has changed.
        """

    def _tried(self, sandbox: Sandbox, item: Item) -> Result | None:
        try:
            return self.look(sandbox, item)
        except NOT_NOW:  # it is asked for again
            return None
        except LoadError:
            return Result()


@contextmanager
def own_file(sandbox: Sandbox, item: Pictured | Recorded) -> Iterator[tuple[Path, str]]:
    """Give the path and name of the file that holds it; one within another is taken out for as long as the block runs.

    Raises:
        LoadError: it can't be taken out.
    """
    if item.key:
        with closing(sandbox.extract(item.path, item.key, item.name)) as pieces:
            if first := next(pieces, None):
                rest = (piece.data for piece in chain([first], pieces))
                with as_file(rest, DEFAULTS.max_bytes) as path:
                    yield path, Path(first.name).name
                    return
    yield item.path, item.name
