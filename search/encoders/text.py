"""Text encoders on ONNX Runtime and the tokenizers library, without torch or transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.encoders.base import OfCard, TextEncoder
from quarry.search.errors import ModelDamaged, ModelError, ModelMissing
from quarry.search.models import prepared as models
from quarry.search.models.cards import DEFAULT_TEXT_MODEL, Card
from quarry.search.models.runtime import available_cores, each, open_session
from quarry.search.types import Vectors

_SLICE = 1_000_000  # characters tokenized at once by `token_offsets`


def load_text_encoder(
    name: str = DEFAULT_TEXT_MODEL,
    *,
    prepare: bool = False,
    fetch: bool = True,
    progress: Callable[[str], None] | None = None,
    threads: int | None = None,
) -> TextEncoder:
    """Load the encoder of the text model called `name`.

    Args:
        name: the embedded model, a folder of a sentence-transformers model, or a hub name.
        prepare: export the model first where that was not done yet (seconds to minutes, needs torch).
        fetch: with `prepare`, fetch it from the hub where it is not on this machine.
        progress: is told in words what the export is doing.
        threads: how many texts are encoded at once; as many as there are cores where None.

    Raises:
        ModelMissing: no such model, or it is not prepared and `prepare` is not set.
        ModelDamaged: its files are not what they should be.
    """
    if prepare:
        from quarry.search.models.preparation import prepare as prepare_model

        ready: models.Prepared[Card] | None = prepare_model(name, progress, fetch=fetch)
    else:
        ready = models.prepared(models.resolve(name))
    if ready is None:
        raise ModelMissing(f"the text model {name!r} is not prepared yet: run `quarry models --prepare {name}`.")
    if ready.precision == "torch":
        from quarry.search.encoders.torch_text import TorchTextEncoder

        return TorchTextEncoder(ready.card, ready.notice)
    return OnnxTextEncoder(ready, threads=threads)


class OnnxTextEncoder(OfCard[Card]):
    """A prepared model as a `TextEncoder`.

    Texts are run one at a time, unpadded, on as many threads as asked for: a text's vector never depends on what it
    is encoded with, to the last bit, and no time goes into padding. Threads may share one encoder. A text longer than
    the model's input is cut at its end; `token_offsets` lets a caller cut it better beforehand.

    Raises:
        ModelDamaged: a file is not what was written when the model was prepared.
    """

    def __init__(self, ready: models.Prepared[Card], *, threads: int | None = None) -> None:
        self.card = ready.card
        self.precision = ready.precision
        self.notice = ready.notice
        self._threads = max(1, threads or available_cores())
        with ThreadPoolExecutor(1) as pool:
            graph = pool.submit(ready.checked, models.GRAPH)  # hashed while the tokenizer is built
            self._tokenizer = open_tokenizer(ready)
        self._session = open_session(graph.result())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._room: int = self.card.max_tokens - self._tokenizer.num_special_tokens_to_add(False)
        prefix = self._tokenizer.encode(self.card.document_prefix, add_special_tokens=False)
        self._content: int = self._room - len(prefix)
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

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """Return (n, 2) character offsets of the content tokens of `text`, however long it is.

        Very long texts are tokenized in slices that end at white space.
        """
        parts = []
        for start, piece in _slices(text):
            encoding = self._tokenizer.encode(encodable(piece), add_special_tokens=False)
            parts.append(np.asarray(encoding.offsets, np.int64).reshape(-1, 2) + start)
        return np.concatenate(parts) if parts else np.empty((0, 2), np.int64)

    def _encode(self, texts: Sequence[str], prefix: str) -> Vectors:
        vectors = np.empty((len(texts), self.card.dimension), np.float32)

        def encode(position: int) -> None:
            vectors[position] = self._vector(texts[position], prefix)

        each(len(texts), self._threads, encode)
        return vectors

    def _vector(self, text: str, prefix: str) -> Vectors:
        encoding = self._tokenizer.encode(encodable(prefix + text), add_special_tokens=False)
        encoding.truncate(self._room)
        ids = np.asarray([self._tokenizer.post_process(encoding).ids], np.int64)
        if ids.size == 0:
            raise ModelError(f"the model {self.card.name} has no token for {_excerpt(text)}.")
        vector: Vectors = self._session.run(None, {"input_ids": ids})[0][0]
        if not abs(float(vector @ vector) - 1.0) < 1e-3:  # also true of NaN
            raise ModelError(f"the model {self.card.name} gives no usable vector for {_excerpt(text)}.")
        return vector


def open_tokenizer(ready: models.Prepared[models.AnyCard]) -> Any:
    """Return the tokenizer of a prepared model, one of the tokenizers library.

    Raises:
        ModelDamaged: it is not what was written when the model was prepared.
    """
    from tokenizers import Tokenizer

    path = ready.checked(models.TOKENIZER)
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise ModelDamaged(f"{path} is unusable ({error}); {models.mend(ready.card)}.") from error


def encodable(text: str) -> str:
    """Replace lone surrogates, which are no text, each by one character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


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
