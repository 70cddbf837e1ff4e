"""What a text encoder is. Queries and documents are encoded apart: models may treat them differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from search.models.cards import Card
from search.types import Vectors


class TextEncoder(Protocol):
    """Text -> unit vectors, (n, dimension) float32, rows of length 1; never NaN, a text that gives one is an error.

    `identity` names everything that changes a vector (weights hash, pooling, prefixes, preprocessing, length); two
    encoders of the same identity are interchangeable. Precision and device are not part of it.
    `max_tokens` is how many content tokens (without the special ones and the document prefix) one text may have
    before it would be truncated.
    """

    card: Card

    @property
    def identity(self) -> str:
        """What changes when a vector would."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Content tokens that one document may have."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode what is looked for, with the model's query prefix."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode what is searched, with the model's document prefix."""
        ...

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """(n, 2) character offsets of the content tokens of `text`, in order, however long it is."""
        ...
