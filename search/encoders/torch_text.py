"""The text encoder of models that can't be exported: sentence-transformers itself, slower and larger."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import OfCard
from search.errors import ModelError
from search.models import sources
from search.models.cards import Card
from search.types import Vectors


class TorchTextEncoder(OfCard[Card]):
    """A `TextEncoder` over sentence-transformers. `notice` says why it is used; importing it takes seconds.

    Texts are encoded one at a time, so that a vector does not depend on what it is encoded with.
    """

    precision = "torch"

    def __init__(self, card: Card, notice: str = "") -> None:
        from sentence_transformers import SentenceTransformer

        self.card = card
        self.notice = notice
        self._model: Any = SentenceTransformer(
            str(sources.folder_of(card)), device="cpu", local_files_only=True, trust_remote_code=False
        )
        self._model.max_seq_length = card.max_tokens
        self._tokenizer: Any = self._model.tokenizer
        self._lock = threading.Lock()
        special = len(self._tokenizer("")["input_ids"])
        prefix = len(self._tokenizer(card.document_prefix)["input_ids"]) - special
        self._content = card.max_tokens - special - prefix

    @property
    def max_tokens(self) -> int:
        """Most content tokens that a document's passage may have before it is cut."""
        return self._content

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode queries, (n, dimension); ModelError where the model gives no usable vector."""
        return self._encode(texts, self.card.query_prefix)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode passages of documents, (n, dimension); ModelError where the model gives no usable vector."""
        return self._encode(texts, self.card.document_prefix)

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """Return (n, 2) character offsets of the content tokens of `text`.

        A tokenizer that knows no offsets is taken to have a token of every four characters, and of every non-ASCII one.
        """
        if self._tokenizer.is_fast:
            with self._lock:
                encoding = self._tokenizer(
                    text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
                )
            return np.asarray(encoding["offset_mapping"], np.int64).reshape(-1, 2)
        return _guessed_offsets(text)

    def _encode(self, texts: Sequence[str], prefix: str) -> Vectors:
        vectors = np.empty((len(texts), self.card.dimension), np.float32)
        for position, text in enumerate(texts):
            with self._lock:
                vectors[position] = self._model.encode(
                    prefix + text, prompt="", normalize_embeddings=True, show_progress_bar=False
                )
        norms = np.einsum("ij,ij->i", vectors, vectors)
        if not np.all(np.abs(norms - 1.0) < 1e-3):
            bad = int(np.flatnonzero(~(np.abs(norms - 1.0) < 1e-3))[0])
            raise ModelError(f"the model {self.card.name} gives no usable vector for the text {texts[bad][:40]!r}.")
        return vectors


def _guessed_offsets(text: str) -> NDArray[np.int64]:
    starts = []
    run = 0
    for position, character in enumerate(text):
        if character.isspace():
            run = 0
        elif not character.isascii() or run % 4 == 0:
            starts.append(position)
            run = 1
        else:
            run += 1
    ends = []
    for start, following in zip(starts, [*starts[1:], len(text)], strict=True):
        ends.append(start + len(text[start:following].rstrip()))
    return np.asarray([starts, ends], np.int64).T.reshape(-1, 2)
