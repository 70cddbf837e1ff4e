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
from quarry.indexer.loaders.base import DEFAULTS, LoadOptions
from quarry.indexer.loaders.sandbox.sandbox import Sandbox, as_file
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

    def enrich(self, items: Sequence[Item]) -> list[Result | None]:
        """Look into files, a part at a time; a part that can't be looked at costs itself alone."""
        if self._kept is None:
            with self.running():
                return self.enrich(items)
        with deadline.holding(_TURN):
            if self._sandbox is None:
                self.open()
                folder = self._kept.enter_context(disks.temporary_folder("quarry-"))
                opened = Sandbox(timeout=self.limit_s, memory=self.memory, folder=folder)
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
    def options(self, parts: tuple[int, ...]) -> LoadOptions:
        """Return what has the child look at parts."""

    @abstractmethod
    def left(self, parts: tuple[int, ...], one: Parsed) -> tuple[int, ...]:
        """Return which of some parts are to be looked at when the child has given this."""

    @abstractmethod
    def result(self, found: Sequence[Parsed]) -> Result:
        """Return what is found in all that the child has given."""

    def _tried(self, sandbox: Sandbox, item: Item) -> Result | None:
        found: list[Parsed] = []
        try:
            for one in self._passages(sandbox, item):
                found.append(one)  # what came before an error counts
        except FileUnreadable:  # such as where memory was short: it is asked for again
            return None
        except LoadError as error:
            return Result.failure(error).after(self.result(found))
        return self.result(found)

    def _passages(self, sandbox: Sandbox, item: Item) -> Iterator[Parsed]:
        """Yield what the child gives, then raise what was wrong with the first part that it could not look at."""
        left, failed, wrong = item.parts, 0, list[FileMalformed]()
        with own_file(sandbox, item) as (path, name):
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
            raise wrong[0]


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
