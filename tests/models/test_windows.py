from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tokenizers import Tokenizer

from quarry.search.errors import InvalidRequest
from quarry.search.models.pair.windows import PairTokenizer, Window
from quarry.search.models.text.embedded import embedded_folder
from quarry.search.models.text.tokens import LibraryTokens

CLS, SEP = 101, 102


@pytest.fixture(scope="module")
def pairs() -> PairTokenizer:
    tokenizer = Tokenizer.from_file(str(embedded_folder() / "tokenizer.json"))
    return PairTokenizer(LibraryTokens(tokenizer, literally=True), 512)


def covered(passage: str, window: Window) -> str:
    return passage[window.offsets[0, 0] : window.offsets[-1, 1]]


def test_a_short_passage_is_one_window(pairs: PairTokenizer) -> None:
    passage = "The tower is 98 metres high."
    (window,) = pairs.windows("how high", passage)
    ids = window.ids.tolist()
    assert (ids[0], ids[3], ids[-1]) == (CLS, SEP, SEP)
    assert window.passage == (4, len(ids) - 1)
    assert [passage[start:end] for start, end in window.offsets] == [
        *["The", "tower", "is", "98", "metres", "high"],
        ".",
    ]


def test_windows_cover_a_long_passage_and_overlap(pairs: PairTokenizer) -> None:
    passage = " ".join(f"word{number}" for number in range(900))
    windows = pairs.windows("which word", passage)
    assert len({window.ids.size for window in windows}) == 1
    assert windows[0].ids.size == 384
    assert windows[0].offsets[0, 0] == 0
    assert windows[-1].offsets[-1, 1] == len(passage)
    for window, following in pairwise(windows):
        shared = window.offsets[:, 0] >= following.offsets[0, 0]
        assert shared.sum() >= 128
        first, stop = window.passage
        assert np.array_equal(window.ids[first:stop][shared], following.ids[first : first + shared.sum()])


def test_special_tokens_in_a_text_are_plain_characters(pairs: PairTokenizer) -> None:
    passage = "Write [SEP] between them, [CLS] first, and [PAD] at the end."
    (window,) = pairs.windows("what does [SEP] mean", passage)
    ids = window.ids.tolist()
    assert ids.count(SEP) == 2
    assert ids.count(CLS) == 1
    assert 0 not in ids
    assert covered(passage, window) == passage


def test_lone_surrogates_and_emptiness(pairs: PairTokenizer) -> None:
    passage = "a \ud800 b"
    (window,) = pairs.windows("\udfff?", passage)
    assert covered(passage, window) == passage
    (window,) = pairs.windows("", " \n ")
    assert window.ids.tolist() == [CLS, SEP, SEP]
    assert window.offsets.shape == (0, 2)


def test_a_long_question_makes_longer_windows_and_is_refused_in_the_end(pairs: PairTokenizer) -> None:
    passage = "tower " * 400
    assert {window.ids.size for window in pairs.windows("high " * 350, passage)} == {350 + 3 + 128}
    assert {window.ids.size for window in pairs.windows("high " * 477, passage)} == {512}
    with pytest.raises(InvalidRequest, match="of its 512 tokens, 31 are left"):
        pairs.windows("high " * 478, passage)
