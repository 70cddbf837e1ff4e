"""A library that is moved, replaced or put back to an older state while it is open: followed, or refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from quarry.api.library import Library, Text
from quarry.search.errors import LibraryReplaced, NoLibrary
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from tests.processes import served


@pytest.fixture
def place(tmp_path: Path, models: FakeModels) -> Path:
    """A library of two documents with a segment, closed."""
    place = tmp_path / "library"
    with Library(place, models=models) as library:
        library.add([Text("About stars.", id="a"), Text("About rivers.", id="b")])
        library.compact()
    return place


def is_sound(place: Path) -> bool:
    with Library(place, models=FakeModels()) as library:
        return not any(finding.level == "damage" for finding in library.doctor())


def words(place: Path, query: str) -> set[str]:
    with Library(place, models=FakeModels()) as library:
        return {hit.document.id for hit in library.search(query, mode="lexical").hits}


@pytest.fixture
def other(tmp_path: Path, models: FakeModels) -> Path:
    with Library(tmp_path / "other", models=models) as library:
        library.add([Text("About tides.", id="t"), Text("About winds.", id="w")])
    return tmp_path / "other"


def swap_folders(place: Path, other: Path) -> None:
    place.rename(place.with_name("away"))
    other.rename(place)


def delete_and_copy(place: Path, other: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(other, place)


def put_files(place: Path, other: Path) -> None:
    """The files one by one, as a backup program does."""
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (place / name).unlink(missing_ok=True)
    shutil.copy(other / "catalog.db", place / "catalog.new")
    (place / "catalog.new").replace(place / "catalog.db")
    for folder in ("lexical", "segments"):
        shutil.rmtree(place / folder, ignore_errors=True)
        if (other / folder).exists():
            shutil.copytree(other / folder, place / folder)


def copy_over(place: Path, other: Path) -> None:
    """The catalog's content, into the same file."""
    shutil.copy(other / "catalog.db", place / "catalog.db")
    shutil.rmtree(place / "segments")
    shutil.rmtree(place / "lexical")
    shutil.copytree(other / "lexical", place / "lexical")


@pytest.mark.parametrize("swap", [swap_folders, delete_and_copy, put_files, copy_over])
def test_another_library_in_its_place_is_followed(place: Path, other: Path, swap: Callable[[Path, Path], None]) -> None:
    with Library(place, models=FakeModels()) as library:
        assert {hit.document.id for hit in library.search("about").hits} == {"a", "b"}
        swap(place, other)
        if swap is copy_over:  # what tells it is in the file, not around it
            with pytest.raises(LibraryReplaced):
                library.search("about")
        assert {hit.document.id for hit in library.search("about").hits} == {"t", "w"}
        assert {document.id for document in library.documents()[0]} == {"t", "w"}
        library.add(Text("About new things.", id="n"))
        for mode in ("lexical", "semantic"):
            hits = library.search("about", mode=mode).hits  # type: ignore[arg-type]
            assert {hit.document.id for hit in hits} == {"t", "w", "n"}
    assert is_sound(place)
    if swap is swap_folders:
        assert words(place.with_name("away"), "about") == {"a", "b"}
        assert is_sound(place.with_name("away"))


def test_one_that_is_gone_is_not_made_anew(place: Path) -> None:
    with Library(place, models=FakeModels()) as library:
        library.add(Text("More."))
        place.rename(place.with_name("away"))
        for call in (lambda: library.search("about"), lambda: library.add(Text("Lost?")), library.status):
            with pytest.raises(NoLibrary, match="gone since"):
                call()
        assert not place.exists()
        place.with_name("away").rename(place)
        assert len(library.search("about").hits) == 3


def test_a_run_does_not_go_on_in_another_library(
    place: Path, other: Path, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is replaced between embedding and writing."""
    with Library(place, models=models) as library:
        library.search("about")

        library.searcher.encoder()
        for encoder in models.loaded.values():
            encoder.on_embed = lambda count: swap_folders(place, other)
        with pytest.raises(LibraryReplaced, match="nothing was read or written"):
            library.add(Text("Unacknowledged.", id="u"))
    for at, ids in ((place, {"t", "w"}), (place.with_name("away"), {"a", "b"})):
        assert words(at, "about") == ids and words(at, "unacknowledged") == set()
        assert is_sound(at)


def test_an_older_state_put_back_is_followed(place: Path, tmp_path: Path) -> None:
    """The same library, the same generation again with other content: nothing that was kept of the old is used."""
    shutil.copytree(place, tmp_path / "older")
    with Library(place, models=FakeModels()) as library:
        library.add(Text("About lakes.", id="l"))
        assert {hit.document.id for hit in library.search("about", filter={"id": {"$ne": "a"}}).hits} == {"b", "l"}
        with Library(tmp_path / "older", models=FakeModels()) as older:
            older.add(Text("About x.", id="x"))
        delete_and_copy(place, tmp_path / "older")
        assert {hit.document.id for hit in library.search("about", filter={"id": {"$ne": "a"}}).hits} == {"b", "x"}
    assert is_sound(place)


def test_what_is_read_is_from_one_library(place: Path, other: Path) -> None:
    with Library(place, models=FakeModels()) as library:
        with library.catalog().snapshot():
            swap_folders(place, other)
            assert library.text("a") == "About stars."
        assert library.text("t") == "About tides."


def test_a_catalog_that_was_opened_does_not_move_on(place: Path, other: Path) -> None:
    catalog = Catalog(place)
    swap_folders(place, other)
    assert not catalog.place.is_current()
    for use in (catalog.snapshot, catalog.transaction):
        with pytest.raises(LibraryReplaced), use():
            pass
    catalog.close()


def test_a_server_follows(own_library: Path, tmp_path: Path) -> None:
    """By the real models: what is there is searched and written, what is gone is not made anew."""
    other, away = tmp_path / "other", tmp_path / "away"
    with Library(other) as library:
        library.add(Text("The tide follows the moon.", id="tide"))
    with Library(own_library) as library:
        before = library.documents()[1]
    with served(own_library, tmp_path / "log") as running:
        client = running.client

        def search(query: str) -> set[str]:
            response = client.post("/v1/search", json={"query": query, "min_relevance": 0})
            assert response.status_code == 200 and not response.json()["degraded"], response.text
            return {hit["document"]["id"] for hit in response.json()["hits"]}

        def add(id: str) -> int:
            document = {"id": id, "text": f"A note on lakes, called {id}."}
            return client.post("/v1/documents", json={"documents": [document]}).status_code

        assert len(search("how do stars form")) > 1
        assert add("first") == 201
        own_library.rename(away)
        for status, text in ((client.post("/v1/search", json={"query": "stars"}), "gone"), (client.get("/readyz"), "")):
            assert status.status_code == 503 and text in status.text
        assert (add("lost"), client.get("/healthz").status_code, own_library.exists()) == (503, 200, False)
        other.rename(own_library)
        assert search("how do stars form") == {"tide"}
        assert add("second") == 201
        assert search("a note on lakes") == {"tide", "second"}
        assert "Traceback" not in running.log.read_text("utf-8")
    with Library(away) as library:
        assert library.documents()[1] == before + 1 and library.get("first")
    assert is_sound(away) and is_sound(own_library)
