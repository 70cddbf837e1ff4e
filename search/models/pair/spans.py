"""Spans from a reader's logits: pure functions over NumPy arrays.

A window is `[CLS] question [SEP] passage [SEP]`. The reader gives each of its tokens a logit to start and one to end
the answer; position 0, which can't be part of an answer, stands for "no answer". The score of a span is

    start[i] + end[j] - (start[0] + end[0])

as BERT scores spans against the null one (Devlin et al. 2019, section 4.3). It is a log odds ratio, so that scores can
be compared across windows and passages, where probabilities of each window's own softmax can't.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 40  # tokens of an answer


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens `first` to `last` of a window, both included, and their null-corrected score."""

    first: int
    last: int
    score: float


def best_spans(
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    passage: tuple[int, int],
    count: int = 1,
    longest: int = LONGEST,
    sentences: NDArray[np.int64] | None = None,
) -> list[Span]:
    """Return the best spans that do not overlap, best first.

    Args:
        starts, ends: (n,) logits of a window's tokens.
        passage: the window's tokens that are the passage, end-exclusive.
        count: at most so many.
        longest: tokens of a span at most.
        sentences: (stop - first,) the number of the sentence of each of the passage's tokens: a span lies within one.
    """
    first, stop = passage
    if stop <= first or count < 1:
        return []
    table = starts[first:stop, None] + ends[None, first:stop]
    distance = np.arange(stop - first)[None, :] - np.arange(stop - first)[:, None]
    allowed = (distance >= 0) & (distance < longest)
    if sentences is not None:
        allowed &= sentences[:, None] == sentences[None, :]
    table = np.where(allowed, table, -np.inf) - (starts[0] + ends[0])
    found: list[Span] = []
    while len(found) < count:
        start, end = divmod(int(table.argmax()), stop - first)
        score = float(table[start, end])
        if not np.isfinite(score):
            break
        found.append(Span(first + start, first + end, score))
        # What overlaps starts before its end and ends after its start.
        table[: end + 1, start:] = -np.inf
    return found
