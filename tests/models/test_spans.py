from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quarry.search.models.pair.spans import Span, best_spans

LOGITS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=12)


def by_trying_all(
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    first: int,
    stop: int,
    count: int,
    longest: int,
    sentences: Sequence[int],
) -> list[float]:
    """Return the scores of the best spans: each time the best of all that overlap none taken before."""
    spans = [
        (float(starts[i] + ends[j] - starts[0] - ends[0]), i, j)
        for i in range(first, stop)
        for j in range(i, min(stop, i + longest))
        if sentences[i - first] == sentences[j - first]
    ]
    taken: list[tuple[float, int, int]] = []
    for span in sorted(spans, key=lambda span: (-span[0], span[1], span[2])):
        if len(taken) < count and all(span[2] < i or j < span[1] for _, i, j in taken):
            taken.append(span)
    return [score for score, *_ in taken]


@given(
    logits=LOGITS, first=st.integers(1, 4), short=st.integers(0, 3), count=st.integers(0, 4), longest=st.integers(1, 5)
)
def test_spans_are_those_of_trying_all(
    logits: list[tuple[int, int]], first: int, short: int, count: int, longest: int
) -> None:
    starts, ends = np.asarray(logits, np.float32).T
    stop = len(logits) - short
    found = best_spans(starts, ends, (first, stop), count, longest)
    whole = [0] * len(logits)
    assert [span.score for span in found] == by_trying_all(starts, ends, first, stop, count, longest, whole)
    tokens = [set(range(span.first, span.last + 1)) for span in found]
    assert all(1 <= len(own) <= longest and min(own) >= first and max(own) < stop for own in tokens)
    assert len(set().union(*tokens)) == sum(map(len, tokens))
    assert all(span.score == starts[span.first] + ends[span.last] - starts[0] - ends[0] for span in found)


@given(logits=LOGITS, breaks=st.lists(st.booleans(), min_size=12, max_size=12), count=st.integers(1, 4))
def test_a_span_lies_within_a_sentence(logits: list[tuple[int, int]], breaks: list[bool], count: int) -> None:
    starts, ends = np.asarray(logits, np.float32).T
    sentences = np.cumsum(breaks)[: len(logits) - 1]
    found = best_spans(starts, ends, (1, len(logits)), count, 5, sentences)
    assert all(sentences[span.first - 1] == sentences[span.last - 1] for span in found)
    scores = by_trying_all(starts, ends, 1, len(logits), count, 5, sentences.tolist())
    assert [span.score for span in found] == scores


def test_a_score_is_against_no_answer() -> None:
    """The same passage weighs the same whatever is added to all logits of its window."""
    starts, ends = np.array([2, 5, 0], np.float32), np.array([1, 0, 4], np.float32)
    assert best_spans(starts, ends, (1, 3)) == [Span(1, 2, 6.0)]
    assert best_spans(starts + 10, ends - 3, (1, 3)) == [Span(1, 2, 6.0)]


def test_where_no_span_can_begin_there_is_none() -> None:
    starts = np.array([0, -np.inf, -np.inf], np.float32)
    assert best_spans(starts, np.zeros(3, np.float32), (1, 3), 2) == []


@pytest.mark.parametrize(("passage", "count"), [((3, 3), 1), ((1, 3), 0)])
def test_nothing_is_found_in_nothing(passage: tuple[int, int], count: int) -> None:
    assert best_spans(np.zeros(3, np.float32), np.zeros(3, np.float32), passage, count) == []
