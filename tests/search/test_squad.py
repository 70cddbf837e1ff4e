from __future__ import annotations

import pytest

from quarry.search.evaluations import squad


@pytest.mark.parametrize(
    ("answer", "reference", "exact", "f1"),
    [  # what SQuAD's evaluate-v2.0.py gives
        ("Denver Broncos", "Denver Broncos", 1.0, 1.0),
        ("The Denver Broncos!", "denver broncos", 1.0, 1.0),
        ("the Broncos", "Denver Broncos", 0.0, 2 / 3),
        ("on 15 August 1914", "15 August 1914", 0.0, 6 / 7),
        ("Santa Clara, California", "Levi's Stadium in Santa Clara", 0.0, 0.5),
        ("to to be", "to be or not to be", 0.0, 2 / 3),
        ("a an the", "", 1.0, 1.0),
        ("", "Broncos", 0.0, 0.0),
        ("gold", "silver", 0.0, 0.0),
        ("U.S.", "us", 1.0, 1.0),
        ("theatre", "the atre", 0.0, 0.0),
        ("half-life", "halflife", 1.0, 1.0),
    ],
)
def test_measures_are_those_of_squads_script(answer: str, reference: str, exact: float, f1: float) -> None:
    assert squad.exact_match(answer, reference) == exact
    assert squad.f1(answer, reference) == pytest.approx(f1)
    assert squad.f1(reference, answer) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        ("1446년에", "1446년", 10 / 11),  # characters, as KorQuAD counts: by words it would be 0
        ("세종대왕", "세종", 2 / 3),
        ("北京市", "北京", 4 / 5),
        ("東京 Tower", "Tower 東京", 1.0),
        ("한글", "김치", 0.0),
        ("Zoë", "Zoe", 0.0),  # letters of an alphabet make words, whatever stands on them
    ],
)
def test_scripts_without_spaces_are_compared_by_characters(answer: str, reference: str, f1: float) -> None:
    assert squad.f1(answer, reference) == pytest.approx(f1)


def test_the_best_reference_counts() -> None:
    assert squad.best(squad.f1, "the Broncos", ["Denver", "Denver Broncos", "Broncos"]) == 1.0
    assert squad.best(squad.exact_match, "", ()) == 1.0
    assert squad.best(squad.f1, "Broncos", ()) == 0.0
