"""Cards of models that write."""

from __future__ import annotations

from dataclasses import dataclass

from quarry.search.models.card import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingCard(Card):
    """A model that is asked in words and answers in words.

    Args:
        causal: whether it goes on from its prompt; a sequence-to-sequence model answers it.
    """

    causal: bool

    @property
    def stem(self) -> str:
        """Architecture and task."""
        return f"{self.family}-{'causal' if self.causal else 'seq2seq'}"
