"""Which page is cited where a passage goes over pages: that of the words, not the one on which the passage begins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarry.api import Library
from quarry.api.bodies.responses import ask_body, response_body
from quarry.search.generation import citations
from quarry.search.types import Document, Hit
from quarry.search.values.places import Pages
from tests.pdf_files import pdf
from tests.processes import quarry

SHEETS = [
    "The survey of the northern woods began in spring.\nIt was led by Maria Ostermann of Kiel.",
    "",  # a blank page has a number, too
    "Raccoons climbed to 34 nests in the valley of Ostermoor.\nThe weather was mild during the second week.",
    "Beavers built eleven dams on the river Lehm.",
]


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("survey")
    (folder / "survey.pdf").write_bytes(pdf(SHEETS))
    (folder / "notes.txt").write_text("The weather was mild in the north.")
    with Library(folder / "library") as library:
        assert library.index(folder / "survey.pdf", folder / "notes.txt").complete
    return folder


@pytest.fixture(scope="module")
def library(survey: Path) -> Iterator[Library]:
    with Library(survey / "library") as opened:
        yield opened


@pytest.mark.parametrize(
    ("place", "page"), [(0, 1), (9, 1), (10, 3), (19, 3), (20, 4), (99, 4)], ids=lambda value: str(value)
)
def test_a_place_stands_on_the_page_that_began_last(place: int, page: int) -> None:
    assert Pages(1, (10, 10, 20)).at(place) == page
    assert Pages(1, (10, 10, 20)).last == 4
    assert Pages(7).at(place) == Pages(7).last == 7


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("who led the survey of the woods", 1),
        ("raccoons nests Ostermoor survey", 3),
        ("beavers dams Lehm", 4),
        ("animals", 1),  # no word of it stands there
    ],
)
def test_a_hit_cites_the_page_of_the_words_that_match(library: Library, query: str, page: int) -> None:
    hit = next(hit for hit in library.search(query).hits if hit.document.uri.endswith(".pdf"))
    assert (hit.page, hit.pages and (hit.pages.first, hit.pages.last)) == (page, (1, 4))


def test_what_has_no_pages_cites_none(library: Library) -> None:
    response = library.search("mild weather in the north")
    body = next(hit for hit in response_body(response)["hits"] if hit["document"]["uri"].endswith(".txt"))
    assert (body["page"], body["pages"]) == (None, None)


@pytest.mark.parametrize(
    ("question", "said", "page"),
    [
        ("Who led the survey of the northern woods?", "Maria Ostermann", 1),
        ("How many nests did raccoons climb to?", "34", 3),
        ("How many dams did beavers build?", "eleven", 4),
    ],
)
def test_an_answer_cites_the_page_that_it_stands_on(library: Library, question: str, said: str, page: int) -> None:
    body = ask_body(library.ask(question))
    assert said in body["answers"][0]["text"]
    assert body["answers"][0]["page"] == page


def test_sentences_of_a_summary_cite_their_pages(library: Library, survey: Path) -> None:
    summary = response_body(library.search("raccoons and beavers of the woods", summarize=True))["summary"]
    starts = library.page_starts(str(survey / "survey.pdf"))
    for summed in (summary, json.loads(shown(survey, "summarize", str(survey / "survey.pdf"), "--json"))):
        cited = [source for sentence in summed["sentences"] for source in sentence["sources"]]
        cited = [source for source in cited if source["uri"].endswith(".pdf")]
        assert len({source["page"] for source in cited}) > 1
        for source in cited:
            assert source["page"] == sum(start <= source["start"] for start in starts)


def test_a_written_sentence_cites_the_page_that_says_it() -> None:
    text = "The survey began in spring. Raccoons climbed to nests. Beavers built dams."
    starts = (100 + text.index("Raccoons"), 100 + text.index("Beavers"))
    document = Document("d", "/survey.pdf", "Survey", "application/pdf", {})
    hit = Hit("h", 1.0, 1.0, document, text, 100, 100 + len(text), page=2, pages=Pages(2, starts))
    cited = citations.by_number("There were dams of beavers [1]. Spring is when it began [1].", [hit])
    pages = [hit.page_of(start, end) for sentence in cited for hit, start, end in sentence.sources]
    assert pages == [4, 2]
    assert citations.by_number("It rained [1].", [Hit("h", 1, 1, document, text, 100, 174)])[0].sources[0][1:] == (
        100,
        174,
    )


def test_a_snippet_shows_the_page_that_is_named(survey: Path) -> None:
    out = shown(survey, "search", "beavers dams river", "-n", "1")
    assert "survey.pdf#page=4" in out
    assert "Beavers built eleven dams" in out


def shown(survey: Path, *arguments: str) -> str:
    done = quarry(*arguments, "--library", survey / "library")
    assert done.returncode == 0, done.stderr
    return done.stdout
