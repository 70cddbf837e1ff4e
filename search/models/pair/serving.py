"""Readers and cross-encoders: question and passages -> the spans that answer it; query and passages -> how each fits.

Neither torch nor transformers is imported where the model was exported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelError
from quarry.search.language.particles import without_particle
from quarry.search.language.sentences import sentences
from quarry.search.language.units import completed
from quarry.search.models import prepared as models
from quarry.search.models.pair.card import PairCard
from quarry.search.models.pair.original import Logits, graph_module, load
from quarry.search.models.pair.spans import best_spans
from quarry.search.models.pair.windows import Ids, PairTokenizer, Window
from quarry.search.models.runtime import available_cores, each, open_session
from quarry.search.models.text.cutting import tokens_of
from quarry.search.models.text.rows import WORDS, WordRows
from quarry.search.types import Reading


def serve(ready: models.Prepared[PairCard], *, threads: int | None = None) -> OnnxReader | OnnxCrossEncoder:
    """Return the reader or cross-encoder of a prepared model.

    Args:
        threads: how many windows are read at once; as many as there are cores where None.

    Raises:
        ModelDamaged: its files are not what they should be.
    """
    return (OnnxReader if ready.card.task == "reader" else OnnxCrossEncoder)(ready, threads=threads)


class PairModel:
    """A prepared model of question and passage, on ONNX Runtime, or in torch where it can't be exported.

    Threads may share it. `notice` says why one is run by torch.

    Windows are run one at a time, unpadded, on as many threads as asked for, as texts are by `OnnxTextEncoder`.

    Raises:
        ModelDamaged: a file is not what was written when the model was prepared.
    """

    def __init__(self, ready: models.Prepared[PairCard], *, threads: int | None = None) -> None:
        self.card = ready.card
        self.precision = ready.precision
        self.notice = ready.notice
        self._threads = max(1, threads or available_cores())
        self.tokenizer = PairTokenizer(tokens_of(ready, literally=True), ready.card.max_tokens)
        self._run: Callable[[Ids], Logits]
        if ready.precision == "torch":
            self._run = TorchPair(ready.card)
        else:
            self._run = OnnxPair(ready)

    def logits(self, question: str, passages: Sequence[str]) -> list[list[tuple[Window, Logits]]]:
        """Return for each passage its windows, in their order, and what the model says of each.

        Raises:
            InvalidRequest: the question is longer than the model's input leaves room for.
            ModelError: a logit is not a number.
        """
        windows = [self.tokenizer.windows(question, passage) for passage in passages]
        values = iter(self.logits_of([window for part in windows for window in part]))
        return [[(window, next(values)) for window in part] for part in windows]

    def logits_of(self, windows: Sequence[Window]) -> list[Logits]:
        """Return what the model says of each window: (n, 2) of a reader, (1,) of a cross-encoder; raise ModelError."""
        values: list[Logits] = [np.empty(0, np.float32)] * len(windows)
        # The longest first: whichever is the last to end should be short.
        order = sorted(range(len(windows)), key=lambda place: -windows[place].ids.size)

        def run(turn: int) -> None:
            value = self._run(windows[order[turn]].ids[None])
            value = value[0] if value.ndim == 3 else value
            if not np.isfinite(value).all():
                raise ModelError(f"the model {self.card.name} gives no usable numbers for a passage.")
            values[order[turn]] = value

        each(len(order), self._threads, run)
        return values


class OnnxReader(PairModel):
    """A prepared model as a `Reader`."""

    def read(self, question: str, passages: Sequence[str], count: int = 1) -> list[list[Reading]]:
        """Return for each passage its best spans that do not overlap, best first, at most `count`, [] for none.

        Raises:
            InvalidRequest: the question is longer than the model's input leaves room for.
            ModelError: the model gives no usable numbers.
        """
        told = [(number, passage) for number, passage in enumerate(passages) if passage.strip()]
        found: list[list[Reading]] = [[] for _ in passages]
        for (number, passage), windows in zip(told, self.logits(question, [p for _, p in told]), strict=True):
            found[number] = readings(passage, windows, count)
        return found


class OnnxCrossEncoder(PairModel):
    """A prepared model as a `CrossEncoder`."""

    def score(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return (n,) logits, higher is better; a passage that is too long counts by the best of its windows.

        Raises:
            InvalidRequest: the query is longer than the model's input leaves room for.
            ModelError: the model gives no usable numbers.
        """
        windows = self.logits(query, passages)
        return np.asarray([max(float(logits[0]) for _, logits in part) for part in windows], np.float32)


class OnnxPair:
    """A prepared graph, and the words that it takes, if it has none."""

    def __init__(self, ready: models.Prepared[PairCard]) -> None:
        self._session = open_session(ready.checked(models.GRAPH))
        taken = {one.name: one.shape for one in self._session.get_inputs()}
        self._words = WordRows(ready, taken["word_embeddings"][-1]) if WORDS in ready.files else None

    def __call__(self, ids: Ids) -> Logits:
        """Return the logits of one window, (1, n) ids -> (1, n, 2) of a reader or (1,) of a cross-encoder."""
        taken: dict[str, Any] = {"input_ids": ids}
        if self._words is not None:
            taken["word_embeddings"] = self._words.of(ids[0])[None]
        return np.asarray(self._session.run(None, taken)[0])


class TorchPair:
    """What an exported graph would compute, in torch: slower and larger; loading it takes seconds."""

    def __init__(self, card: PairCard) -> None:
        self._module = graph_module(load(card))
        self._lock = threading.Lock()

    def __call__(self, ids: Ids) -> Logits:
        """Return the logits of one window, (1, n) ids -> (n, 2) of a reader or (1,) of a cross-encoder."""
        import torch

        with self._lock, torch.inference_mode():
            logits: Logits = self._module(torch.from_numpy(ids)).numpy()
        return logits


def readings(passage: str, windows: Sequence[tuple[Window, Logits]], count: int) -> list[Reading]:
    """Return the best spans of a passage that do not overlap, of all its windows, best first, at most `count`.

    A span lies within one sentence: one that goes on into the next is an answer with something else behind it. It ends
    within no word, number, date or amount.

    Args:
        passage: the text.
        windows: its windows, each with (n, 2) logits.
    """
    begins = np.asarray([start for start, _ in sentences(passage)], np.int64)
    spans = [span for window, logits in windows for span in _spans(passage, begins, window, logits, count)]
    chosen: list[Reading] = []
    for span in sorted(spans, key=lambda span: (-span.score, span.start, span.end)):
        if len(chosen) == count:
            break
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return chosen


def _spans(passage: str, begins: Ids, window: Window, logits: Logits, count: int) -> list[Reading]:
    starts, ends = logits[:, 0].copy(), logits[:, 1]
    first = window.passage[0]
    # Some tokenizers have tokens of nothing but white space, where no answer begins.
    blank = [not passage[start:end].strip() for start, end in window.offsets.tolist()]
    starts[first : window.passage[1]][np.asarray(blank, bool)] = -np.inf
    found = []
    numbers = np.searchsorted(begins, window.offsets[:, 0], "right")
    for span in best_spans(starts, ends, window.passage, count, sentences=numbers):
        start, end = int(window.offsets[span.first - first, 0]), int(window.offsets[span.last - first, 1])
        text = passage[start:end]
        start += len(text) - len(text.lstrip())
        start, end = completed(passage, start, start + len(text.strip()))
        found.append(Reading(start, without_particle(passage, start, end), span.score))
    return found
