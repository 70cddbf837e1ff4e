"""What comes first in a hybrid search, with the embedded model: where words decide, and where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from quarry.api.library import Library

LICENCE = (
    "Everyone is permitted to copy and distribute verbatim copies of this work, and students who are working for hire "
    "may do so too, but changing it is not allowed."
)
TEXTS: Mapping[str, str] = {
    "budget": "Budget of the workshop. Only the head of the workshop is allowed to hire a working student; two places "
    "are paid for until autumn.",
    **{f"licence{i}": LICENCE for i in range(5)},
    # Much about what a question is about, none of it an answer.
    **{
        f"staff{i}": f"Staff handbook, part {i}: jobs for students. Those who study may be employed by the institute "
        f"for up to {8 + i} hours a week; vacancies are announced on the board beside room {100 + i}."
        for i in range(6)
    },
    "barn": "Register of the heritage office. HER-102 is the barn at Lower Farm, listed in 1968, with a thatched roof "
    "and a later extension for the cattle.",
    "mill": "Register of the heritage office. HER-103 is the mill at Upper Farm, listed in 1970, with a slate roof.",
    "letters": "In 102 letters she wrote of her garden, of hers and of nobody else's.",
    "sheep": "Herding of sheep in the Alps: 102 of them are moved to the pastures in June.",
    "invalid": "0x80070057 says that a parameter is wrong. Take the last file out and start again.",
    **{
        f"guide{i}": f"What does an error code mean, and what is to be done when updates of Windows fail with one? "
        f"Guide {i} explains what error codes mean, step by step, with {3 + i} examples."
        for i in range(6)
    },
    "serial": "Delivery of 14 May: pump, serial number KX-55812-B, two seals, one hose.",
    "puppy": "The young dog chewed through the cable of the lamp in the living room.",
    "cat": "Cats sleep for most of the day.",
    "korean": "서울시는 2019년에 KX-70041-C 펌프 열두 대를 구입하였다.",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("texts")
    for name, text in TEXTS.items():
        Path(folder, f"{name}.txt").write_text(text, "utf-8")
    with Library(tmp_path_factory.mktemp("place") / "library") as opened:
        opened.index(folder)
        yield opened


def first(library: Library, text: str, limit: int = 1) -> list[str]:
    return [Path(hit.document.uri).stem for hit in library.search(text, limit=limit).hits]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("who is allowed to hire a working student", "budget"),
        ("HER-102", "barn"),
        ("her-103", "mill"),
        ("what is HER-102 in the register?", "barn"),
        ("0x80070057", "invalid"),
        ("what does the error 0x80070057 mean", "invalid"),
        ("KX-55812-B", "serial"),
        ("pump KX-55812-B", "serial"),
        ("KX-70041-C 펌프", "korean"),
        ("서울시 펌프 KX-70041-C", "korean"),
        # No word in common with what is meant: words must not decide where they have nothing to say.
        ("a puppy bit the power cord", "puppy"),
    ],
)
def test_what_is_meant_comes_first(library: Library, query: str, expected: str) -> None:
    assert first(library, query) == [expected]


def test_equal_texts_do_not_lift_each_other(library: Library, tmp_path: Path) -> None:
    """A passage scores the same whether it has copies or not; so the order of the others is left alone."""
    question = "who is allowed to hire a working student"

    def scores(opened: Library) -> dict[str, float]:
        hits = opened.search(question, limit=100).hits
        return {hit.text: hit.score for hit in hits}

    texts = tmp_path / "texts"
    texts.mkdir()
    for name, text in TEXTS.items():
        if not name.startswith("licence") or name == "licence0":
            Path(texts, f"{name}.txt").write_text(text, "utf-8")
    with Library(tmp_path / "library") as single:
        single.index(texts)
        alone = scores(single)
    copied = scores(library)
    # Copies make their words less rare, and that is all.
    assert copied[LICENCE] < alone[LICENCE] + 0.05
    assert copied[TEXTS["budget"]] > copied[LICENCE]


@pytest.mark.parametrize("query", ["HER-102", "0x80070057", "KX-55812-B", "KX-70041-C 펌프"])
def test_an_identifier_is_relevant(library: Library, query: str) -> None:
    hits = library.search(query, limit=2).hits
    assert hits[0].relevance > 0.5
    assert all(hit.relevance < hits[0].relevance for hit in hits[1:])


def test_half_of_the_words_do_not_make_a_hit_relevant(library: Library) -> None:
    assert all(hit.relevance < 0.4 for hit in library.search("thatched spaceships").hits)


def test_an_explanation_tells_the_share_of_words(library: Library) -> None:
    hit = library.search("pump KX-55812-B", explain=True).hits[0]
    assert hit.explanation is not None
    assert hit.explanation["lexical"]["share_of_words"] == pytest.approx(1, abs=1e-3)
    assert hit.explanation["fusion"]["semantic_weight"] == 0.5
