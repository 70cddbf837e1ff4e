from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quarry.search.errors import ModelError, ModelMissing
from quarry.search.models.loading import load_cross_encoder, load_reader
from quarry.search.models.pair.embedded import CARD
from quarry.search.models.pair.serving import Logits, PairModel, readings
from quarry.search.models.pair.windows import Window
from quarry.search.types import Reading
from tests.pair_folders import READER, SCORER, write

PASSAGE = "ab cd  ef gh"
TOKENS = [(0, 2), (3, 5), (5, 7), (7, 9), (10, 12)]  # the third is white space


def window(first: int, stop: int, spans: dict[tuple[int, int], float]) -> tuple[Window, Logits]:
    """A window over some of the tokens, in which a span's start logit is its score."""
    offsets = np.asarray(TOKENS[first:stop], np.int64)
    logits = np.full((2 + stop - first, 2), -20, np.float32)
    logits[0] = 0
    for (start, last), score in spans.items():
        logits[2 + start - first, 0] = score
        logits[2 + last - first, 1] = 0
    return Window(np.zeros(len(logits), np.int64), (2, len(logits)), offsets), logits


def test_spans_are_characters_of_the_passage_best_first() -> None:
    found = readings(PASSAGE, [window(0, 5, {(0, 1): 3, (3, 4): 5})], 5)
    assert found[:2] == [Reading(7, 12, 5.0), Reading(0, 5, 3.0)]
    assert readings(PASSAGE, [window(0, 5, {(0, 1): 3, (3, 4): 5})], 1) == found[:1]


def test_a_span_that_two_windows_show_counts_once_by_its_better_score() -> None:
    windows = [window(0, 4, {(3, 3): 2, (0, 0): 1}), window(2, 5, {(3, 3): 4})]
    assert readings(PASSAGE, windows, 2) == [Reading(7, 9, 4.0), Reading(0, 2, 1.0)]


def test_spans_of_several_windows_do_not_overlap() -> None:
    windows = [window(0, 4, {(1, 3): 2}), window(1, 5, {(3, 4): 4})]
    found = readings(PASSAGE, windows, 2)
    assert found[0] == Reading(7, 12, 4.0)
    assert all(span.end <= 7 for span in found[1:])


def test_white_space_is_no_answer_and_is_cut_off() -> None:
    assert readings(PASSAGE, [window(0, 5, {(2, 2): 9, (2, 3): 9, (1, 1): 1})], 1) == [Reading(3, 5, 1.0)]
    assert readings(PASSAGE, [window(0, 3, {(1, 2): 3})], 1) == [Reading(3, 5, 3.0)]
    assert readings(PASSAGE, [window(2, 3, {(2, 2): 9})], 1) == []


def test_a_model_that_is_not_prepared_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelMissing, match=r"'quarry-reader' is not prepared yet: run `quarry models --prepare`"):
        load_reader()
    reader, scorer = write(tmp_path / "reader", READER), write(tmp_path / "scorer", SCORER)
    with pytest.raises(ModelMissing, match=f"--prepare --reader {reader}`"):
        load_reader(str(reader))
    with pytest.raises(ModelMissing, match=f"--prepare --cross-encoder {scorer}`"):
        load_cross_encoder(str(scorer))


def test_a_logit_that_is_no_number_is_an_error() -> None:
    model = PairModel.__new__(PairModel)
    model.card, model._threads = replace(CARD, name="broken"), 2
    model._run = lambda ids: np.full((1, ids.size, 2), np.nan, np.float32)
    with pytest.raises(ModelError, match="the model broken gives no usable numbers"):
        model.logits_of([window(0, 5, {})[0]])
