"""A library that is moved to another engine and back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quarry.api.library import Library, Text
from quarry.search.engines.milvus import checked_uri
from quarry.search.engines.table import ENGINES, placed
from quarry.search.errors import InvalidRequest, LibraryDamaged, LibraryReadOnly
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.chosen_engine import ChosenEngine, choose

QUERIES = ("how stars form", "서울의 봄", "who built the lighthouse", "bread")


@pytest.fixture(params=["milvus", "qdrant"])
def name(request: pytest.FixtureRequest, own_library: Path) -> Iterator[str]:
    yield request.param
    if request.param == "milvus":
        from milvus_lite.server_manager import server_manager_instance

        server_manager_instance.release_all()


def hits(library: Library) -> list[tuple[str, float, float]]:
    found = []
    for query in QUERIES:
        for options in ({}, {"mode": "semantic"}, {"filter": {"type": "markdown"}}):
            response = library.search(query, limit=30, **options)
            assert not [note for note in response.degraded if "Milvus" in note or "Qdrant" in note]
            found += [(hit.id, hit.score, hit.relevance) for hit in response.hits]
    return found


def test_the_sample_library_has_the_same_hits_in_the_same_order(name: str, own_library: Path) -> None:
    with Library(own_library) as library:
        before, vectors = hits(library), library.status()["spaces"][0]["vectors"]
        told: list[int] = []
        moved = library.move(name, progress=_Progress(told))
        assert moved.vectors == sum(told) >= vectors > 100
        status = library.status()
        assert status["engine"] == {"name": name, "uri": ""}
        space = status["spaces"][0]
        assert (space["vectors"], space["tail"]) == (vectors, 0)
        after = hits(library)
        assert [hit[0] for hit in after] == [hit[0] for hit in before]
        assert [hit[1:] for hit in after] == [pytest.approx(hit[1:], abs=1e-5) for hit in before]
        assert not list((own_library / "segments").glob("**/*.faiss")), "the old engine lets go of its files"
        assert {finding.level for finding in library.doctor()} <= {"ok", "warning"}
        library.add([Text("A lighthouse that nobody has heard of.", id="new")])
        library.delete(["new"])
        library.compact()
    with Library(own_library) as again:  # whoever opens it uses the engine that it has chosen
        assert [hit[0] for hit in hits(again)] == [hit[0] for hit in before]
        again.move("faiss")
        assert hits(again) == before
        assert again.status()["engine"] == {"name": "faiss", "uri": ""}
        left = list((own_library / "qdrant").glob("*")) + list((own_library / "milvus.db").glob("collections/*/*"))
        assert not [one for one in left if one.is_dir() and list(one.glob("**/*.parquet"))]
        assert not list((own_library / "qdrant").glob("*"))


class _Progress:
    def __init__(self, told: list[int]) -> None:
        self._told = told

    def start(self, files: int, size: int) -> None: ...

    def advance(self, files: int, size: int, passages: int) -> None:
        self._told.append(passages)

    def note(self, text: str) -> None: ...


def test_the_command_line_shows_and_moves(tmp_path: Path) -> None:
    """In processes of their own, as a shell has them."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "stars.md").write_text("# Stars\n\nStars form where clouds of gas fall together.\n")

    def quarry(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "quarry.api.cli", *words]
        done = subprocess.run(
            command, env=os.environ | {"QUARRY_LIBRARY": str(tmp_path / "library")}, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    elsewhere = str(tmp_path / "shards")
    quarry("index", str(notes), "--engine", "qdrant", "--engine-uri", elsewhere)
    assert quarry("engine").strip() == f"qdrant {elsewhere}"
    assert f"engine qdrant {elsewhere}" in quarry("status")
    assert "stars.md" in quarry("search", "how do stars form")
    assert json.loads(quarry("engine", "faiss", "--json"))["vectors"] == 1
    assert quarry("engine").strip() == "faiss"
    assert "keeps all in the library" in quarry("engine", "faiss", "--uri", "x", code=1)
    assert "There is no vector engine 'fast'" in quarry("engine", "fast", code=1)


def test_a_move_that_fails_leaves_the_library_as_it_was(tmp_path: Path, models: FakeModels) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text("One.", id="one")])
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(Exception, match="can't be used"):
            library.move("qdrant", str(tmp_path / "file"))
        assert library.status()["engine"]["name"] == "faiss"
        assert len(library.search("One", mode="semantic").hits) == 1


def test_an_engine_whose_package_is_missing_says_what_brings_it(
    tmp_path: Path, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "qdrant_edge", None)
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text("One.", id="one")])
        with pytest.raises(Exception, match=r"pip install quarry-search\[qdrant\]"):
            library.move("qdrant")


@pytest.mark.parametrize(
    "uri",
    [
        "milvus",
        "ftp://host:1",
        "http://",
        "http://host:99999",
        "http://root:secret@host:19530",
        "a\0.db",
        "http://[::1",
    ],
)
def test_what_is_no_address_of_milvus_is_refused(uri: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        placed("milvus", uri)
    assert "secret" not in str(caught.value)


def test_addresses_of_milvus_are_kept_as_they_are_and_files_from_the_root(tmp_path: Path) -> None:
    assert checked_uri("https://milvus.example:443/books") == "https://milvus.example:443/books"
    assert checked_uri(str(tmp_path / "x.db")) == str(tmp_path / "x.db")
    assert placed("milvus", "").uri == "" and set(ENGINES) == {"faiss", "exact", "milvus", "qdrant"}
    with pytest.raises(InvalidRequest, match="only milvus and qdrant"):
        placed("exact", "somewhere")


def test_a_copy_of_a_moved_library_goes_on_from_its_catalog(tmp_path: Path, models: FakeModels) -> None:
    """Its engine's files are not in a backup; what they held is searched one by one until they are made."""
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(30)])
        library.move("qdrant")
        expected = [hit.id for hit in library.search("number3 stars", limit=50).hits]
        library.backup(tmp_path / "backup")
    shutil.rmtree(tmp_path / "library")
    from quarry.api.members.keeping import restore

    restore(tmp_path / "backup", tmp_path / "library")
    with Library(tmp_path / "library", models=models) as library:
        assert [hit.id for hit in library.search("number3 stars", limit=50).hits] == expected
        library.compact()
        assert library.status()["spaces"][0]["tail"] == 0


@pytest.fixture
def moved(tmp_path: Path, models: FakeModels) -> Iterator[Path]:
    """A library whose vectors are in a folder elsewhere."""
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(30)])
        library.move("qdrant", str(tmp_path / "shards"))
    yield tmp_path / "library"
    with Library(tmp_path / "library", models=models) as library:  # it has what it had
        assert library.status()["spaces"][0]["tail"] == 0
        assert not library.search("number3 stars").degraded
        assert {finding.level for finding in library.doctor()} <= {"ok", "warning"}


def test_two_copies_of_a_library_never_fill_one_collection(moved: Path, tmp_path: Path, models: FakeModels) -> None:
    with Library(moved, models=models) as library:
        library.backup(tmp_path / "backup")
        filled = {path.name for path in (tmp_path / "shards").iterdir()}
    from quarry.api.members.keeping import restore

    restore(tmp_path / "backup", tmp_path / "restored")
    shutil.copytree(moved, tmp_path / "copied")
    for name in ("restored", "copied"):
        with Library(tmp_path / name, models=models) as copy:
            found = copy.search("number3 stars")
            assert len(found.hits) == 10 and "was chosen by another library" in found.degraded[0]
            copy.add([Text("A text of the copy's own.", id="own")])
            copy.compact()
            copy.doctor(repair=True)
            assert {path.name for path in (tmp_path / "shards").iterdir()} == filled
            copy.move("qdrant", str(tmp_path / "shards"))
            assert not copy.search("number3 stars").degraded and copy.status()["spaces"][0]["tail"] == 0
            copy.move("faiss")
            assert {path.name for path in (tmp_path / "shards").iterdir()} == filled


def test_a_replica_searches_where_its_source_does_and_writes_nothing(
    moved: Path, tmp_path: Path, models: FakeModels
) -> None:
    from quarry.api.members.replicating import replicate

    replicate(moved, tmp_path / "replica")
    with Library(moved, models=models) as library:
        library.add([Text("A text that the replica has not got yet.", id="new")])
        library.compact()
    held = sorted((tmp_path / "shards").glob("**/mark.json"))[0].read_text()
    with Library(tmp_path / "replica", models=models) as replica:
        space = replica.status()["spaces"][0]
        assert (space["vectors"], space["tail"], space["degraded"]) == (30, 0, [])
        assert len(replica.search("number3 stars", mode="semantic").hits) == 10
        with pytest.raises(LibraryReadOnly):
            replica.move("faiss")
    assert sorted((tmp_path / "shards").glob("**/mark.json"))[0].read_text() == held


def test_a_place_under_another_name_keeps_what_was_moved_there(moved: Path, tmp_path: Path, models: FakeModels) -> None:
    (tmp_path / "linked").symlink_to(tmp_path / "shards")
    with Library(moved, models=models) as library:
        library.move("qdrant", str(tmp_path / "linked"))
        assert library.status()["spaces"][0]["tail"] == 0


def test_a_library_leaves_an_engine_that_is_gone_for_good(tmp_path: Path, models: FakeModels) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(30)])
        catalog = tmp_path / "library" / "catalog.db"
        with closing(Catalog(tmp_path / "library", writable=True)) as opened, opened.transaction() as connection:
            choose(connection, ChosenEngine("milvus", "http://127.0.0.1:1").at(catalog))
        assert "does not answer" in library.search("number3 stars").degraded[0]
        library.move("faiss")
        assert not library.search("number3 stars").degraded and library.status()["spaces"][0]["tail"] == 0


@pytest.mark.parametrize("name", ["qdrant", "milvus.db"])
def test_a_link_in_place_of_an_engines_folder_is_not_followed(name: str, tmp_path: Path, models: FakeModels) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / name).symlink_to(tmp_path / "elsewhere")
    with Library(tmp_path / "library", models=models) as library, pytest.raises(LibraryDamaged, match="symbolic link"):
        library.move(name.removesuffix(".db"))
    assert not list((tmp_path / "elsewhere").iterdir())
