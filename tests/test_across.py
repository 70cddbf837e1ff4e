"""Whether question and passage are in different languages."""

from __future__ import annotations

import pytest

from quarry.search.language.across import is_across, is_not_english

ENGLISH = "The lease may be ended by either side with three months of notice."
GERMAN = "Der Vertrag kann von beiden Seiten mit einer Frist von drei Monaten beendet werden."
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
