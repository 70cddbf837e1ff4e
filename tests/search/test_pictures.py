"""Searching pictures by words, by a picture, and by both, beside passages: in this process, by the real models.

The embedded image model is small: asked about are photos of things that it can tell apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.api import Library, Text
from quarry.search.errors import FileMalformed, FileUnreadable, InvalidRequest, ModelMissing, NotFound, UnsupportedType
from quarry.search.models.live import GivenModels
from quarry.search.queries.query import Query, Response
from quarry.search.ranking import fusion
from quarry.search.ranking.retrievers import down_to
from quarry.search.relevance import Null
from quarry.search.types import KINDS, MAX_REACH, MODES, Candidates, Mode

CLEAR = [
    ("a cat", "chelsea"),
    ("a cup of coffee", "coffee"),
    ("a red flower", "flower"),
    ("a motorcycle", "motorcycle_left"),
]


@pytest.fixture(scope="module")
def library(picture_library: Path) -> Iterator[Library]:
    with Library(picture_library) as opened:
        yield opened


@pytest.fixture(scope="module")
def captioned(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library of pictures about some of which something is said beside them, in one case at length."""
    folder = tmp_path_factory.mktemp("captioned")
    for name in ("chelsea.png", "coffee.png", "moon.png", "rocket.jpg"):
        shutil.copy(photos / name, folder / name)
    shutil.copy(photos / "grass.png", folder / "brick.png")
    (folder / "coffee.txt").write_text("The espresso that Ludmilla ordered in Trieste.\n")
    (folder / "moon.json").write_text('{"caption": "Craters of the moon, seen from an orbiter."}')
    wall = "A wall of bricks, laid in a running bond, on the street of the brewery.\n\n"
    (folder / "brick.txt").write_text(wall * 60 + "At its end lives Ottokar, who mends umbrellas.\n")
    (folder / "bricks.md").write_text("# Bricks\n\nBricks are made of clay, and laid in mortar.\n")
    with Library(folder / ".library") as library:
        assert library.index(folder).complete
        yield library


def titles(response: Response) -> list[str]:
    return [hit.document.title for hit in response.hits]


def uri(library: Library, title: str) -> str:
    (document,) = library.documents(filter={"kind": "image", "title": title})[0]
    return document.uri


# --- by words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "title"), CLEAR)
def test_words_find_the_picture_that_shows_it(library: Library, query: str, title: str) -> None:
    response = library.search(query, kinds=("image",), mode="semantic", limit=5)
    assert titles(response)[0] == title
    assert {hit.kind for hit in response.hits} == {"image"}
    assert response.degraded == ()


def test_pictures_are_found_without_a_word_in_common(library: Library) -> None:
    first, *others = library.search("a cat", kinds=("image",), limit=20, explain=True).hits
    assert first.document.title == "chelsea"
    assert first.explanation is not None and first.explanation["image"]["rank"] == 1
    assert all(first.relevance >= hit.relevance for hit in others)
    assert (first.text, first.highlights) == ("", ())


def test_what_is_said_beside_a_picture_finds_it(captioned: Library) -> None:
    for mode in MODES:
        hit = captioned.search("Ludmilla in Trieste", mode=mode, kinds=("image",), limit=1).hits[0]
        assert (hit.document.title, hit.kind) == ("coffee", "image")
        assert "Ludmilla" in hit.text
    marked = captioned.search("Ludmilla", mode="lexical").hits[0]
    assert [marked.text[start:end] for start, end in marked.highlights] == ["Ludmilla"]
    late = captioned.search("Ottokar", mode="lexical").hits[0]  # the passage of a long caption that speaks for it
    assert (late.document.title, late.kind) == ("brick", "image")
    assert late.start > 0 and "Ottokar" in late.text
    assert captioned.text(late.document.id)[late.start : late.end] == late.text


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_that_is_found_by_itself_and_by_its_caption_is_one_hit(captioned: Library, mode: Mode) -> None:
    for query, title in (("craters of the moon", "moon"), ("a wall of bricks", "brick"), ("cat", "chelsea")):
        for kinds in (("image",), KINDS):
            hits = captioned.search(query, mode=mode, kinds=kinds, limit=1000).hits
            found = [hit.document.title for hit in hits if hit.kind == "image"]
            assert len(found) == len(set(found))
            assert title in found or mode == "lexical"
            assert kinds == ("image",) or len(found) < len(hits) or query != "a wall of bricks"


def test_lexical_finds_no_pixels(library: Library) -> None:
    assert library.search("a cat", mode="lexical", kinds=("image",)).hits == []
    assert titles(library.search("motorcycle_left", mode="lexical"))[0] == "motorcycle_left"  # by its name


def test_a_script_that_the_models_do_not_know_is_named(library: Library) -> None:
    response = library.search("ᚠᚢᚦᚨᚱᚲ ᚷᚹ", kinds=("image",))
    assert response.hits == []
    assert any("script" in note for note in response.degraded)


# --- by a picture ---------------------------------------------------------------------------------------------------


def test_a_photo_finds_itself_first(library: Library, photos: Path) -> None:
    for name in ("chelsea.png", "rocket.jpg", "flower.jpg"):
        by_path = library.search(picture=photos / name, kinds=("image",))
        assert by_path.hits[0].document.title == Path(name).stem
        by_content = library.search(picture=(photos / name).read_bytes(), kinds=("image",))
        assert titles(by_content) == titles(by_path)
        assert by_path.query.text == ""
        itself, *others = by_path.hits
        assert all(hit.relevance < itself.relevance / 2 for hit in others)


def test_a_picture_of_the_library_finds_others(library: Library) -> None:
    for reference in (uri(library, "chelsea"), library.get(uri(library, "chelsea")).id):
        found = library.search(like=reference, kinds=("image",), limit=1000)
        assert "chelsea" not in titles(found)
        assert len(found.hits) == library.documents(filter={"kind": "image"})[1] - 1
    only = library.search(like=uri(library, "chelsea"), filter={"type": "image/jpeg"}, kinds=("image",), limit=1000)
    assert sorted(titles(only)) == ["china", "flower", "hubble_deep_field", "retina", "rocket"]


def test_a_photo_finds_passages_about_what_it_shows(library: Library, photos: Path) -> None:
    coffee = library.search(picture=photos / "coffee.png", kinds=("text",), limit=5)
    assert {hit.kind for hit in coffee.hits} == {"text"}
    assert all("/food/" in hit.document.uri for hit in coffee.hits[:3])
    stars = library.search(picture=photos / "hubble_deep_field.jpg", kinds=("text",), limit=5)
    assert all("/astronomy/" in hit.document.uri for hit in stars.hits[:3])


def test_words_and_a_photo_both_count(library: Library, photos: Path) -> None:
    both = titles(library.search("a red flower", picture=photos / "chelsea.png", kinds=("image",)))
    assert {"chelsea", "flower"} <= set(both[:3])
    passages = [library.search(text, picture=photos / "coffee.png", kinds=("text",)).hits for text in ("", "the Sun")]
    assert "/food/" in passages[0][0].document.uri
    assert "/astronomy/" in passages[1][0].document.uri
    unknown = library.search("ᚠᚢᚦᚨᚱᚲ", picture=photos / "chelsea.png")
    assert len([note for note in unknown.degraded if "only the picture" in note]) == 1
    alone = library.search(picture=photos / "chelsea.png")
    assert [hit.id for hit in unknown.hits] == [hit.id for hit in alone.hits]


def test_what_can_not_be_searched_with_is_named(library: Library, photos: Path, tmp_path: Path) -> None:
    text = next(document for document in library.documents()[0] if document.kind == "text")
    assert text.id not in {hit.document.id for hit in library.search(like=text.id).hits}  # more like this
    with pytest.raises(NotFound, match="nothing at all"):
        library.search(like="nothing at all")
    with pytest.raises(FileUnreadable, match=r"gone\.jpg can't be searched with: .*No such file"):
        library.search(picture=tmp_path / "gone.jpg")
    (tmp_path / "notes.md").write_text("# A cat\n")
    with pytest.raises(UnsupportedType, match=r"notes\.md .* is no picture"):
        library.search(picture=tmp_path / "notes.md")
    with pytest.raises(FileMalformed, match=r"The picture .* empty"):
        library.search(picture=b"")
    with pytest.raises(FileMalformed, match="damaged"):
        library.search(picture=(photos / "coffee.png").read_bytes()[:5_000])
    (tmp_path / "link").symlink_to(photos / "coffee.png")  # without a suffix, and by a link
    assert library.search(picture=tmp_path / "link", kinds=("image",)).hits[0].document.title == "coffee"


# --- passages and pictures ------------------------------------------------------------------------------------------


def test_kinds(library: Library) -> None:
    whole = library.search("coffee in a cup", limit=1000)
    assert {hit.kind for hit in whole.hits} == set(KINDS)
    for kind in KINDS:
        hits = library.search("coffee in a cup", kinds=(kind,), limit=1000).hits
        assert {hit.kind for hit in hits} == {kind}
    with pytest.raises(InvalidRequest, match="text and image"):
        library.search("coffee", kinds=())
    with pytest.raises(InvalidRequest, match="text and image"):
        library.search("coffee", kinds=("video",))  # type: ignore[arg-type]


def test_filters_hold_for_pictures(library: Library, photos: Path) -> None:
    for filter in ({"width": {"$gte": 600}}, {"type": "image/png"}, {"path": {"$contains": "o"}, "kind": "image"}):
        allowed = {document.id for document in library.documents(filter=filter, limit=1000)[0]}
        for asked in ({"text": "a cat"}, {"picture": photos / "chelsea.png"}):
            hits = library.search(**asked, filter=filter, limit=1000).hits  # type: ignore[arg-type]
            assert {hit.document.id for hit in hits} == allowed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["coffee", "the moon and its craters", "a cat on a wall of bricks"])
@pytest.mark.parametrize("name", ["library", "captioned"])
def test_pages_never_reshuffle_across_kinds(name: str, query: str, mode: Mode, request: pytest.FixtureRequest) -> None:
    library: Library = request.getfixturevalue(name)

    def page(offset: int, limit: int) -> list[tuple[str, float]]:
        hits = library.search(query, mode=mode, offset=offset, limit=limit).hits
        return [(hit.id, hit.relevance) for hit in hits]

    whole = page(0, 1000)
    assert [hit for offset in range(0, len(whole) + 7, 7) for hit in page(offset, 7)] == whole
    assert len({id for id, _ in whole}) == len(whole)
    relevance = [one for _, one in whole]
    assert relevance == sorted(relevance, reverse=True)
    assert all(0 <= one <= 1 for one in relevance)


def test_long_captions_tear_no_hole_into_pages(captioned: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retriever's depth is soon used up by passages of one caption, which are one hit."""
    whole = [hit.id for hit in captioned.search("a wall of bricks", mode="lexical", limit=1000).hits]
    monkeypatch.setattr(fusion, "DEPTH", 3)
    for mode in MODES:
        pages = [captioned.search("a wall of bricks", mode=mode, limit=2, offset=at).hits for at in range(0, 10, 2)]
        far = captioned.search("a wall of bricks", mode=mode, limit=10).hits
        assert [hit.id for page in pages for hit in page] == [hit.id for hit in far]
        assert mode != "lexical" or [hit.id for hit in far] == whole


def test_pages_of_what_a_photo_finds(library: Library, photos: Path) -> None:
    ids = [hit.id for hit in library.search(picture=photos / "moon.png", limit=1000).hits]
    assert len(ids) == len(set(ids)) > 20
    pages = [library.search(picture=photos / "moon.png", limit=5, offset=at).hits for at in range(0, len(ids), 5)]
    assert [hit.id for page in pages for hit in page] == ids


def test_a_deeper_search_only_appends() -> None:
    """An approximate index may find, when asked for more, what it missed before: that moves nothing."""
    missed = MAX_REACH

    def search(k: int) -> Candidates:
        ids = np.arange(500) if k <= fusion.DEPTH else np.concatenate([[missed], np.arange(500)])
        return Candidates(ids[:k], np.linspace(1, 0, 501, dtype=np.float32)[: min(k, len(ids))])

    shallow = down_to(Query("x", limit=fusion.DEPTH), search)
    deep = down_to(Query("x", limit=fusion.DEPTH + 1), search)
    assert len(shallow) == fusion.DEPTH
    assert deep.ids[: fusion.DEPTH].tolist() == shallow.ids.tolist()
    assert missed in deep.ids and len(deep) == 501
    assert np.all(np.diff(deep.scores) <= 0)


def test_min_relevance(library: Library) -> None:
    whole = library.search("how do stars form", limit=1000).hits
    assert whole[0].relevance > whole[3].relevance > whole[-1].relevance
    for least in (0.0, whole[3].relevance, 0.5, 1.0):
        kept = library.search("how do stars form", min_relevance=least, limit=1000).hits
        assert [hit.id for hit in kept] == [hit.id for hit in whole if hit.relevance >= least]
    beyond = library.search("how do stars form", min_relevance=whole[3].relevance, offset=4, limit=10)
    assert all(hit.relevance == whole[3].relevance for hit in beyond.hits)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidRequest, match="min_relevance"):
            library.search("stars", min_relevance=wrong)


def test_the_null_of_a_sum_is_that_of_its_parts() -> None:
    random = np.random.default_rng(3)
    one, other = random.normal(0.1, 0.03, 100_000), random.normal(-0.2, 0.04, 100_000)
    both = Null(0.1, 0.03).plus(Null(-0.2, 0.04), 1.5, 0.7)
    assert both.mean == pytest.approx(((one + 0.7 * other) / 1.5).mean(), abs=1e-3)
    assert both.spread == pytest.approx(((one + 0.7 * other) / 1.5).std(), abs=1e-3)


def test_what_has_nothing_to_do_with_anything_is_hardly_relevant(library: Library) -> None:
    meant = library.search("how do stars form", limit=1).hits[0].relevance
    for query in ("municipal tax returns of 1974", "qwzx vbnk"):
        assert all(hit.relevance < meant for hit in library.search(query).hits)


# --- when something is missing --------------------------------------------------------------------------------------


def test_a_library_without_pictures(sample_library: Path, photos: Path) -> None:
    with Library(sample_library) as library:
        assert library.search("a cat", kinds=("image",)).hits == []
        response = library.search(picture=photos / "coffee.png")
        assert {hit.kind for hit in response.hits} == {"text"}
        assert response.degraded == ()
        with pytest.raises(NotFound, match="thumbnail"):
            library.thumbnail(library.documents(limit=1)[0][0].id)


def test_an_empty_library(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "empty").mkdir()
    with Library(tmp_path / "library") as library:
        library.index(tmp_path / "empty")
        for response in (library.search("a cat"), library.search(picture=photos / "chelsea.png")):
            assert (response.hits, response.degraded) == ([], ())


def test_a_missing_image_model_costs_only_what_needs_it(
    own_pictures: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 37: pictures are still found by what is said about them, and by pictures whose vectors are stored."""
    directory, folder = own_pictures
    (folder / "rocket.txt").write_text("The Falcon at dusk.")
    with Library(directory) as library:
        library.index()
        text_model = library.searcher.encoder()
        monkeypatch.setenv("QUARRY_CACHE", str(tmp_path / "cache"))
    with Library(directory, models=GivenModels(text=text_model)) as library:
        response = library.search("falcon at dusk", kinds=("image",))
        assert titles(response)[0] == "rocket"
        assert any("quarry models --prepare" in note for note in response.degraded)
        like = library.search(like=uri(library, "rocket"))
        assert sorted(titles(like)) == ["chelsea", "coffee"]
        assert any("Passages were not searched" in note for note in like.degraded)
        with pytest.raises(ModelMissing, match="quarry models --prepare"):
            library.search(picture=folder / "coffee.png")


def test_a_picture_that_is_handed_over_is_found(own_pictures: tuple[Path, Path], photos: Path) -> None:
    directory, folder = own_pictures
    with Library(directory) as library:
        (id,) = library.add_file((photos / "motorcycle_left.png").read_bytes(), "1.png", {"album": 7})
        library.add([Text("Motorcycles need two wheels.")])
        hit = library.search("a motorcycle", kinds=("image",)).hits[0]
        assert (hit.document.id, hit.document.title, hit.document.metadata["album"]) == (id, "1", 7)
        assert library.thumbnail(id).startswith(b"\xff\xd8\xff")
        with pytest.raises(NotFound, match="no file"):
            library.original(id)
        (folder / "chelsea.png").unlink()
        library.index()
        assert "chelsea" not in titles(library.search("a cat", kinds=("image",), limit=1000))
        shutil.copy(photos / "flower.jpg", folder / "coffee.png")  # under the old name, another picture
        library.index()
        assert titles(library.search("a red flower", kinds=("image",)))[0] == "coffee"


def test_explanations_are_plain_values(library: Library, photos: Path) -> None:
    found: list[dict[str, Any]] = [
        dict(hit.explanation or {})
        for asked in ({"text": "coffee"}, {"picture": photos / "coffee.png"})
        for hit in library.search(**asked, explain=True, limit=50).hits  # type: ignore[arg-type]
    ]
    assert all("relevance" in one and len(one) > 1 for one in found)
