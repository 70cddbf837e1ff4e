from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quarry.api import Library
from quarry.search.answers.answering import read
from quarry.search.answers.choosing import THRESHOLD, Choice, choose
from quarry.search.answers.evidence import Asked
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeReader
from tests.answers.scripted import hit

OCEANS = "Magellan came out of the strait and named the ocean Pacific, for it was calm."


def chosen(text: str, choices: list[str], says: dict[str, float], **found_with: float) -> tuple[Choice, ...]:
    reader, hits = FakeReader(says), [hit(text)]
    return choose(Asked("What?"), choices, hits, read("What?", hits, reader, 8)[0], found_with, reader)


def test_the_choice_that_a_span_says_comes_first_with_it() -> None:
    found = chosen(OCEANS, ["Atlantic", "Pacific Ocean"], {"the ocean Pacific": 6.0})
    assert [one.text for one in found] == ["Pacific Ocean", "Atlantic"]
    best, other = found
    assert best.support is not None and OCEANS[best.support.start : best.support.end] == "the ocean Pacific"
    assert other == Choice("Atlantic", 0.0, None)


def test_a_choice_that_the_reader_did_not_point_at_counts_less_but_is_found() -> None:
    found = chosen(OCEANS, ["calm", "the strait"], {"the strait": 2.0})
    assert [one.text for one in found] == ["the strait", "calm"]
    assert found[0].confidence > found[1].confidence > 0
    support = found[1].support
    assert support is not None and OCEANS[support.start : support.end] == "calm"


def test_where_no_span_tells_passages_found_with_a_choice_do() -> None:
    found = chosen("Nothing is said here.", ["it rises", "it falls"], {}, **{"it rises": 0.2, "it falls": 0.9})
    assert [one.text for one in found] == ["it falls", "it rises"]
    assert all(one.support is None for one in found)


def test_a_choice_is_a_word_not_a_part_of_one() -> None:
    best, other = chosen("It often rains at 10 degrees.", ["ten", "10"], {"rains": 1.0})
    assert (best.text, other) == ("10", Choice("ten", 0.0, None))


def test_a_choice_within_a_longer_span_is_said_by_it() -> None:
    text = "Uranus was found with a telescope. Neptune was found by mathematics, not Mars."
    best, _ = chosen(text, ["Mars", "Neptune"], {"with a telescope. Neptune": 4.0, "by mathematics": 3.0})
    assert best.text == "Neptune"
    assert best.support is not None and best.support.text == "Neptune"


def test_confidences_make_up_at_most_one() -> None:
    choices = ["Pacific", "ocean Pacific", "the ocean", "strait"]
    found = chosen(OCEANS, choices, dict.fromkeys(choices, 20.0), **dict.fromkeys(choices, 1.0))
    assert sum(one.confidence for one in found) == pytest.approx(1)
    assert all(0 <= one.confidence <= 1 for one in found)


# --- questions to the sample ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(sample_library: Path) -> Iterator[Library]:
    with Library(sample_library) as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("which planet was predicted by mathematics", ["Neptune", "Mars", "Venus"]),
        ("Who discovered Uranus?", ["William Herschel", "Galileo Galilei"]),
        ("훈민정음은 언제 반포되었는가", ["1446년", "1592년"]),
    ],
)
def test_the_documents_speak_for_the_right_choice(library: Library, question: str, choices: list[str]) -> None:
    best, *others = library.choose(question, choices[::-1])
    assert best.text == choices[0]
    assert best.confidence >= THRESHOLD
    assert {one.text for one in others} == set(choices[1:])
    assert best.support is not None
    support = best.support
    assert choices[0] in support.text or support.text in choices[0]
    assert library.text(support.hit.document.id)[support.start : support.end] == support.text


def test_where_nothing_is_found_nothing_speaks_for_a_choice(library: Library) -> None:
    found = library.choose("Who discovered Uranus?", ["a", "b"], filter={"path": "/nowhere"})
    assert [(one.confidence, one.support) for one in found] == [(0.0, None)] * 2


@pytest.mark.parametrize(
    "choices", [[], ["one"], ["Mars", " mars "], ["Mars", " "], [f"choice {n}" for n in range(21)]]
)
def test_too_few_too_many_and_equal_choices_are_refused(library: Library, choices: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="2 to 20 choices that differ"):
        library.choose("Who?", choices)


@pytest.mark.parametrize(("question", "said"), [("why " * 600, "too long"), (" \0", "empty")])
def test_what_is_no_question_is_refused(library: Library, question: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        library.choose(question, ["one", "two"])
