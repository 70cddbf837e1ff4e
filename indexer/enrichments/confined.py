"""What looks into files themselves, in the confined child: pages that are read, minutes that are heard."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from quarry.indexer.enrichments.base import Enrichment, Pictured, Recorded, Result
from quarry.indexer.enrichments.taken_out import TakenOut
from quarry.indexer.loaders.sandbox.sandbox import NOT_NOW, Sandbox
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
        self._folder: Path
        self._taken: TakenOut | None = None

    def enrich(self, items: Sequence[Item]) -> list[Result | None]:
        """Look into files, a part at a time; a part that can't be looked at costs itself alone."""
        if self._kept is None:
            with self.running():
                return self.enrich(items)
        with deadline.holding(_TURN):
            if self._sandbox is None:
                self.open()
                self._folder = self._kept.enter_context(disks.temporary_folder("quarry-"))
                self._kept.callback(self._take_no_more)
                self._sandbox = self._kept.enter_context(closing(self._new_sandbox()))
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

    @contextmanager
    def own_file(self, item: Item) -> Iterator[tuple[Path, str]]:
        """Give the path and name of the file that holds an item; one within another is taken out to be looked at.

        Raises:
            LoadError: it can't be taken out.
        """
        if not item.key:
            yield item.path, item.name
            return
        taken = self._taken
        found = taken.file(item.key) if taken is not None and taken.path == item.path else None
        if taken is None or found is None:
            self._take_no_more()
            keys = [item.key, *item.beside()]
            self._taken = taken = TakenOut(self._new_sandbox(), item.path, item.name, keys, self._folder)
            found = taken.file(item.key)
            assert found is not None
        try:
            yield found
        finally:
            if len(item.parts) < item.AT_ONCE:  # else it comes again, with the parts that are left
                taken.drop(item.key)

    def _new_sandbox(self) -> Sandbox:
        return Sandbox(timeout=self.part_s, memory=self.memory, folder=self._folder)

    def _take_no_more(self) -> None:
        if self._taken is not None:
            self._taken.close()
        self._taken = None

    def _tried(self, sandbox: Sandbox, item: Item) -> Result | None:
        try:
            return self.look(sandbox, item)
        except NOT_NOW:  # it is asked for again
            return None
        except LoadError:
            return Result()
