"""What pages without text and pictures show, read by OCR in the confined child: passages with their page and box."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.indexer.enrichments.base import Pictured, Result, Said, Unread
from quarry.indexer.enrichments.confined import Confined
from quarry.indexer.loaders.base import GIBIBYTE, LoadOptions, Scanning
from quarry.indexer.loaders.scans.base import Engine
from quarry.search.types import Parsed


class Ocr(Confined[Pictured]):
    """Says what an engine reads in pictures of text."""

    name = "ocr"
    rendition = Unread()
    limit_s = 120.0  # of a page: on two busy cores one takes ten
    gives_up = 8
    memory = 3 * GIBIBYTE // 2

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    @property
    def identity(self) -> str:
        """The engine with its version and languages, and how it is used."""
        return f"ocr 3, {self._engine.name} {self._engine.version}"

    def options(self, parts: tuple[int, ...]) -> LoadOptions:
        """Have pages read, or a picture."""
        return LoadOptions(scans=Scanning(self._engine.name, parts))

    def left(self, parts: tuple[int, ...], one: Parsed) -> tuple[int, ...]:
        """Return the pages after the one that was read."""
        return parts[1:]

    def result(self, found: Sequence[Parsed]) -> Result:
        """Return what pages show, each with its lines."""
        pages = [page for page in found if page.text]
        return Result(
            said=tuple(Said(one.text, one.place, one.metadata.get("confidence"), one.places) for one in pages)
        )
