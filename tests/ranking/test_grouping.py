"""Equal texts are one hit with its places; hits of one document are one where that is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from quarry.api.bodies.responses import response_body
from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.api.routes.results import SearchResponse
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeModels
from quarry.search.queries.query import Query
from quarry.search.ranking.grouping import FURTHER
from quarry.search.types import MAX_PLACES, Hit, Mode

LICENCE = "Permission is hereby granted to copy the software."


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels()) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name, text in {
        **{f"{folder}/LICENCE.txt": LICENCE for folder in "abcd"},
        "e/LICENCE.txt": f"{LICENCE} Not.",
        "notes.txt": "A permission that nobody copies.",
        "other.txt": "Software is hard to copy.",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def uris(hit: Hit) -> list[str]:
    return sorted([hit.document.uri, *(place.document.uri for place in hit.also)])


@pytest.mark.parametrize("mode", ["semantic", "lexical", "hybrid"])
def test_equal_texts_are_one_hit_with_its_places(library: Library, root: Path, mode: Mode) -> None:
    library.index(root)
    whole = library.search(LICENCE, mode=mode).hits
    assert len(whole) == len({hit.text for hit in whole}) == 4
    first = next(hit for hit in whole if hit.text == LICENCE)
    assert uris(first) == [f"{root}/{folder}/LICENCE.txt" for folder in "abcd"]
    for place in first.also:
        assert library.text(place.document.id)[place.start : place.end] == LICENCE
    pages = [library.search(LICENCE, mode=mode, limit=1, offset=offset).hits for offset in range(5)]
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in whole]
    assert pages[-1] == []
    few = library.search(
        LICENCE, mode=mode, filter={"path": {"$in": [f"{root}/b/LICENCE.txt", f"{root}/c/LICENCE.txt"]}}
    )
    assert [uris(hit) for hit in few.hits] == [[f"{root}/b/LICENCE.txt", f"{root}/c/LICENCE.txt"]]


def test_a_place_that_is_deleted_is_none_any_more(library: Library, root: Path) -> None:
    library.index(root)
    first = library.search(LICENCE).hits[0]
    library.delete([first.document.id])
    again = library.search(LICENCE).hits[0]
    assert again.text == LICENCE
    assert uris(again) == sorted(place.document.uri for place in first.also)


def test_what_was_folded_leaves_room_for_what_comes_after(library: Library, tmp_path: Path) -> None:
    """More equal rows than a retriever is read to."""
    rows = [{"text": "The same row."}] * 150 + [{"text": f"Another row, number {n}."} for n in range(5)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    library.index(tmp_path / "rows.jsonl")
    hits = library.search("the same row", mode="semantic").hits
    assert len(hits) == 6
    same = next(hit for hit in hits if hit.text == "The same row.")
    assert len(same.also) == MAX_PLACES


def test_a_passage_that_a_document_repeats(library: Library, tmp_path: Path) -> None:
    footer = "All rights reserved by the owners of this text. " * 12
    (tmp_path / "book.md").write_text(
        "\n\n".join(f"# Chapter {n}\n\n{footer}\n\n## End {n}\n\n{footer}" for n in range(3))
    )
    library.index(tmp_path / "book.md")
    texts = [hit.text for hit in library.search("rights reserved", limit=100).hits]
    assert len(texts) == len(set(texts))


def test_pictures_with_equal_captions_stay_apart(library: Library, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        Image.new("RGB", (48, 40), (80 * number, 20, 20)).save(tmp_path / "pictures" / f"{number}.png")
        (tmp_path / "pictures" / f"{number}.txt").write_text("A red bicycle at the wall")
    library.index(tmp_path / "pictures")
    hits = library.search("red bicycle").hits
    assert [hit.kind for hit in hits] == ["image"] * 3
    assert not any(hit.also for hit in hits)


def test_rankings_for_measurement_hold_every_document(library: Library, root: Path) -> None:
    library.index(root)
    assert len({id for id, _ in library.searcher.ranking(Query(LICENCE))}) == 7


def test_hits_of_a_document_are_grouped_on_request(library: Library, tmp_path: Path) -> None:
    for name in "ab":
        parts = [
            f"# Part {number} of {name}\n\n" + f"Rivers of {name} run to sea {number}. " * 30 for number in range(8)
        ]
        (tmp_path / f"{name}.md").write_text("\n\n".join(parts))
    library.index(tmp_path / "a.md", tmp_path / "b.md")
    flat = library.search("rivers run to the sea", limit=100).hits
    assert len(flat) > 2 * (1 + FURTHER)
    response = library.search("rivers run to the sea", group="document", explain=True)
    grouped = response.hits
    assert len(grouped) == 2
    for hit in grouped:
        own = [one.id for one in flat if one.document.id == hit.document.id]
        assert [hit.id, *(one.id for one in hit.more)] == own[: 1 + FURTHER]
        assert all(one.explanation for one in hit.more)
    pages = [
        library.search("rivers run to the sea", group="document", limit=1, offset=offset).hits for offset in (0, 1, 2)
    ]
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in grouped]
    assert all(not hit.more for hit in flat)
    body = response_body(response)
    assert SearchResponse.model_validate(body).model_dump(mode="json", exclude_unset=True) == body
    arguments = ["search", "rivers", "--group", "--library", str(library.settings.library)]
    shown = CliRunner().invoke(cli, arguments, obj=FakeModels()).stdout
    assert shown.count("     + ") == 2 * FURTHER
    with pytest.raises(InvalidRequest, match="group is 'folder'"):
        library.search("rivers", group="folder")  # type: ignore[arg-type]


def test_people_see_the_other_places(library: Library, root: Path) -> None:
    library.index(root)
    run = CliRunner().invoke(
        cli,
        ["search", LICENCE, "-n", "1", "--library", str(library.settings.library)],
        env={"COLUMNS": "110"},
        obj=FakeModels(),
    )
    places = " ".join(run.stdout.split("also in ")[1].split("1 hit")[0].split())
    assert len(places.split(", ")) == 3
    assert all(place.endswith("LICENCE.txt") for place in places.split(", "))
