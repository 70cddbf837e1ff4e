"""A reader that points at what it was told to, and hits made of texts: for tests of what is made of spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from quarry.search.models.pair.embedded import CARD
from quarry.search.types import Document, Hit, Reading


class ScriptedReader:
    """Finds the texts of `says` wherever they stand in a passage, each with its score; `asked` keeps what it read."""

    def __init__(self, says: Mapping[str, float]) -> None:
        self.card = replace(CARD, name="scripted")
        self.says = says
        self.asked: list[tuple[str, str]] = []

    def read(self, question: str, passages: Sequence[str], count: int = 1) -> list[list[Reading]]:
        self.asked += [(question, passage) for passage in passages]
        return [self._read(passage)[:count] for passage in passages]

    def _read(self, passage: str) -> list[Reading]:
        found = [
            Reading(passage.find(text), passage.find(text) + len(text), score)
            for text, score in self.says.items()
            if text in passage
        ]
        return sorted(found, key=lambda reading: -reading.score)


def hit(text: str, id: str = "1", *, relevance: float = 0.5, start: int = 0, title: str = "") -> Hit:
    """Return a passage that begins at `start` of its document."""
    document = Document(f"d{id}", f"/notes/{id}.md", title, "text/markdown", {})
    return Hit(id, relevance, relevance, document, text, start, start + len(text))
