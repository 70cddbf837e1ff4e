"""More like this, less like that, and nothing about something else: by meaning, of documents, hits and words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quarry.api import Library, Text
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.models.fake import FakeModels
from quarry.search.types import MODES, Mode
from tests.processes import Served, quarry

TEXTS = {
    "cat": "The jaguar is the largest cat of the Americas and hunts deer in the rainforest.",
    "river": "Jaguars swim well and eat caimans along the rivers of the Amazon.",
    "maker": "Jaguar, the maker of cars, was founded in Coventry and has belonged to Tata Motors since 2008.",
    "engine": "The engine of the Jaguar E-Type, a sports car, has six cylinders and 265 horsepower.",
    "tides": "The Moon pulls the water of the sea, and so the tides rise and fall twice a day.",
    "red": "A red tide is a bloom of algae that poisons shellfish.",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library(tmp_path_factory.mktemp("feedback") / "library") as opened:
        opened.add([Text(text, id=name) for name, text in TEXTS.items()])
        yield opened


def found(library: Library, text: str = "", **options: Any) -> list[str]:
    return [hit.document.id for hit in library.search(text, limit=100, **options).hits]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_nearer_to_what_is_excluded_is_left_out(library: Library, mode: Mode) -> None:
    cars = found(library, "jaguar", mode=mode, exclude=["jaguar cars, their makers and engines"])
    assert {"cat", "river"} <= set(cars) and not {"maker", "engine"} & set(cars)
    assert [one for one in found(library, "jaguar", mode=mode) if one in cars] == cars
    both = found(
        library, "jaguar", mode=mode, exclude=["jaguar cars, their makers and engines", "big cats in the rainforest"]
    )
    assert "cat" not in both
    assert found(library, "jaguar", mode=mode, exclude=[" "]) == found(library, "jaguar", mode=mode)


def test_hits_move_towards_and_away_by_strength(library: Library) -> None:
    def score(one: str, **options: Any) -> float:
        hits = library.search("jaguar", mode="semantic", limit=100, **options).hits
        return next(hit.score for hit in hits if hit.document.id == one)

    plain = score("river")
    for option, grows in (("like", True), ("unlike", False)):
        steps = [plain, *(score("river", **{option: [{"id": "cat", "strength": each}]}) for each in (0.3, 0.6, 1.0))]
        assert steps == sorted(steps, reverse=not grows) and len(set(steps)) == 4
        assert score("river", **{option: "cat"}) == steps[-1]
        assert score("river", **{option: [{"id": "cat", "strength": 0}]}) == plain

    def apart(**more: Any) -> float:
        return score("engine", like=["maker"], **more) - score("river", like=["maker"], **more)

    assert apart(unlike=["cat"]) > apart() > 0
    order = found(library, "jaguar", unlike=["engine"])
    assert "engine" not in order and order.index("river") < order.index("maker")


def test_hits_are_named_by_their_own_ids_and_are_no_hits_themselves(library: Library) -> None:
    ids = {hit.document.id: hit.id for hit in library.search("jaguar", mode="semantic", limit=100).hits}
    by_hit, by_document = found(library, like=[ids["cat"]]), found(library, like=["cat"])
    assert by_hit == by_document and by_hit[0] == "river" and "cat" not in by_hit
    assert found(library, "jaguar", unlike=[ids["cat"]]) == found(library, "jaguar", unlike="cat")
    both = found(library, like=["cat", {"id": ids["maker"], "strength": 0.5}])
    assert not {"cat", "maker"} & set(both) and {"river", "engine"} <= set(both[:2])


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"unlike": ["cat"]}, InvalidRequest, "what to look for"),
        ({"exclude": ["cats"]}, InvalidRequest, "what to look for"),
        ({"like": [{"id": "cat", "strength": 0}]}, InvalidRequest, "empty"),
        ({"text": "x", "like": ["none"]}, NotFound, "none"),
        ({"text": "x", "like": ["999999"]}, NotFound, "999999"),
        ({"text": "x", "like": [{"id": "cat", "strength": 2}]}, InvalidRequest, "strength"),
        ({"text": "x", "like": [{"id": "cat", "strong": 1}]}, InvalidRequest, "strong"),
        ({"text": "x", "unlike": 5}, InvalidRequest, "unlike"),
        ({"text": "x", "unlike": [b"x"]}, InvalidRequest, "unlike"),
        ({"text": "x", "exclude": 5}, InvalidRequest, "exclude"),
        ({"text": "x", "exclude": ["x"] * 40}, InvalidRequest, "at most 32"),
        ({"text": "x", "exclude": ["x" * 10_001]}, InvalidRequest, "exclude"),
        ({"text": "x", "unlike": ["cat"], "mode": "lexical"}, InvalidRequest, "lexical"),
    ],
)
def test_what_can_not_be_asked_is_named(library: Library, asked: dict[str, Any], error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        library.search(**asked)


def test_what_no_model_knows_is_noted(library: Library) -> None:
    response = library.search("jaguar", exclude=["자동차"])
    assert any("could not be left out" in note for note in response.degraded) and response.hits


def test_pictures_are_moved_and_left_out(picture_library: Path) -> None:
    with Library(picture_library) as library:
        asked: Any = {"kinds": ("image",), "mode": "semantic", "limit": 5}
        hits = library.search("an animal", **asked).hits
        first = hits[0]
        assert first.id not in [hit.id for hit in library.search("an animal", unlike=[first.id], **asked).hits]
        assert library.search("an animal", like=[first.id], **asked).hits
        gone = library.search("an animal", exclude=["a cat"], **asked).hits
        assert {hit.id for hit in gone} != {hit.id for hit in hits}
        assert not any("chelsea" in hit.document.uri for hit in gone)


def test_over_http_and_on_the_command_line(server: Served, sample_library: Path) -> None:
    first = server.client.post("/v1/search", json={"query": "stars"}).json()["hits"][0]
    asked = {"like": [first["id"]], "unlike": [{"id": first["document"]["id"], "strength": 0.2}], "exclude": ["bread"]}
    body = server.client.post("/v1/search", json={"query": "stars", **asked}).json()
    assert body["hits"] and first["id"] not in [hit["id"] for hit in body["hits"]]
    wrong = {"query": "stars", "like": [{"id": "1", "strength": "much"}]}
    assert server.client.post("/v1/search", json=wrong).status_code == 422
    assert server.client.post("/v1/search", json={"query": "stars", "like": ["no such"]}).status_code == 404
    shown = quarry(
        "search", "stars -gas", "--unlike", f"{first['id']}@0.5", "--exclude", "bread", "--library", str(sample_library)
    )
    assert "hits in" in shown.stdout


def test_fakes_can_be_liked(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text("star one"), Text("star two"), Text("moon three")])
        ids = [hit.id for hit in library.search("star", mode="semantic").hits]
        assert {hit.id for hit in library.search("star", unlike=ids[:1]).hits} == set(ids[1:])
