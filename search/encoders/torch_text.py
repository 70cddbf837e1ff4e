"""The text encoder of models that can't be exported: sentence-transformers itself, slower and larger."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quarry.search.encoders.base import OfCard
from quarry.search.encoders.text import encodable
from quarry.search.errors import ModelError
from quarry.search.models.cards import Card
from quarry.search.models.text_originals import Task, TextOriginal
from quarry.search.types import Vectors


class TorchTextEncoder(OfCard[Card]):
    """A `TextEncoder` over sentence-transformers. `notice` says why it is used; importing it takes seconds."""

    precision = "torch"

    def __init__(self, card: Card, notice: str = "") -> None:
        self.card = card
        self.notice = notice
        self._original = TextOriginal(card)
        self._lock = threading.Lock()
        prefix = len(self._original.token_offsets(card.document_prefix))
        self._content = card.max_tokens - self._original.special_tokens - prefix

    @property
    def max_tokens(self) -> int:
        """Most content tokens that a document's passage may have before it is cut."""
        return self._content

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode queries, (n, dimension); ModelError where the model gives no usable vector."""
        return self._encode(texts, "query")

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode passages of documents, (n, dimension); ModelError where the model gives no usable vector."""
        return self._encode(texts, "document")

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """Return (n, 2) character offsets of the content tokens of `text`, guessed where its tokenizer knows none."""
        with self._lock:
            return self._original.token_offsets(encodable(text))

    def _encode(self, texts: Sequence[str], task: Task) -> Vectors:
        vectors = np.empty((len(texts), self.card.dimension), np.float32)
        for position, text in enumerate(texts):
            with self._lock:
                vectors[position] = self._original.encode([encodable(text)], task)[0]
        bad = np.flatnonzero(np.isnan(vectors).any(axis=1))
        if bad.size:
            raise ModelError(f"the model {self.card.name} gives no usable vector for the text {texts[bad[0]][:40]!r}.")
        return vectors
