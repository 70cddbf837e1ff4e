"""One that is not installed any more, in whose place what it found stays until it is there again, or is turned off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quarry.indexer.enrichments.base import Enrichment, Result
from quarry.search.errors import ModelMissing


class Away(Enrichment):
    """Finds nothing, and says why.

    Args:
        kind: what it stands for.
        identity: of that, when it looked last.
        missing: what is to be installed.
    """

    is_slow = True

    def __init__(self, kind: type[Enrichment], identity: str, missing: str) -> None:
        self.name = kind.name
        self.rendition = kind.rendition  # type: ignore[misc]
        self._identity, self._missing = identity, missing

    @property
    def identity(self) -> str:
        """The one whose findings are kept."""
        return self._identity

    def open(self) -> None:
        """Say what is missing.

        Raises:
            ModelMissing: always.
        """
        raise ModelMissing(self._missing)

    def enrich(self, items: Sequence[Any]) -> list[Result | None]:
        """Look at nothing."""
        return [None] * len(items)
