"""What readers are: models that look at a question and a passage together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.pair_cards import PairCard
from quarry.search.types import Reading


class Reader(Protocol):
    """Question and passages -> spans that answer it (extractive question answering).

    A passage longer than the model's input is read in windows that overlap. Many threads may share a reader.
    """

    card: PairCard

    def read(self, question: str, passages: Sequence[str], count: int = 1) -> list[list[Reading]]:
        """Return for each passage its best spans that do not overlap, best first, at most `count`, [] for none.

        The score of the first span, above 0 or not, says whether the reader would rather answer than decline.

        Raises:
            InvalidRequest: the question is longer than the model's input leaves room for.
            ModelError: the model gives no usable numbers.
        """
        ...


class CrossEncoder(Protocol):
    """Query and passages -> how well each passage fits it. Many threads may share one."""

    card: PairCard

    def score(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return (n,) logits, higher is better; a passage that is too long counts by the best of its windows.

        Raises:
            InvalidRequest: the query is longer than the model's input leaves room for.
            ModelError: the model gives no usable numbers.
        """
        ...
