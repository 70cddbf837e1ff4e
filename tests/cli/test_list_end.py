"""For people a list ends where nothing is meant, and says so; `similar` takes texts, and lets words count."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from quarry.api import Library
from quarry.search.relevance import CALIBRATIONS, LEAST
from tests.processes import quarry

NOTES = {
    "stars.md": "# Stars\nA star forms where a cloud of gas collapses under its own gravity until hydrogen fuses.",
    "suns.md": "# Suns\nThe Sun is a star. Gravity holds its gas together, and hydrogen fuses to helium in its core.",
    "bread.md": "# Bread\nKnead flour, water and salt, let the dough rise overnight and bake it in a hot oven.",
    "part.md": "# Store\nThe spare part HER-102 lies on the third shelf.",
}


def scene(sky: str) -> bytes:
    image = Image.new("RGB", (200, 150), sky)
    ImageDraw.Draw(image).rectangle((0, 100, 200, 150), fill="green")
    data = io.BytesIO()
    image.save(data, "JPEG")
    return data.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    for name, sky in (("day.jpg", "skyblue"), ("night.jpg", "black"), ("dusk.jpg", "orange")):
        (folder / name).write_bytes(scene(sky))
    return folder


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library(tmp_path_factory.mktemp("library") / "lib") as library:
        library.index(folder)
        yield library


def names(response: object) -> list[str]:
    return [Path(hit.document.uri).name for hit in response.hits]  # type: ignore[attr-defined]


@pytest.mark.parametrize("query", ["xyzzy", "asdfgh qwerty", "quarterly revenue growth of airlines"])
def test_where_nothing_is_meant_nothing_is_listed(library: Library, query: str) -> None:
    found, every = library.search(query, min_relevance="meant"), library.search(query)
    assert not found.hits and found.left_out == len(every.hits) == 7 and every.left_out == 0


def test_what_is_meant_is_listed_and_the_rest_counted(library: Library) -> None:
    found = library.search("how do stars form", min_relevance="meant")
    assert names(found)[:1] == ["stars.md"] and "bread.md" not in names(found)
    assert found.left_out == 7 - len(found.hits)
    assert all(hit.relevance >= LEAST["hybrid"] for hit in found.hits)
    assert names(library.search("how do stars form", offset=len(found.hits), min_relevance="meant")) == []


def test_words_that_stand_there_are_never_left_out(library: Library) -> None:
    assert names(library.search("HER-102", min_relevance="meant"))[:1] == ["part.md"]
    assert names(library.search("shelf", mode="lexical", min_relevance="meant")) == ["part.md"]


def test_answers_are_looked_for_below_the_end_and_summaries_are_not(library: Library) -> None:
    found = library.search("xyzzy", summarize=True, min_relevance="meant")
    assert found.summary is None or not found.summary.sentences


@pytest.mark.parametrize("rerank", [None, "reader"])
def test_reranked_hits_end_where_they_did(library: Library, rerank: str | None) -> None:
    found = library.search("how do stars form", rerank=rerank, min_relevance="meant")  # type: ignore[arg-type]
    assert set(names(found)) == set(names(library.search("how do stars form", min_relevance="meant")))


def test_like_a_text(library: Library, folder: Path) -> None:
    found = library.search(like=str(folder / "stars.md"), min_relevance="meant")
    assert names(found)[:1] == ["suns.md"] and "stars.md" not in names(found)
    assert {hit.kind for hit in found.hits} == {"text"}
    but = library.search("dough in an oven", like=str(folder / "stars.md"), min_relevance=0)
    assert names(but).index("bread.md") < 2 < len(but.hits)
    pictures = library.search(like=str(folder / "stars.md"), kinds=["image"])
    assert not pictures.hits and "Only passages are found by a text" in pictures.degraded[0]


def test_words_count_beside_a_picture(library: Library, folder: Path) -> None:
    alone = library.search(like=str(folder / "day.jpg"), kinds=["image"], min_relevance=0)
    with_words = library.search("night", like=str(folder / "day.jpg"), kinds=["image"], min_relevance=0)
    scores = [{hit.document.id: hit.score for hit in found.hits} for found in (alone, with_words)]
    assert scores[0].keys() == scores[1].keys()
    assert all(abs(scores[0][id] - scores[1][id]) > 0.01 for id in scores[0])


def run(library: Library, *arguments: str | Path, code: int = 0) -> str:
    done = quarry(*arguments, "--library", library.settings.library, code=code)
    return done.stdout + done.stderr


def test_the_command_line_says_what_was_left_out(library: Library) -> None:
    assert "7 less relevant hits left out: --all shows them" in run(library, "search", "xyzzy")
    assert "left out" not in run(library, "search", "xyzzy", "--all")
    assert "3 less relevant hits left out" in run(library, "images", "xyzzy")
    body = json.loads(run(library, "images", "xyzzy", "--json"))  # a program decides for itself
    assert (len(body["hits"]), body["left_out"]) == (3, 0)


def test_similar_leaves_the_example_out(library: Library, folder: Path) -> None:
    printed = run(library, "similar", folder / "day.jpg", "--kind", "image", "--all")
    assert "day.jpg" not in printed and "night.jpg" in printed
    printed = run(library, "similar", folder / "stars.md")
    assert "suns.md" in printed and "stars.md" not in printed
    (folder / "new.md").write_text("not indexed")
    assert "index it first" in run(library, "similar", folder / "new.md", code=1)


@pytest.mark.parametrize(
    ("query", "right"),
    [("how are suns born", {"suns.md", "stars.md"}), ("astronomy", {"suns.md", "stars.md"}), ("baking", {"bread.md"})],
)
def test_what_is_about_it_in_other_words_is_listed(library: Library, query: str, right: set[str]) -> None:
    assert set(names(library.search(query, kinds=["text"], min_relevance="meant"))) == right


@pytest.mark.parametrize("query", ["how tall is the Eiffel tower", "who wrote Hamlet", "mortgage rates", "tax"])
def test_questions_of_other_libraries_get_an_empty_list(library: Library, query: str) -> None:
    assert not library.search(query, min_relevance="meant").hits


def test_passages_count_for_more_the_nearer_they_are_and_the_more_words_they_hold() -> None:
    distance, share = np.meshgrid(np.linspace(-3, 14, 40), np.linspace(0, 1, 40))
    chance = CALIBRATIONS["hybrid"].of(distance, share.astype(np.float32))
    assert (np.diff(chance, axis=0) > 0).all() and (np.diff(chance, axis=1) > 0).all()
