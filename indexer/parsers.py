"""The parsers of a process: whatever is handed over at once, as many as fit into one budget of memory together.

What is handed over is mostly small: two files are read beside each other, each with half of the budget. One that turns
out to need more is read again, alone, with all of it. What comes meanwhile waits its turn, for some time.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from quarry.indexer.loaders.base import GIBIBYTE, LoadOptions
from quarry.indexer.loaders.sandbox.endings import Greedy
from quarry.indexer.loaders.sandbox.sandbox import Sandbox, as_file
from quarry.indexer.loaders.sandbox.wire import FilePart
from quarry.search.errors import Busy
from quarry.search.types import Parsed

BUDGET = 2 * GIBIBYTE  # bytes of address space that all parsers may have together
SHARE = BUDGET // 2  # of one
WAIT_S = 30.0
WAITING = 64


class Parsers:
    """Reads files in child processes that are kept for the next; for use by many threads.

    Args:
        wait_s: how long a file waits for its turn.
    """

    def __init__(self, budget: int = BUDGET, share: int = SHARE, wait_s: float = WAIT_S) -> None:
        self._budget = self._free = budget
        self._share = share
        self._wait_s = wait_s
        self._waiting: deque[object] = deque()
        self._idle: list[Sandbox] = []
        self._changed = threading.Condition()

    def load(self, content: Path | bytes | IO[bytes], name: str, options: LoadOptions) -> Generator[Parsed, None, None]:
        """Load a file, or content that is none, as `Sandbox` does; the turn ends with the generator.

        Raises:
            LoadError: it can't be read.
            Busy: its turn did not come in time.
        """
        with as_file(content, options.max_bytes) if not isinstance(content, Path) else nullcontext(content) as path:
            begun = False
            try:
                with self._parser() as sandbox, closing(sandbox.load(path, name, options)) as items:
                    for item in items:
                        begun = True
                        yield item
                return
            except Greedy:
                if begun:  # what was given can't be taken back
                    raise
            with (
                self._turn(self._budget),
                Sandbox(memory=self._budget) as sandbox,
                closing(sandbox.load(path, name, options)) as items,
            ):
                yield from items

    def extract(self, path: Path, wanted: Collection[str]) -> Generator[FilePart, None, None]:
        """Take files out of another one, as `Sandbox` does; raise as `load` does."""
        with self._parser() as sandbox, closing(sandbox.extract(path, wanted)) as pieces:
            yield from pieces

    def close(self) -> None:
        """End the children that are kept; those that work are ended when they have done so."""
        with self._changed:
            idle, self._idle = self._idle, []
        for sandbox in idle:
            sandbox.close()

    @contextmanager
    def _parser(self) -> Iterator[Sandbox]:
        with self._turn(self._share):
            with self._changed:
                sandbox = self._idle.pop() if self._idle else Sandbox(memory=self._share)
            try:
                yield sandbox
            except BaseException:
                with self._changed:
                    self._idle.append(sandbox)  # it has ended its child where that did not come to its end
                raise
            with self._changed:
                self._idle.append(sandbox)

    @contextmanager
    def _turn(self, memory: int) -> Iterator[None]:
        """Wait for `memory` bytes of the budget, first come, first served; all of it is had without idle children."""
        turn = object()
        with self._changed:
            if len(self._waiting) >= WAITING:
                raise Busy("Too many files wait to be read; try again later.")
            self._waiting.append(turn)
            try:
                if not self._changed.wait_for(lambda: self._waiting[0] is turn and self._free >= memory, self._wait_s):
                    raise Busy(f"Other files are being read; waited {self._wait_s:g} s. Try again later.")
                self._free -= memory
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()
        try:
            if memory > self._share:
                self.close()
            yield
        finally:
            with self._changed:
                self._free += memory
                self._changed.notify_all()


PARSERS = Parsers()  # of this process
os.register_at_fork(after_in_child=PARSERS.__init__)  # type: ignore[misc]  # the children are the parent's
