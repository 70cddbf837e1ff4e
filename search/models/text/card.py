"""Cards of text models: what changes the vectors of texts."""

from __future__ import annotations

from dataclasses import dataclass

from quarry.search.models.card import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCard(Card):
    """A text model.

    Args:
        dimension: length of a vector.
        query_prefix: put before every query.
        document_prefix: put before every document.
        max_tokens: longest input in tokens, special ones and prefix included.
        pooling: how token vectors become one: `mean`, `cls`, `max`, `lasttoken`, ..., several joined by "+".
        dense: number of linear layers after pooling.
        normalize: whether the model itself ends in vectors of length 1 (Quarry's always do).
        lower_case: whether text is lowercased before it reaches the tokenizer.
    """

    dimension: int
    max_tokens: int
    pooling: str = "mean"
    query_prefix: str = ""
    document_prefix: str = ""
    dense: int = 0
    normalize: bool = True
    lower_case: bool = False

    @property
    def stem(self) -> str:
        """Architecture, pooling and dimension."""
        return f"{self.family}-{self.pooling}-{self.dimension}"
