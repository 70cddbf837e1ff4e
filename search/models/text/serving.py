"""Text encoders: a prepared model on ONNX Runtime and the tokenizers library, or the original itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelError
from quarry.search.models import prepared as models
from quarry.search.models.contracts import OfCard, TextEncoder, TokenStates
from quarry.search.models.graphs.outputs import averaged, with_outputs
from quarry.search.models.runtime import Session, available_cores, each, open_session
from quarry.search.models.text.card import TextCard
from quarry.search.models.text.cutting import tokens_of
from quarry.search.models.text.original import Task, load
from quarry.search.models.text.rows import WORDS, WordRows
from quarry.search.models.tokenizing import encodable
from quarry.search.types import Vectors

VECTOR = "sentence_embedding"  # what the graph gives
_SAME = 1e-4  # between a vector and the mean of its tokens
_CANDIDATES = 3  # of what a vector may be the mean of
_SLICE = 1_000_000  # characters tokenized at once by `token_offsets`


def serve(ready: models.Prepared[TextCard], *, threads: int | None = None) -> TextEncoder:
    """Return the encoder of a prepared model.

    Args:
        threads: how many texts are encoded at once; as many as there are cores where None.

    Raises:
        ModelDamaged: its files are not what they should be.
    """
    return TorchTextEncoder(ready) if ready.precision == "torch" else OnnxTextEncoder(ready, threads=threads)


class OnnxTextEncoder(OfCard[TextCard]):
    """A prepared model as a `TextEncoder`.

    Texts are run one at a time, unpadded, on as many threads as asked for: a text's vector never depends on what it
    is encoded with, to the last bit, and no time goes into padding. Threads may share one encoder. A text longer than
    the model's input is cut at its end; `token_offsets` lets a caller cut it better beforehand.

    Raises:
        ModelDamaged: a file is not what was written when the model was prepared.
    """

    def __init__(self, ready: models.Prepared[TextCard], *, threads: int | None = None) -> None:
        self.card = ready.card
        self.precision = ready.precision
        self.notice = ready.notice
        self._threads = max(1, threads or available_cores())
        with ThreadPoolExecutor(1) as pool:
            graph = pool.submit(ready.checked, models.GRAPH)  # hashed while the tokenizer is built
            self._tokens = tokens_of(ready)
        self._graph = graph.result()
        self._words = WordRows(ready, ready.card.dimension) if WORDS in ready.files else None
        self._session = open_session(self._graph)
        self._states: list[Session] | None = None
        self._states_lock = threading.Lock()
        self._room: int = self.card.max_tokens - self._tokens.added
        self._content: int = self._room - len(self._tokens.plain(self.card.document_prefix)[0])
        self._last: tuple[str, Vectors] | None = None  # a query is asked for by passages and by pictures

    @property
    def max_tokens(self) -> int:
        """Most content tokens that a document's passage may have before it is cut."""
        return self._content

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode queries, (n, dimension).

        Raises:
            ModelError: the model gives a text no usable vector.
        """
        last = self._last
        if len(texts) == 1 and last is not None and last[0] == texts[0]:
            return last[1].copy()
        vectors = self._encode(texts, self.card.query_prefix)
        if len(texts) == 1:
            self._last = (texts[0], vectors.copy())
        return vectors

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode passages of documents, (n, dimension).

        Raises:
            ModelError: the model gives a text no usable vector.
        """
        return self._encode(texts, self.card.document_prefix)

    def token_states(self, text: str) -> TokenStates | None:
        """Return what the vector of a document's text is the mean of, None where the model does not average tokens."""
        prefix = self.card.document_prefix
        ids, offsets = self._tokens.with_offsets(encodable(prefix + text), self._room)
        offsets = np.maximum(offsets - len(prefix), 0)
        taken = self._taken(ids) if ids.size else {}
        for session in self._state_sessions() if taken else ():
            (vector,), states = session.run(None, taken)
            if states.ndim == 3 and states.shape[1:] == (ids.size, vector.size):
                mean = states[0].astype(np.float64).mean(axis=0)
                length = float(np.linalg.norm(mean))
                if np.abs(mean / max(length, 1e-12) - vector).max() < _SAME:
                    return TokenStates(offsets, states[0] / np.float32(ids.size * length))
        return None

    def _taken(self, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return what the graph takes of (n,) tokens: themselves, or their rows in the table of words."""
        return {"input_ids": ids[None]} if self._words is None else {"word_embeddings": self._words.of(ids)[None]}

    def _state_sessions(self) -> Sequence[Session]:
        """Open the graph once more for each of what its vector may be the mean of, when that is first asked for."""
        with self._states_lock:
            if self._states is None:
                graph = self._graph.read_bytes()
                names = averaged(graph, VECTOR)[:_CANDIDATES]
                self._states = [open_session(with_outputs(graph, [name])) for name in names]
            return self._states

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """Return (n, 2) character offsets of the content tokens of `text`, however long it is.

        Very long texts are tokenized in slices that end at white space.
        """
        parts = []
        for start, piece in _slices(text):
            parts.append(self._tokens.plain(encodable(piece))[1] + start)
        return np.concatenate(parts) if parts else np.empty((0, 2), np.int64)

    def _encode(self, texts: Sequence[str], prefix: str) -> Vectors:
        vectors = np.empty((len(texts), self.card.dimension), np.float32)

        def encode(position: int) -> None:
            vectors[position] = self._vector(texts[position], prefix)

        each(len(texts), self._threads, encode)
        return vectors

    def _vector(self, text: str, prefix: str) -> Vectors:
        ids = self._tokens.ids(encodable(prefix + text), self._room)
        if ids.size == 0:
            raise ModelError(f"the model {self.card.name} has no token for {_excerpt(text)}.")
        vector: Vectors = self._session.run(None, self._taken(ids))[0][0]
        if not abs(float(vector @ vector) - 1.0) < 1e-3:  # also true of NaN
            raise ModelError(f"the model {self.card.name} gives no usable vector for {_excerpt(text)}.")
        return vector


class TorchTextEncoder(OfCard[TextCard]):
    """A `TextEncoder` of a model that can't be exported: sentence-transformers itself, slower and larger.

    `notice` says why it is used; loading it takes seconds.
    """

    precision = "torch"

    def __init__(self, ready: models.Prepared[TextCard]) -> None:
        card = self.card = ready.card
        self.notice = ready.notice
        self._original = load(card)
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

    def token_states(self, text: str) -> TokenStates | None:
        """Return None: what the original works out on the way is not known."""
        return None

    def _encode(self, texts: Sequence[str], task: Task) -> Vectors:
        vectors = np.empty((len(texts), self.card.dimension), np.float32)
        for position, text in enumerate(texts):
            with self._lock:
                vectors[position] = self._original.encode([encodable(text)], task)[0]
        bad = np.flatnonzero(np.isnan(vectors).any(axis=1))
        if bad.size:
            raise ModelError(f"the model {self.card.name} gives no usable vector for the text {texts[bad[0]][:40]!r}.")
        return vectors


def _excerpt(text: str) -> str:
    return f"the text {text[:40]!r}" + ("..." if len(text) > 40 else "")


def _slices(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = start + _SLICE
        if end < len(text):
            border = max(text.rfind(space, start, end) for space in (" ", "\n", "\t"))
            end = border if border > start else end
        yield start, text[start:end]
        start = end
