"""Whether question and passage are in different languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quarry.api import Library, Text
from quarry.search.language.across import is_across, is_not_english
from quarry.search.models.fake import FakeModels
from quarry.search.ranking.languages import PassageLanguages
from quarry.search.relevance import CALIBRATIONS, LEAST, PRIORS, apart

ENGLISH = "The lease may be ended by either side with three months of notice."
GERMAN = "Der Vertrag kann von beiden Seiten mit einer Frist von drei Monaten beendet werden."
FRENCH = "Le bail peut être résilié par les deux parties avec un préavis de trois mois."
KOREAN = "계약은 석 달 전에 알리면 끝낼 수 있다."
JAPANESE = "契約終了通知期間は三か月前。"


@pytest.mark.parametrize(
    ("question", "passage", "wanted"),
    [
        ("계약은 언제 끝나나", ENGLISH, True),
        ("계약은 언제 끝나나", KOREAN, False),
        ("when does the lease end", KOREAN, True),
        ("when does the lease end", GERMAN, True),
        ("when does the lease end", ENGLISH, False),
        ("Wann kann der Vertrag beendet werden?", ENGLISH, True),
        ("Wann kann der Vertrag beendet werden?", GERMAN, False),
        ("El Niño in Peru", ENGLISH, False),  # a name
        ("Mietvertrag", ENGLISH, False),  # nothing tells
        ("いつおわるのですか", JAPANESE, False),
        ("1987?", KOREAN, False),
        ("", "", False),
    ],
)
def test_languages_are_told_apart(question: str, passage: str, wanted: bool) -> None:
    assert is_across(question, passage) is wanted


def test_what_is_plainly_not_english_is_told() -> None:
    assert is_not_english(GERMAN)
    assert not any(map(is_not_english, (ENGLISH, KOREAN, "El Niño in Peru", "München", "")))


def test_what_is_language_alone_is_taken_within_one_and_what_is_right_stays(tmp_path: Path, models: FakeModels) -> None:
    question = "Wann kann der Vertrag beendet werden?"
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(text) for text in (GERMAN, FRENCH, ENGLISH, KOREAN)])
        with library.searcher.catalog.snapshot() as snapshot:
            spoken, ids = PassageLanguages(snapshot, question, is_uneven=True), np.arange(1, 5)
            others = spoken.are_others(ids)
            taken = spoken.shared(ids, others)
    assert others.tolist() == [False, True, True, True]
    assert taken[0] > 0
    assert not taken[1:].any()  # of two languages
    null = PRIORS["multilingual-e5-small"]
    # What passages in German that are wrong score, and right ones: middles of `benchmarks/strangers.jsonl`.
    wrong, right = CALIBRATIONS["semantic"].of(apart(null.distance(np.array([0.23, 0.38], np.float32)), taken[:1]))
    assert wrong < LEAST["semantic"] < right
