"""What pages without text and pictures show, read by OCR in the confined child: passages with their page and box."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path

from quarry.indexer.enrichments.base import Enrichment, Pictured, Result, Said, Unread
from quarry.indexer.loaders.base import DEFAULTS, GIBIBYTE, LoadOptions, Scanning
from quarry.indexer.loaders.sandbox.sandbox import Sandbox, as_file
from quarry.indexer.loaders.scans.base import Engine
from quarry.search import deadline
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, UnsupportedType
from quarry.search.stores import disks
from quarry.search.types import Parsed

_PAGE_S = 120.0  # that reading a page may take; on two busy cores it takes ten
_FAILED = 8  # pages, one after the other, with which the rest is given up: each may take its time to fail
_MEMORY = 3 * GIBIBYTE // 2
_TURN = threading.Lock()  # one reader at a time in a process: each takes that memory, and all of a core


class Ocr(Enrichment):
    """Says what an engine reads in pictures of text."""

    name = "ocr"
    rendition = Unread()
    is_slow = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: ExitStack | None = None
        self._sandbox: Sandbox | None = None

    @property
    def identity(self) -> str:
        """The engine with its version and languages, and how it is used."""
        return f"ocr 2, {self._engine.name} {self._engine.version}"

    def enrich(self, items: Sequence[Pictured]) -> list[Result | None]:
        """Read pictures, a page at a time; a page that can't be read costs itself alone."""
        if self._kept is None:
            with self.running():
                return self.enrich(items)
        with deadline.holding(_TURN):
            sandbox = self._sandbox = self._sandbox or _opened(self._kept)
            return [self._read(sandbox, item) if item.path.is_file() else None for item in items]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the child from one batch to the next: it takes as long to start as to look at a hundred photos."""
        with ExitStack() as self._kept:
            try:
                yield
            finally:
                self._kept = self._sandbox = None

    def _read(self, sandbox: Sandbox, item: Pictured) -> Result | None:
        try:
            with _own_file(sandbox, item) as (path, name):
                pages = [page for page in self._pages(sandbox, path, name, item.pages) if page.text]
        except FileUnreadable:  # now, such as where memory was short: it is asked for again
            return None
        except LoadError:  # what holds it is damaged, or has changed
            return Result()
        return Result(
            said=tuple(Said(one.text, one.place, one.metadata.get("confidence"), one.places) for one in pages)
        )

    def _pages(self, sandbox: Sandbox, path: Path, name: str, left: tuple[int, ...]) -> Iterator[Parsed]:
        failed = 0
        while True:
            options = LoadOptions(scans=Scanning(self._engine.name, left))
            try:
                with closing(sandbox.load(path, name, options)) as pages:
                    for page in pages:
                        yield page
                        left, failed = left[1:], 0
                return
            except FileMalformed:
                left, failed = left[1:], failed + 1  # all but the one that it is about
                if not left or failed == _FAILED:
                    return
            except UnsupportedType:
                return


def _opened(until: ExitStack) -> Sandbox:
    folder = until.enter_context(disks.temporary_folder("quarry-"))
    return until.enter_context(closing(Sandbox(timeout=_PAGE_S, memory=_MEMORY, folder=folder)))


@contextmanager
def _own_file(sandbox: Sandbox, item: Pictured) -> Iterator[tuple[Path, str]]:
    """Give the path and name of the file that shows it; one within another is taken out for as long as the block runs.

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
