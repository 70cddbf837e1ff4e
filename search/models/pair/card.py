"""Cards of models that look at two texts together: readers (question, passage) and cross-encoders (query, passage)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quarry.search.models.card import Card

PairTask = Literal["reader", "cross-encoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCard(Card):
    """A model of question and passage.

    Args:
        task: what it does: `reader` gives each token a logit to start and one to end the answer, `cross-encoder`
            gives the pair one logit.
        max_tokens: longest pair in tokens, special ones included.
        activation: what a cross-encoder makes its score of its logit with, `sigmoid` or `identity` mostly.
    """

    task: PairTask
    max_tokens: int
    activation: str = ""

    @property
    def stem(self) -> str:
        """Architecture and task."""
        return f"{self.family}-{self.task}"

    @property
    def option(self) -> str:
        """The option by which the command line names one."""
        return f"--{self.task}"
