"""Hits made of texts: for tests of what is made of spans."""

from __future__ import annotations

from quarry.search.types import Document, Hit


def hit(text: str, id: str = "1", *, relevance: float = 0.5, start: int = 0, title: str = "") -> Hit:
    """Return a passage that begins at `start` of its document."""
    document = Document(f"d{id}", f"/notes/{id}.md", title, "text/markdown", {})
    return Hit(id, relevance, relevance, document, text, start, start + len(text))
