"""What pages without text and pictures show, read by OCR in the confined child: passages with their page and box."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from quarry.indexer.enrichments.base import Pictured, Result, Said, Unread
from quarry.indexer.enrichments.confined import Confined, own_file
from quarry.indexer.loaders.base import GIBIBYTE, LoadOptions, Scanning
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.scans.base import Engine
from quarry.search.errors import FileMalformed, UnsupportedType
from quarry.search.types import Parsed

_FAILED = 8  # pages, one after the other, with which the rest is given up: each may take its time to fail


class Ocr(Confined[Pictured]):
    """Says what an engine reads in pictures of text."""

    name = "ocr"
    rendition = Unread()
    part_s = 120.0  # on two busy cores a page takes ten
    memory = 3 * GIBIBYTE // 2

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    @property
    def identity(self) -> str:
        """The engine with its version and languages, and how it is used."""
        return f"ocr 3, {self._engine.name} {self._engine.version}"

    def look(self, sandbox: Sandbox, item: Pictured) -> Result:
        """Read pictures, a page at a time."""
        with own_file(sandbox, item) as (path, name):
            pages = [page for page in self._pages(sandbox, path, name, item.parts) if page.text]
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
