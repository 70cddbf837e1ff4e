"""`quarry images` and `quarry similar` as real processes."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.routes.results import SearchResponse
from quarry.api.sheet import draw, where
from quarry.search.types import THUMBNAIL, Document, Hit
from quarry.search.values.places import Place
from tests.processes import Served, quarry


def answer(*arguments: str | Path) -> dict[str, Any]:
    """What a command prints with --json, which is what HTTP answers with."""
    body: dict[str, Any] = json.loads(quarry(*arguments, "--json").stdout)
    assert SearchResponse.model_validate(body).model_dump(mode="json", exclude_unset=True) == body
    return body


def same(body: dict[str, Any], other: dict[str, Any]) -> bool:
    return {**body, "took_ms": 0} == {**other, "took_ms": 0}


# --- images ---------------------------------------------------------------------------------------------------------


def test_images_prints_the_http_body(picture_library: Path, picture_server: Served) -> None:
    body = answer("images", "--library", picture_library, "a", "cat", "-n", "3")
    assert body["hits"][0]["document"]["title"] == "chelsea"
    assert same(body, picture_server.client.get("/v1/images", params={"q": "a cat", "limit": 3}).json())
    least = ["--min-relevance", str(body["hits"][0]["relevance"] + 1e-4)]
    assert answer("images", "--library", picture_library, "a cat", *least)["hits"] == []
    only = answer("images", "--library", picture_library, "a cat", "--filter", "type=image/jpeg", "--offset", "1")
    assert {hit["document"]["type"] for hit in only["hits"]} == {"image/jpeg"}
    assert len(only["hits"]) == 4


def test_images_by_a_picture_take_what_a_search_does(picture_library: Path, photos: Path, tmp_path: Path) -> None:
    photo = tmp_path / "cup.png"
    shutil.copy(photos / "coffee.png", photo)
    library = ("images", "--library", picture_library)
    body = answer(*library, "--like", photo, "--facet", "type", "--min-relevance", "0.001", "-n", "50")
    assert body["hits"][0]["document"]["title"] == "coffee" and len(body["facets"]["type"]["values"]) == 2
    only = answer(*library, "--like", photo, "--filter", "type=image/jpeg", "--unlike", photos / "rocket.jpg")["hits"]
    assert {hit["document"]["type"] for hit in only} == {"image/jpeg"}
    assert "rocket" not in [hit["document"]["title"] for hit in only]
    own = answer(*library, "--like", photos / "coffee.png")["hits"]  # of the library, which is no hit itself
    assert "coffee" not in [hit["document"]["title"] for hit in own]
    assert (
        answer("search", "--library", picture_library, "--kind", "image", "--like", photo)["hits"] == body["hits"][:10]
    )
    assert "--like" in quarry(*library, code=2).stderr


def test_images_prints_for_people(picture_library: Path, photos: Path) -> None:
    run = quarry("images", "--library", picture_library, "a cup of coffee", "-n", "2", "--all", env={"COLUMNS": "200"})
    lines = run.stdout.splitlines()
    assert lines[0].startswith("  1. coffee  ")
    assert lines[1] == f"     {photos / 'coffee.png'}"
    assert lines[-1].startswith("2 hits in ")
    assert run.stderr == ""


def test_kinds_in_search(picture_library: Path, picture_server: Served) -> None:
    library = ("search", "--library", picture_library, "coffee in a cup", "-n", "50")
    pictures = answer(*library, "--kind", "image")["hits"]
    assert {hit["kind"] for hit in pictures} == {"image"}
    assert {hit["kind"] for hit in answer(*library, "--kind", "text")["hits"]} == {"text"}
    both = answer(*library, "--kind", "text", "--kind", "image")
    assert same(both, picture_server.client.post("/v1/search", json={"query": both["query"], "limit": 50}).json())
    assert "'video' is not" in quarry(*library, "--kind", "video", code=2).stderr
    assert "min_relevance" in quarry(*library, "--min-relevance", "7", code=1).stderr


def test_a_library_without_pictures_says_how_to_add_some(sample_library: Path, tmp_path: Path) -> None:
    run = quarry("images", "--library", sample_library, "a cat")
    assert run.stdout.startswith("Nothing found in ")
    assert run.stderr == "This library has no pictures yet: `quarry index PATH` adds those below PATH.\n"
    (tmp_path / "empty").mkdir()
    quarry("index", "--library", tmp_path / "library", tmp_path / "empty")
    assert "no pictures yet" in quarry("images", "--library", tmp_path / "library", "a cat").stderr
    assert "quarry index PATH" in quarry("images", "--library", tmp_path / "none", "a cat", code=1).stderr


def test_a_query_in_a_script_that_is_not_known(picture_library: Path) -> None:
    run = quarry("images", "--library", picture_library, "ᚠᛇᚻ")
    assert run.stdout.startswith("Nothing found in ")
    assert run.stderr.startswith("! ") and "script" in run.stderr
    assert "no pictures" not in run.stderr


# --- similar --------------------------------------------------------------------------------------------------------


def test_similar_to_a_photo(picture_library: Path, picture_server: Served, photos: Path, tmp_path: Path) -> None:
    photo = tmp_path / "cup.png"
    shutil.copy(photos / "coffee.png", photo)
    body = answer("similar", "--library", picture_library, photo, "-n", "50")
    assert body["hits"][0]["document"]["title"] == "coffee"
    assert {hit["kind"] for hit in body["hits"]} == {"text", "image"}
    content = (photos / "coffee.png").read_bytes()
    over_http = picture_server.client.post("/v1/search/image", params={"limit": 50}, content=content).json()
    assert same(body, over_http)
    page = answer("similar", "--library", picture_library, photo, "-n", "2", "--offset", "3")
    assert page["hits"] == body["hits"][3:5]
    words = ("a", "red flower", "--kind", "image", "-n", "2")
    altered = answer("similar", "--library", picture_library, photo, *words)
    assert {hit["document"]["title"] for hit in altered["hits"]} == {"coffee", "flower"}
    assert altered["query"] == "a red flower"


def test_a_photo_of_the_library_is_not_similar_to_itself(picture_library: Path, photos: Path) -> None:
    options = ("--library", picture_library, photos / "coffee.png", "--kind", "image", "--filter", "width>0", "--all")
    printed = quarry("similar", *options, "-n", "3").stdout
    assert "3 hits in " in printed and "coffee.png" not in printed
    body = answer("similar", *options, "-n", "3")  # as POST /v1/search/image answers, which is sent a picture alone
    assert body["hits"][0]["document"]["title"] == "coffee"


def test_similar_to_a_picture_of_the_library(picture_library: Path, photos: Path) -> None:
    (first,) = answer("images", "--library", picture_library, "a cat", "-n", "1")["hits"]
    body = answer("similar", "--library", picture_library, first["document"]["id"], "--kind", "image", "-n", "50")
    assert "chelsea" not in [hit["document"]["title"] for hit in body["hits"]]
    assert len(body["hits"]) == len(list(photos.iterdir())) - 1


def test_similar_refuses_in_a_sentence(picture_library: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    for picture, said in (
        ("nothing.jpg", "There is no file 'nothing.jpg', and this library has no document with that id or path."),
        (str(tmp_path), "There is no file"),
        (str(tmp_path / "notes.md"), "notes.md is not in this library: index it first, or search with its words."),
        (str(tmp_path / "empty.jpg"), "empty.jpg can't be searched with: it is empty"),
        (str(tmp_path / "broken.png"), "broken.png can't be searched with: it is damaged"),
    ):
        run = quarry("similar", "--library", picture_library, picture, code=1)
        assert said in run.stderr
        assert (run.stdout, run.stderr.count("\n"), run.stderr[:8]) == ("", 1, "quarry: ")
    assert "Missing argument" in quarry("similar", "--library", picture_library, code=2).stderr


# --- sheets ---------------------------------------------------------------------------------------------------------


def test_a_sheet_shows_what_was_found(picture_library: Path, photos: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    run = quarry("images", "--library", picture_library, "a cat", "-n", "6", "--all", "--sheet", sheet)
    assert run.stderr == f"Drawn: {sheet}\n"
    with Image.open(sheet) as image:
        assert image.format == "PNG" and image.mode == "RGB"
        width, height = image.size
        assert 4 * THUMBNAIL < width < 5 * THUMBNAIL and height < 3 * THUMBNAIL  # four in a row, in two rows
        column = image.crop((40, 96, 40 + THUMBNAIL, 96 + THUMBNAIL))
        top = int((np.asarray(column, np.int64) < 200).any((1, 2)).argmax())  # pictures of a row stand on one line
        cell = column.crop((0, top, THUMBNAIL, THUMBNAIL)).resize((240, round(240 * (THUMBNAIL - top) / THUMBNAIL)))
        with Image.open(photos / "chelsea.png") as original:
            expected = original.convert("RGB").resize((240, 160))
        middle = cell.crop((40, 40, 200, 120)).resize((4, 2)), expected.crop((40, 40, 200, 120)).resize((4, 2))
        shown, whole = (np.asarray(part, np.int64) for part in middle)
        assert np.abs(shown - whole).max() < 40
    as_json = quarry("similar", "--library", picture_library, photos / "rocket.jpg", "--sheet", sheet, "--json")
    assert json.loads(as_json.stdout)["hits"]
    refused = quarry("images", "--library", picture_library, "a cat", "--sheet", tmp_path / "no" / "x.png", code=1)
    assert refused.stderr.startswith("quarry: The sheet can't be written to ")


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet.JPEG", "sheet.webp", "sheet.pdf"])
def test_a_sheet_has_the_format_of_its_suffix(own_pictures: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    arguments = ["images", "a cat", "--library", str(own_pictures[0]), "--sheet", str(tmp_path / name)]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    content = (tmp_path / name).read_bytes()
    assert content.startswith({"f": b"%PDF-", "p": b"RIFF"}.get(name[-1], b"\xff\xd8\xff"))


@pytest.mark.parametrize("name", ["sheet.gif", "sheet", ".png"])
def test_a_sheet_of_an_unknown_suffix_is_refused_before_the_search(tmp_path: Path, name: str) -> None:
    run = CliRunner().invoke(cli, ["images", "a cat", "--library", str(tmp_path), "--sheet", str(tmp_path / name)])
    assert run.exit_code == 2
    assert ".png, .jpg, .jpeg, .webp, .pdf" in run.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("place", "page", "metadata", "told"),
    [
        (None, None, {}, ""),
        (Place(seconds=(83.4, 90.0)), None, {}, ", 1:23"),
        (Place(page=3), 3, {"page": 3}, ", page 3"),
        (Place(page=4), 4, {"slide": 4}, ", slide 4"),
    ],
)
def test_a_sheet_says_where_in_its_document_a_picture_stands(
    place: Place | None, page: int | None, metadata: dict[str, Any], told: str
) -> None:
    document = Document("d", "/a.webm#frame", "Harbour", "image/jpeg", metadata, kind="image")
    assert where(Hit("h", 1.0, 1.0, document, "", 0, 0, page=page, place=place)) == told


def test_sheets_of_odd_names_and_of_nothing(own_pictures: tuple[Path, Path], photos: Path) -> None:
    directory, folder = own_pictures
    for name in (b"caf\xe9 \xff.jpg", "고양이 \u202e사진 🐈.jpg".encode(), b"long" * 50 + b".jpg", b"two\nlines.jpg"):
        shutil.copy(photos / "flower.jpg", folder / os.fsdecode(name))
    with Library(directory) as library:
        assert library.index().added == 4
        library.add([Text("A flower is what a plant blooms with.")])
        response = library.search("a red flower", limit=50)
        assert len([hit for hit in response.hits if hit.kind == "image"]) == 7
        for found, title in (
            (response, "a \udcff\n" + "red " * 300),
            (library.search("a flower", kinds=("text",)), "a flower"),
            (library.search("a flower", offset=100), ""),
        ):
            with Image.open(io.BytesIO(draw(library, found, title))) as image:
                assert image.format == "PNG"
        (directory / "thumbnails.db").unlink()  # a frame stands for what can't be shown
        assert draw(library, response, "nothing to show")


@pytest.mark.parametrize("command", ["images", "similar"])
def test_help_tells_how(command: str) -> None:
    shown = quarry(command, "--help").stdout
    assert "--sheet" in shown and "--json" in shown
