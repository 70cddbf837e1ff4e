"""One that can't be had here now: what it found before stays, until it is back or turned off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quarry.indexer.enrichments.base import Enrichment, Rendition
from quarry.search.errors import ModelMissing


class Absent(Enrichment):
    """Looks at nothing.

    Args:
        name, identity, rendition: those of the one that is absent.
        advice: how it can be had.
    """

    is_slow = True
    rendition: Rendition  # type: ignore[misc]
    identity = ""

    def __init__(self, name: str, identity: str, rendition: Rendition, advice: str) -> None:
        self.name = name
        self.identity = identity
        self.rendition = rendition
        self._advice = advice

    def open(self) -> None:
        """Raise `ModelMissing`."""
        raise ModelMissing(self._advice)

    def enrich(self, items: Sequence[Any]) -> list[None]:
        """Look at none."""
        return [None] * len(items)
