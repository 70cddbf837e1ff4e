"""What pages without text and pictures show, read by OCR in the confined child: passages with their page and box."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from quarry.indexer.enrichments.base import Enrichment, Pictured, Result, Said, Unread
from quarry.indexer.loaders.base import GIBIBYTE, LoadOptions, Scanning
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.scans.base import Engine
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.types import Parsed

_PAGE_S = 120.0  # that reading a page may take; on two busy cores it takes ten
_MEMORY = 3 * GIBIBYTE // 2


class Ocr(Enrichment):
    """Says what an engine reads in pictures of text."""

    name = "ocr"
    rendition = Unread()
    is_slow = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def identity(self) -> str:
        """The engine with its version and languages, and how it is used."""
        return f"ocr 1, {self._engine.name} {self._engine.version}"

    def enrich(self, items: Sequence[Pictured]) -> list[Result | None]:
        """Read pictures, a page at a time; a page that can't be read costs itself alone."""
        with Sandbox(timeout=_PAGE_S, memory=_MEMORY) as sandbox:
            return [self._read(sandbox, item) if item.path.is_file() else None for item in items]

    def _read(self, sandbox: Sandbox, item: Pictured) -> Result:
        said = []
        for page in self._pages(sandbox, item):
            if page.text:
                said.append(Said(page.text, page.place, page.metadata.get("confidence"), page.places))
        return Result(said=tuple(said))

    def _pages(self, sandbox: Sandbox, item: Pictured) -> Iterator[Parsed]:
        left = item.pages
        while True:
            options = LoadOptions(scans=Scanning(self._engine.name, left))
            try:
                with closing(sandbox.load(item.path, item.name, options)) as pages:
                    for page in pages:
                        yield page
                        left = left[1:]
                return
            except FileMalformed:
                left = left[1:]  # all but the one that it is about
                if not left:
                    return
            except LoadError:
                return
