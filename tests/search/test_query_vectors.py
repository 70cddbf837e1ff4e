"""Vectors of queries are kept, shared, and what they would be alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from quarry.search.errors import DeadlineExceeded, ModelError
from quarry.search.models.fake import FakeTextEncoder
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.query_vectors import QueryVectors
from quarry.search.requests.deadline import Deadline
from quarry.search.types import Vectors


class Slow(FakeTextEncoder):
    """An encoder that waits to be let on."""

    def __init__(self, name: str = "fake") -> None:
        super().__init__(name=name)
        self.began, self.go_on = threading.Event(), threading.Event()
        self.asked: Counter[str] = Counter()
        self.error: Exception | None = None

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        self.asked.update(texts)
        self.began.set()
        assert self.go_on.wait(20)
        if self.error is not None:
            raise self.error
        return super().encode_queries(texts)


def test_a_query_that_comes_again_is_not_encoded_again() -> None:
    told: list[str] = []
    lately, encoder = QueryVectors(tell=told.append), Slow()
    encoder.go_on.set()
    first, again = lately.of(encoder, "stars"), lately.of(encoder, "stars")
    assert np.array_equal(first, again) and told == ["encoded", "cached"]
    other = Slow("another")
    other.go_on.set()
    lately.of(other, "stars")
    assert told[-1] == "encoded"
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 1


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    encoder = Slow()
    encoder.go_on.set()
    size = QueryVectors()
    size.of(encoder, "a")
    lately = QueryVectors(room=2 * size.bytes)
    for text in ("a", "b", "a", "c", "a", "b"):
        lately.of(encoder, text)
    assert encoder.asked == {"a": 2, "b": 2, "c": 1} and lately.bytes == 2 * size.bytes


@pytest.mark.parametrize("error", [None, ModelError("no")])
def test_who_asks_for_the_same_at_once_shares_it(error: ModelError | None) -> None:
    told: list[str] = []
    lately, encoder = QueryVectors(tell=told.append), Slow()
    encoder.error = error
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(lately.of, encoder, "stars") for _ in range(8)]
        encoder.began.wait(20)
        encoder.go_on.set()
        assert {type(one.exception(20)) for one in asked} == {type(error)}
    if error is None:
        assert encoder.asked["stars"] == 1 and told.count("encoded") == 1


def test_another_requests_end_is_not_ones_own() -> None:
    lately, encoder = QueryVectors(), Slow()
    encoder.error = DeadlineExceeded("the time of the first is over")
    with ThreadPoolExecutor(1) as pool, Deadline(0.1).current():
        first = pool.submit(lately.of, encoder, "stars")
        encoder.began.wait(20)
        with pytest.raises(DeadlineExceeded, match=r"0\.1 s"):
            lately.of(encoder, "stars")
        encoder.go_on.set()
        assert first.exception(20) is encoder.error
    encoder.error = None
    assert lately.of(encoder, "stars") is not None


def test_a_vector_is_the_same_as_alone() -> None:
    """To the last bit, whoever asks for something else meanwhile."""
    encoder = load_text_encoder("all-MiniLM-L6-v2")
    texts = [f"how do stars form in cloud number {at}" for at in range(12)]
    alone = [encoder.encode_queries([text])[0].copy() for text in texts]
    lately = QueryVectors()
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda text: lately.of(encoder, text), texts * 3))
    assert all(np.array_equal(one, other) for one, other in zip(together, alone * 3, strict=True))
