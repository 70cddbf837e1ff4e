"""Replicas: what comes to them, what they refuse, and that they are the old generation or the new one, never both."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quarry.api import Library, Text
from quarry.api.members.replicating import replicate
from quarry.indexer.exchange import replicating
from quarry.indexer.exchange.listing import CommitListing, ListedFile
from quarry.indexer.exchange.replicating import Replicated
from quarry.indexer.exchange.sources import FolderSource, HeldFolder
from quarry.indexer.report import NoProgress
from quarry.search.errors import (
    FileMalformed,
    InvalidRequest,
    LibraryDamaged,
    LibraryFormat,
    LibraryReadOnly,
    NoLibrary,
    StorageFull,
)
from quarry.search.models.fake import FakeModels
from quarry.search.stores.database import migrations
from tests.processes import quarry


@pytest.fixture
def source(tmp_path: Path, models: FakeModels) -> Path:
    """A library of 40 texts, of which a segment holds most."""
    with Library(tmp_path / "source", models=models) as library:
        library.add([Text(f"number {number} about stars " + "and more " * 50, id=str(number)) for number in range(40)])
        library.compact()
        library.add(Text("a text about bread", id="bread"))
    return tmp_path / "source"


def add(source: Path, id: str) -> None:
    with Library(source, models=FakeModels()) as library:
        library.add(Text(f"a text about {id}", id=id))


def ids(place: Path) -> set[str]:
    with Library(place, models=FakeModels()) as library:
        return {document.id for document in library.documents(limit=1000)[0]}


def generations(target: Path) -> list[str]:
    return sorted(path.name for path in (target / "generations").iterdir())


def test_a_replica_is_the_library_and_only_what_is_new_is_copied(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "replica"
    first = replicate(source, target)
    assert first.is_new and first.bytes - 1000 < first.fetched.bytes <= first.bytes  # some small ones are the same
    assert not replicate(source, target).is_new
    with Library(source, models=FakeModels()) as own, Library(target, models=FakeModels()) as library:
        for query in ("stars", "bread", "number 7"):
            for mode in ("hybrid", "semantic", "lexical"):
                found = [[(hit.id, hit.score) for hit in one.search(query, mode=mode).hits] for one in (own, library)]
                assert found[0] == found[1] != []
        assert [finding for finding in library.doctor() if finding.level == "damage"] == []
        segment = next(target.glob("generations/*/segments/*.faiss")).stat().st_ino
        own.add(Text("a text about rivers", id="rivers"))
        second = replicate(source, target)
        assert second.is_new and second.fetched.bytes < 0.8 * second.bytes and second.fetched.files < second.files
        assert [hit.document.id for hit in library.search("rivers", mode="lexical").hits] == ["rivers"]
        assert next((target / "current").glob("segments/*.faiss")).stat().st_ino == segment
        told = library.status()["replica"]
        assert (told["source"], told["behind"], told["problem"]) == (str(source), 0, "")
    for path in target.rglob("*"):
        assert path.is_symlink() or not path.stat().st_mode & 0o077


def test_nothing_can_be_written_and_it_is_said_where_it_can(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "replica"
    replicate(source, target)
    before = sorted(target.rglob("*"))
    with Library(target, models=FakeModels()) as library:
        for write in (
            lambda: library.add(Text("new")),
            lambda: library.delete("bread"),
            lambda: library.move("qdrant"),
            library.undelete,
            library.compact,
            lambda: library.index(tmp_path),
            lambda: library.index(),
            library.enrich,
            lambda: library.reembed("fake"),
            lambda: library.forget(tmp_path),
            lambda: library.label("astronomy"),
            lambda: library.doctor(repair=True),
        ):
            with pytest.raises(LibraryReadOnly, match=rf"{target} is a replica of {source}"):
                write()
    assert "is a replica of" in quarry("delete", "bread", "--library", target, code=1).stderr
    said = quarry("status", "--library", target).stdout
    assert f"replica of {source}" in said and "0 commits behind" in said
    assert "is a replica of" in quarry("serve", "--watch", "--port", "0", "--library", target, code=1).stderr
    assert ids(target) == ids(source) and sorted(target.rglob("*")) == before


def test_a_generation_is_not_opened_as_a_library_of_its_own(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "replica"
    replicate(source, target)
    for place in (target / "current", *target.glob("generations/*")):
        with (
            Library(place, models=FakeModels()) as library,
            pytest.raises(InvalidRequest, match=f"replica at {target};"),
        ):
            library.add(Text("new"))
    shutil.copytree(target / "current", tmp_path / "own")
    add(tmp_path / "own", "rivers")  # whoever takes a copy of it may


def test_a_use_ends_in_the_generation_that_it_began_in(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "replica"
    replicate(source, target)
    with Library(target, models=FakeModels()) as library:
        with library.opened.used():  # a request that is being answered
            assert library.documents()[1] == 41
            add(source, "rivers")
            replicate(source, target)
            replicate(source, target)
            found = []
            other = threading.Thread(target=lambda: found.append(library.documents()[1]))
            other.start()
            other.join()
            assert (library.documents()[1], found) == (41, [42])
            assert library.search("stars").hits and len(generations(target)) == 2
        assert library.documents()[1] == 42
        replicate(source, target)
        assert len(generations(target)) == 1


def test_models_stay_loaded(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "replica"
    with Library(source) as own, Library(target) as library:
        own.add(Text("a text about stars"))
        replicate(source, target)
        encoder = library.searcher.encoder("text")
        own.add(Text("the quagga is a zebra", id="quagga"))
        replicate(source, target)
        assert library.search("quagga").hits[0].document.id == "quagga"
        assert library.searcher.encoder("text") is encoder


def test_a_replica_of_a_replica(source: Path, tmp_path: Path) -> None:
    replicate(source, tmp_path / "one")
    replicate(tmp_path / "one", tmp_path / "two")
    add(source, "rivers")
    replicate(source, tmp_path / "one")
    assert replicate(tmp_path / "one", tmp_path / "two").is_new
    assert ids(tmp_path / "two") == ids(source)
    with Library(tmp_path / "one", models=FakeModels()) as library:
        assert library.backup(tmp_path / "file").documents == 42


def test_places_that_are_something_else_are_refused(source: Path, tmp_path: Path) -> None:
    other, folder, file = tmp_path / "other", tmp_path / "folder", tmp_path / "file"
    with Library(other, models=FakeModels()) as library:
        library.add(Text("another library"))
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    file.write_text("a file")
    for target, said in (
        (other, "holds a library of its own"),
        (folder, "holds other files"),
        (file, "is a file"),
        (source, "within each other"),
        (source / "below", "within each other"),
        (tmp_path, "within each other"),
    ):
        before = sorted(target.rglob("*"))
        with pytest.raises(InvalidRequest, match=said):
            replicate(source, target)
        assert sorted(target.rglob("*")) == before
    replicate(source, tmp_path / "replica")
    with pytest.raises(InvalidRequest, match="replica of another library"):
        replicate(other, tmp_path / "replica")
    with pytest.raises(NoLibrary):
        replicate(tmp_path / "nothing", tmp_path / "new")
    for address in ("http://", "https://host/elsewhere", "http://host/v1/libraries/../x", "http://host?a=b"):
        with pytest.raises(InvalidRequest, match="no address"):
            replicate(address, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(InvalidRequest, match="holds other files"):
        replicating.require_target(tmp_path)


class Broken(FolderSource):
    """A source of which what is read is changed."""

    def __init__(self, directory: Path, times: int, name: str = "", cut: int = 0) -> None:
        super().__init__(directory)
        self.times, self.wanted, self.cut = times, name, cut

    @contextmanager
    def held(self, scratch: Path) -> Iterator[Any]:
        with super().held(scratch) as held:
            yield _BrokenCommit(held, self)


class _BrokenCommit:
    def __init__(self, held: HeldFolder, source: Broken) -> None:
        self.listing, self._held, self._source = held.listing, held, source

    def read(self, file: ListedFile, start: int, end: int) -> bytes:
        content = self._held.read(file, start, end)
        if file.name.startswith(self._source.wanted) and self._source.times:
            self._source.times -= 1
            middle = len(content) // 2
            flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            return flipped[: len(flipped) - self._source.cut]
        return content


def brought(source: Any, target: Path) -> Replicated:
    return replicating.replicate(source, target, NoProgress())


@pytest.mark.parametrize("cut", [0, 7])
@pytest.mark.parametrize("name", ["catalog.db", "segments/", "lexical/state.json"])
def test_what_comes_damaged_is_fetched_again_or_named(source: Path, tmp_path: Path, name: str, cut: int) -> None:
    target = tmp_path / "replica"
    assert brought(Broken(source, 1, name, cut), target).is_new
    assert ids(target) == ids(source)
    add(source, "rivers")
    with Library(source, models=FakeModels()) as library:
        library.compact()  # so that all is new
    with pytest.raises(FileMalformed, match=f"{name}.* came from {source} otherwise"):
        brought(Broken(source, 100, name, cut), target)
    assert "rivers" not in ids(target)
    assert brought(FolderSource(source), target).is_new
    assert ids(target) == ids(source)


def test_a_generation_that_was_damaged_here_is_mended_by_the_next(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "replica"
    replicate(source, target)
    for pattern in ("segments/*.faiss", "catalog.db"):
        path = next((target / "current").resolve().glob(pattern))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    add(source, "rivers")
    replicate(source, target)
    with Library(target, models=FakeModels()) as library:
        assert [finding for finding in library.doctor() if finding.level == "damage"] == []


def test_what_is_damaged_at_the_source(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "replica"
    segment = next(source.glob("segments/*.faiss"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert [segment.name in one for one in replicate(source, target).left_out] == [True]
    with Library(target, models=FakeModels()) as library:
        response = library.search("stars")
        assert response.hits and any(segment.name in said for said in response.degraded)
    shutil.rmtree(source / "lexical")
    add(source, "rivers")
    shutil.rmtree(source / "lexical")
    replicate(source, target)
    with Library(target, models=FakeModels()) as library:
        assert library.search("rivers", mode="lexical").hits  # made anew


@pytest.mark.fault("11")
def test_libraries_of_other_versions(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "replica"
    replicate(source, target)
    before = generations(target)
    add(source, "rivers")
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "STEPS", migrations.STEPS[:-1])
        with pytest.raises(LibraryFormat, match="Update Quarry"):
            replicate(source, target)
    assert generations(target) == before
    with pytest.raises(FileMalformed, match="newer version"):
        CommitListing.read({"format": 99}, "somewhere")


def test_the_generation_that_is_read_stays_while_it_is_brought_anew(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update, to which it is of an older format."""
    target = tmp_path / "replica"
    replicate(source, target)
    before = generations(target)
    monkeypatch.setattr(replicating, "_is_usable", lambda place: False)
    with Library(target, models=FakeModels()) as library:
        assert library.search("bread").hits
        assert replicate(source, target).is_new
        assert len(generations(target)) == 2 and set(before) < set(generations(target))
        assert library.search("bread").hits
    monkeypatch.undo()
    assert not replicate(source, target).is_new and len(generations(target)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../outside"},
        {"name": "/etc/passwd"},
        {"name": "segments/../../x"},
        {"name": "in-use"},
        {"name": "catalog.db-wal"},
        {"sha256": "../../x"},
        {"bytes": -1},
        {"bytes": "many"},
        {"blocks": "zz"},
        {"blocks": "00"},
    ],
)
def test_lists_that_a_stranger_wrote(source: Path, change: dict[str, Any], tmp_path: Path) -> None:
    with FolderSource(source).held(tmp_path) as held:
        body = held.listing.body
    assert CommitListing.read(body, "somewhere").body == body
    body["files"][0] |= change
    with pytest.raises(FileMalformed, match="nothing that Quarry writes"):
        CommitListing.read(body, "somewhere")


@pytest.mark.fault("3")
def test_a_disk_that_is_too_small(source: Path, disk: Path, tmp_path: Path) -> None:
    replicate(source, disk / "replica")
    used = sum(path.stat().st_size for path in (disk / "replica").rglob("*") if path.is_file())
    with Library(source, models=FakeModels()) as library:
        library.add([Text(f"{number} " + "of bread " * 400, id=f"new {number}") for number in range(60)])
        library.compact()
    subprocess.run(["mount", "-o", f"remount,size={used // 1024 + 200}k", str(disk)], check=True)
    with pytest.raises(StorageFull, match=f"{disk}.* is full"):
        replicate(source, disk / "replica")
    assert len(ids(disk / "replica")) == 41
    assert not list((disk / "replica").glob("incoming/*"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    replicate(source, disk / "replica")
    assert ids(disk / "replica") == ids(source)


def test_links_that_lead_elsewhere(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "replica"
    replicate(source, target)
    (target / "current").unlink()
    with pytest.raises(NoLibrary, match=r"Nothing of .* has come"):
        ids(target)
    for elsewhere in ("../source", str(source), "generations/../../source", "generations"):
        (target / "current").unlink(missing_ok=True)
        (target / "current").symlink_to(elsewhere)
        with pytest.raises(LibraryDamaged, match="leads elsewhere"):
            ids(target)
    (target / "current").unlink()
    replicate(source, target)
    assert ids(target) == ids(source)


def test_killed_at_any_moment_it_is_the_old_or_the_new(source: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.exchange.killed", source, tmp_path / "replica"], capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    old, new = map(int, done.stdout.split())
    assert old > 40 and new > 2
