"""How many words a document has."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.indexer.enrichments.base import Enrichment, Result


class Length(Enrichment):
    """Finds `words`, their number."""

    name = "length"
    identity = "length 1"

    def enrich(self, items: Sequence[str]) -> list[Result]:
        """Count the words of each text."""
        return [Result({"words": len(text.split())}) for text in items]
