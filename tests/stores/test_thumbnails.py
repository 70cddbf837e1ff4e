"""Thumbnails: kept beside the catalog, checked, made again; what happens to them costs no search anything."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.search.errors import LibraryDamaged, NotFound
from quarry.search.models.fake import FakeModels
from quarry.search.stores.lookups import picture_rows
from quarry.search.stores.thumbnails import FILE, Thumbnails
from tests.drawn_pictures import draw
from tests.folders import ROOT
from tests.indexing_process import CRASHED, Crash, Task, start

PICTURES = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, twice, and a library of them, made once: each test has copies."""
    made = tmp_path_factory.mktemp("made")
    drawn = made / "drawn"
    drawn.mkdir()
    for number in range(PICTURES):
        draw(drawn / f"{number:02}.png", number, (640, 400))
    root = shutil.copytree(drawn, made / "root")
    with Library(made / "library", models=FakeModels()) as library:
        assert library.index(root).complete
    return made


@pytest.fixture
def root(made: Path) -> Path:
    """The folder that the library is of, as it was."""
    shutil.rmtree(made / "root")
    return Path(shutil.copytree(made / "drawn", made / "root"))


@pytest.fixture
def library(made: Path, tmp_path: Path, models: FakeModels, root: Path) -> Iterator[Library]:
    shutil.copytree(made / "library", tmp_path / "library")
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


def damage(library: Library) -> dict[str, str]:
    return {finding.part: finding.text for finding in library.doctor() if finding.level == "damage"}


def answers(library: Library, root: Path) -> list[str]:
    response = library.search(like=str(root / "03.png"), kinds=("image",), limit=100)
    assert response.degraded == ()
    return [hit.id for hit in response.hits]


def shown(library: Library, root: Path) -> dict[str, bytes]:
    return {path.name: library.thumbnail(str(path)) for path in sorted(root.glob("*.png"))}


# --- the store -------------------------------------------------------------------------------------------------------


def test_they_are_kept_by_key(tmp_path: Path) -> None:
    store = Thumbnails(tmp_path)
    assert store.get(b"a") is None and store.missing([b"a"]) == {b"a"}
    store.keep([])
    store.copy({b"b": b"a"})
    assert not store.path.exists()
    store.put({})
    store.put({b"a": b"one", b"b": b"two"})
    store.put({b"b": b"three"})
    assert (store.get(b"a"), store.get(b"b"), store.missing([b"a", b"b", b"c"])) == (b"one", b"three", {b"c"})
    store.copy({b"c": b"a", b"d": b"nothing", b"b": b"b"})
    store.keep([b"c", b"nothing"])
    assert (store.get(b"c"), store.missing([b"a", b"b", b"c", b"d"])) == (b"one", {b"a", b"b", b"d"})


def test_who_reads_is_not_disturbed_by_who_writes(tmp_path: Path) -> None:
    store, errors, stopped = Thumbnails(tmp_path), [], threading.Event()
    store.put({b"0": b"x" * 9000})

    def read() -> None:
        while not stopped.is_set():
            try:
                assert store.get(b"0") == b"x" * 9000
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(20):
        store.put({os.urandom(16): b"y" * 9000 for _ in range(20)})
        store.keep([b"0"] if number % 5 == 0 else store_keys(store))
    stopped.set()
    for thread in threads:
        thread.join()
    assert errors == []


def store_keys(store: Thumbnails) -> list[bytes]:
    connection = store._reader()
    keys = [key for (key,) in connection.execute("SELECT key FROM thumbnails")]
    connection.close()
    return keys


@pytest.mark.fault("1")
def test_a_process_killed_in_the_middle_of_a_commit_leaves_what_was_there(tmp_path: Path) -> None:
    """SQLite has written pages then, which the next one who comes must roll back: here, one who only reads."""
    store = Thumbnails(tmp_path)
    store.put({b"0": b"x" * 9000})
    program = (
        "import os, sys; from pathlib import Path; from quarry.search.stores.thumbnails import Thumbnails\n"
        "connection = Thumbnails(Path(sys.argv[1]))._open()\n"
        "connection.execute('PRAGMA cache_size=2')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute(\"UPDATE thumbnails SET jpeg = x'00'\")\n"
        "rows = [(os.urandom(16), b'z' * 9000, b'') for _ in range(300)]\n"
        "connection.executemany('INSERT INTO thumbnails VALUES (?, ?, ?)', rows)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL and store.path.with_name(f"{FILE}-journal").exists()
    assert store.get(b"0") == b"x" * 9000
    assert store_keys(store) == [b"0"]


# --- of a library ----------------------------------------------------------------------------------------------------


def test_each_picture_has_one(library: Library, root: Path) -> None:
    for jpeg in shown(library, root).values():
        with Image.open(io.BytesIO(jpeg)) as image:
            assert (image.format, image.size) == ("JPEG", (320, 200))
    assert [f.text for f in library.doctor() if f.part == "thumbnails"] == ["every picture has one"]
    with pytest.raises(NotFound, match="no thumbnail"):
        library.thumbnail(library.add_file(b"Only words.", "a.txt")[0])


@pytest.mark.parametrize("harm", ["gone", "empty", "truncated", "no database", "a bit of a picture", "a table page"])
def test_damage_is_found_and_made_whole_and_costs_no_search_anything(library: Library, root: Path, harm: str) -> None:
    before, found = shown(library, root), answers(library, root)
    path = library.settings.library / FILE
    data = bytearray(path.read_bytes())
    match harm:
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(data[: len(data) // 2])
        case "no database":
            path.write_bytes(b"something else" * 1000)
        case "a bit of a picture":
            data[data.index(before["05.png"][-200:-100])] ^= 1
            path.write_bytes(data)
        case "a table page":
            data[4096:4160] = bytes(64)
            path.write_bytes(data)
    assert list(damage(library)) == ["thumbnails"] and "quarry doctor --repair" in damage(library)["thumbnails"]
    assert answers(library, root) == found
    if harm == "a bit of a picture":
        with pytest.raises(LibraryDamaged, match="quarry doctor --repair"):
            library.thumbnail(str(root / "05.png"))
        assert library.thumbnail(str(root / "06.png")) == before["06.png"]
    library.compact()
    draw(root / "new.png", 99, (640, 400))
    assert library.index().added == 1 and library.thumbnail(str(root / "new.png"))
    (root / "new.png").unlink()
    library.index()
    result = CliRunner().invoke(
        cli, ["doctor", "--library", str(library.settings.library), "--repair", "--json"], obj=FakeModels()
    )
    body = json.loads(result.stdout)
    assert (result.exit_code, body["ok"]) == (0, True), body
    assert shown(library, root) == before and answers(library, root) == found
    assert damage(library) == {}


@pytest.mark.fault("6")
def test_any_flipped_bit_is_found_or_harmless(library: Library, root: Path) -> None:
    before = shown(library, root)
    path = library.settings.library / FILE
    whole = path.read_bytes()
    for at in range(0, len(whole), len(whole) // 60):
        data = bytearray(whole)
        data[at] ^= 0x10
        path.write_bytes(data)
        if "thumbnails" not in damage(library):
            assert shown(library, root) == before, at
    path.write_bytes(whole)
    assert damage(library) == {}


def test_without_its_file_a_thumbnail_can_not_be_made_again(library: Library, root: Path) -> None:
    Thumbnails(library.settings.library).clear()
    (root / "03.png").unlink()
    (root / "04.png").write_bytes((root / "05.png").read_bytes())
    library.doctor(repair=True)
    (finding,) = [finding for finding in library.doctor() if finding.part == "thumbnails"]
    assert (finding.level, finding.text) == ("warning", "2 are gone, and so are the pictures' files")
    with pytest.raises(NotFound):
        library.thumbnail(str(root / "03.png"))


def test_of_a_picture_in_two_files_either_will_do(library: Library, root: Path) -> None:
    for name in ("00.png", "11.png"):  # the first and the last are copied and lost
        (root / f"{name}-copy.png").write_bytes((root / name).read_bytes())
        (root / f"0{name}").write_bytes((root / name).read_bytes())
    library.index()
    before = shown(library, root)
    for name in ("00.png", "11.png"):
        (root / name).unlink()
    Thumbnails(library.settings.library).clear()
    library.doctor(repair=True)
    assert damage(library) == {} and shown(library, root) == {
        name: jpeg for name, jpeg in before.items() if (root / name).exists()
    }
    assert library.thumbnail(str(root / "00.png")) == before["00.png"]


def test_a_compaction_drops_what_nothing_refers_to(library: Library, root: Path) -> None:
    before = shown(library, root)
    with library.catalog().snapshot() as snapshot:
        keys = picture_rows.picture_keys(snapshot.connection)
    (root / "03.png").unlink()
    library.index()
    store = Thumbnails(library.settings.library)
    assert store.missing(keys) == set()
    library.compact()
    assert len(store.missing(keys)) == 1 and len(store_keys(store)) == PICTURES - 1
    del before["03.png"]
    assert shown(library, root) == before


def test_a_compaction_leaves_damage_to_repair(library: Library) -> None:
    path = library.settings.library / FILE
    path.write_bytes(b"something else" * 1000)
    library.compact()
    assert "thumbnails" in damage(library)


@pytest.mark.fault("2")
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_between_the_thumbnails_and_the_commit(
    tmp_path: Path, models: FakeModels, root: Path, when: str, nth: int
) -> None:
    """No document is half there; what its thumbnails left behind is nobody's, and the next compaction's."""
    process = start(
        Task(
            tmp_path / "library",
            arguments=(root,),
            batch_passages=8 * 16,  # eight pictures, each of which counts for sixteen passages
            crash=Crash("quarry.search.stores.thumbnails:Thumbnails.put", when, nth),
        )
    )
    process.join(120)
    assert process.exitcode == CRASHED
    with Library(tmp_path / "library", models=models) as library:
        found, total = library.documents()
        assert total == (nth - 1) * 8
        for document in found:
            assert library.thumbnail(document.id) and library.search(like=document.id, kinds=("image",)).degraded == ()
        assert damage(library).keys() <= {"lexical"}  # of which there is none before the first commit
        store = Thumbnails(library.settings.library)
        if when == "after":
            assert len(store_keys(store)) > total
        if total:
            library.compact()
            assert len(store_keys(store)) == total
        assert library.index(root).added == PICTURES - total
        assert len(shown(library, root)) == PICTURES == len(answers(library, root)) + 1
        assert damage(library) == {}
