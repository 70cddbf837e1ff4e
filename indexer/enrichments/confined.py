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
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.sandbox.endings import TookLong
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, UnsupportedType
from quarry.search.files import disks
from quarry.search.requests import deadline
from quarry.search.types import Parsed

Item = TypeVar("Item", Pictured, Recorded)
_TURN = threading.Lock()  # one looks at a time in a process: each takes its memory, and all of a core


class Confined(Enrichment, Generic[Item]):
    """An enrichment by a child of its own, which is kept while it is `running`.

    Attributes:
        gives_up: parts, one after the other, over which it fails before the rest is given up: each may take its time.
    """

    is_slow = True
    gives_up: ClassVar[int]

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
    def options(self, parts: tuple[int, ...]) -> LoadOptions:
        """Return what has the child look at parts."""

    @abstractmethod
    def left(self, parts: tuple[int, ...], one: Parsed) -> tuple[int, ...]:
        """Return which of some parts are to be looked at when the child has given this."""

    @abstractmethod
    def result(self, found: Sequence[Parsed]) -> Result:
        """Return what is found in all that the child has given."""

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
        return Sandbox(timeout=self.limit_s, memory=self.memory, folder=self._folder)

    def _take_no_more(self) -> None:
        if self._taken is not None:
            self._taken.close()
        self._taken = None

    def _tried(self, sandbox: Sandbox, item: Item) -> Result | None:
        found: list[Parsed] = []
        try:
            for one in self._passages(sandbox, item):
                found.append(one)  # what came before an error counts
        except FileUnreadable:  # such as where memory was short: it is asked for again
            return None
        except LoadError as error:
            return Result.failure(error, gives_up=not found).after(self.result(found))
        return self.result(found)

    def _passages(self, sandbox: Sandbox, item: Item) -> Iterator[Parsed]:
        """Yield what the child gives, then raise what was wrong with a part that it could not look at."""
        left, failed, wrong = item.parts, 0, list[FileMalformed]()
        with self.own_file(item) as (path, name):
            while failed < self.gives_up and (left or not failed):
                try:
                    with closing(sandbox.load(path, name, self.options(left))) as passages:
                        for one in passages:
                            if (rest := self.left(left, one)) != left:
                                left, failed = rest, 0
                            yield one
                    break
                except FileMalformed as error:
                    left, failed = left[1:], failed + 1  # all but the one that it is about
                    wrong.append(error)
                except UnsupportedType:
                    break
        if wrong:
            raise next((one for one in wrong if isinstance(one, TookLong)), wrong[0])  # it may not with another limit
