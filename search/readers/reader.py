"""Readers on ONNX Runtime: question and passages -> the spans that answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from quarry.search.config import DEFAULT_READER
from quarry.search.readers.base import Reader
from quarry.search.readers.pairs import Logits, PairModel, load_pair
from quarry.search.readers.windows import Ids, Window
from quarry.search.sentences import sentences
from quarry.search.spans import best_spans
from quarry.search.types import Reading
from quarry.search.units import completed


def load_reader(
    name: str = DEFAULT_READER,
    *,
    prepare: bool = False,
    progress: Callable[[str], None] | None = None,
    threads: int | None = None,
) -> Reader:
    """Load the reader called `name`.

    Args:
        name: the embedded reader, a folder of a transformers model for question answering, or a hub name.
        prepare, progress: as `load_text_encoder`.
        threads: how many windows are read at once; as many as there are cores where None.

    Raises:
        ModelMissing: no such model, or it is not prepared and `prepare` is not set.
        ModelDamaged: its files are not what they should be.
    """
    return OnnxReader(load_pair(name, "reader", prepare, progress), threads=threads)


class OnnxReader(PairModel):
    """A prepared model as a `Reader`. One that can't be exported is run by torch; `notice` then says why."""

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
        found.append(Reading(*completed(passage, start, start + len(text.strip())), span.score))
    return found
