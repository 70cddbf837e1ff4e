from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quarry.api.library import Library, Text
from quarry.search.errors import LibraryError, LibraryLocked, LibraryReadOnly, StorageFull
from quarry.search.files import disks
from quarry.search.lexical.files import openable
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import migrations, sqlite
from tests.processes import quarry, served, unprivileged


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that was closed (`folded`), and one whose last commits are in the log only."""
    made, pictures = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (40, 30), "red").save(pictures / "red.png")
    with Library(made / "library", models=FakeModels()) as library:
        library.index(pictures)
        library.add([Text(f"text {number} about stars") for number in range(5)])
        shutil.copytree(made / "library", made / "unfinished", ignore=shutil.ignore_patterns("*-shm"))
    (made / "library").rename(made / "folded")
    assert (made / "unfinished" / "catalog.db-wal").stat().st_size
    return made


@pytest.fixture
def built(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "built"))


USING = """
import json, sys
from quarry.search.models.fake import FakeModels
models = FakeModels()
from quarry.api.library import Library, Text
from quarry.search.errors import QuarryError
if sys.argv[2:] == ["limited"]:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
told = {}
with Library(sys.argv[1], wait_s=1, models=models) as library:
    for mode in ("lexical", "semantic", "hybrid"):
        found = library.search("stars", mode=mode)
        told[mode] = [len(found.hits), found.degraded]
    told["documents"] = library.status()["documents"]
    told["damage"] = [finding.text for finding in library.doctor() if finding.level == "damage"]
    told["thumbnail"] = len(library.thumbnail(library.documents(filter={"kind": "image"})[0][0].id))
    told["errors"] = []
    writes = [library.add, library.delete, library.index]
    for write, argument in zip(writes, (Text("new"), library.documents()[0][1].id, sys.argv[1]), strict=True):
        try:
            write(argument)
        except QuarryError as error:
            told["errors"].append(f"{type(error).__name__}: {error}")
    told["after"] = len(library.search("stars", mode="lexical").hits)
print(json.dumps(told))
"""


def use(library: Path, prefix: list[str], *arguments: str) -> dict[str, Any]:
    """Search a library in a process of its own, then try to write to it."""
    done = subprocess.run([*prefix, "-c", USING, library, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["lexical"] == [5, []]
    assert [told[mode][1] for mode in ("semantic", "hybrid")] == [[], []]
    assert told["semantic"][0] and told["hybrid"][0] >= 5
    assert (told["documents"], told["damage"], told["after"]) == (6, [], 5)
    assert told["thumbnail"] > 100
    return told


def fill(place: Path) -> None:
    """Leave no byte free."""
    with (place / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    assert shutil.disk_usage(place).free == 0


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def contents(directory: Path) -> dict[str, bytes]:
    """All files but the memory that SQLite's readers share."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".db-shm" and path.stat().st_size
    }


@pytest.mark.fault("3")
@pytest.mark.parametrize("state", ["folded", "unfinished"])
def test_a_library_on_a_disk_without_a_free_byte_is_searched(built: Path, disk: Path, state: str) -> None:
    shutil.copytree(built / state, disk / "library")
    fill(disk)
    told = use(disk / "library", [sys.executable])
    for said in told["errors"]:
        assert said.startswith(f"StorageFull: The disk that holds {disk / 'library'}") and "full" in said
        assert "permission" not in said.lower()
    assert len(told["errors"]) == 3
    (disk / "filling").unlink()
    with Library(disk / "library", models=FakeModels()) as library:  # and nothing is lost by it
        library.add(Text("a sixth text about stars"))
        assert len(library.search("stars", mode="lexical").hits) == 6


@pytest.mark.fault("4")
@pytest.mark.parametrize("state", ["folded", "unfinished"])
def test_a_library_on_a_read_only_disk_is_searched(built: Path, disk: Path, state: str) -> None:
    shutil.copytree(built / state, disk / "library")
    remount(disk, "ro")
    told = use(disk / "library", [sys.executable])
    assert len(told["errors"]) == 3
    for said in told["errors"]:
        assert said.startswith("LibraryReadOnly: ") and "read-only file system" in said
        assert str(disk / "library") in said and "permission" not in said.lower()


@pytest.mark.fault("4")
@pytest.mark.parametrize("state", ["folded", "unfinished"])
def test_a_library_in_an_unwritable_folder_is_searched(built: Path, state: str) -> None:
    library = built / state
    before = contents(library)
    for path in (library, *library.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    told = use(library, unprivileged())
    assert len(told["errors"]) == 3
    assert all(said.startswith("LibraryReadOnly: ") and "by this user" in said for said in told["errors"])
    assert contents(library) == before


@pytest.mark.fault("3")
def test_a_process_that_may_write_no_byte_searches(built: Path) -> None:
    """What a full disk looks like where none can be mounted: no file may grow."""
    assert use(built / "unfinished", [sys.executable], "limited")["errors"]


@pytest.mark.fault("3")
def test_a_server_over_a_full_disk(built: Path, disk: Path, tmp_path: Path) -> None:
    """By the real models and commands; the temporary folder is full as well."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "tower.txt").write_text("The tower was built in 1889.")
    quarry("index", "--library", disk / "library", root)
    fill(disk)
    with served(disk / "library", tmp_path / "log", env={"TMPDIR": str(disk)}) as server:
        body = server.client.post("/v1/search", json={"query": "old buildings"}).json()
        assert [hit["document"]["title"] for hit in body["hits"]] == ["tower"] and body["degraded"] == []
        assert server.client.post("/v1/answer", json={"query": "When was the tower built?"}).json()["answers"]
        refused = server.client.post("/v1/documents", json={"documents": [{"text": "new"}]})
        assert refused.status_code == 503 and f"{disk / 'library'} is full" in refused.json()["detail"]
        assert server.client.get("/readyz").status_code == 200
    done = quarry("delete", "--library", disk / "library", root / "tower.txt", code=1)
    assert "full" in done.stderr and "permission" not in done.stderr


@pytest.mark.fault("3")
def test_temporary_folders_that_are_full(built: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(disk)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(disk)])
    with disks.temporary_folder("quarry-test-") as folder:
        assert folder.parent == Path("/dev/shm")
        (folder / "file").write_bytes(b"1")
    assert not folder.exists()
    monkeypatch.setattr(tempfile, "tempdir", str(disk))  # it became full later
    with Library(built / "folded", models=FakeModels()) as library:
        library.add_file(b"# Notes about stars", "notes.md")
        monkeypatch.setattr(os, "access", lambda path, mode: path == "/dev/shm")
        with openable(built / "folded" / "lexical" / "index-1") as path:
            assert path.parent == Path("/dev/shm") and (path / "meta.json").exists()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # and there is no such place
    with Library(built / "folded", models=FakeModels()) as library:
        response = library.search("stars")
        assert response.hits and f"{disk} is full" in response.degraded[0]
        with pytest.raises(StorageFull, match=f"{disk}.* is full"):
            library.add_file(b"# Notes", "notes.md")
        monkeypatch.setattr(tempfile, "tempdir", None)
    with Library(built / "folded", models=FakeModels()) as library:
        assert "name another in TMPDIR" in library.search("stars").degraded[0]


def test_a_library_of_an_older_format_that_cannot_be_migrated(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither opened as it is nor changed, and what to do is told; also where only its copy has no room."""
    Catalog(disk / "library", writable=True).close()
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, lambda db: db.execute("CREATE TABLE later (id)")))
    before = contents(disk / "library")
    fill(disk)
    with pytest.raises(StorageFull, match=r"has format \d.*copy it.* is full"):
        Catalog(disk / "library")
    (disk / "filling").unlink()
    assert contents(disk / "library") == before
    remount(disk, "ro")
    with pytest.raises(
        LibraryReadOnly, match=rf"has format {len(migrations.STEPS) - 1}.*copy it.*read-only file system"
    ):
        Catalog(disk / "library")
    remount(disk, "rw")
    Catalog(disk / "library").close()


# --- reading without locks ------------------------------------------------------------------------------------------


@pytest.fixture
def without_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if SQLite had no place for its shared memory whenever it is opened to read."""

    def refuse(path: Path) -> Any:
        error = sqlite.OperationalError("unable to open database file")
        error.sqlite_errorcode = 14
        raise error

    monkeypatch.setattr(sqlite, "open_reader", refuse)


@pytest.mark.fault("3")
@pytest.mark.parametrize("state", ["folded", "unfinished"])
def test_what_is_written_meanwhile_is_noticed(built: Path, models: FakeModels, without_place: None, state: str) -> None:
    """Who reads without locks gets the whole of one generation, or is told to ask again."""
    reader, writer = Library(built / state, models=models), Library(built / state, models=models)
    with reader, writer:
        with (
            pytest.raises(LibraryLocked, match=r"written to while it was read.*Try again"),
            reader.catalog().snapshot(),
        ):
            assert reader.status()["documents"] == 6
            writer.add(Text("a sixth text about stars"))
        assert reader.status()["documents"] == 7
        assert len(reader.search("stars", mode="lexical").hits) == 6


def test_connections_that_read_a_log_without_locks_are_used_again(
    built: Path, models: FakeModels, without_place: None
) -> None:
    """They may not be closed, since that would drop the locks of others; so they must not pile up."""
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        with Library(built / "unfinished", models=models) as library:
            assert library.status()["documents"] == 6
    assert len(list(Path("/proc/self/fd").iterdir())) <= open_before + 4


@pytest.mark.fault("3")
@pytest.mark.fault("4")
def test_who_reads_without_locks_takes_none_from_others(built: Path, models: FakeModels, without_place: None) -> None:
    with Library(built / "unfinished", models=models) as writer, Library(built / "unfinished", models=models) as reader:
        writer.add(Text("a sixth text about stars"))
        with pytest.raises(LibraryLocked), reader.catalog().snapshot():
            writer.add(Text("a seventh text about stars"))
        reader.close()
        check = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        command: list[str | Path] = [sys.executable, "-c", check, built / "unfinished" / "catalog.db"]
        assert b"BlockingIOError" in subprocess.run(command, capture_output=True).stderr


def test_a_disk_that_is_whole_is_not_blamed(tmp_path: Path) -> None:
    assert disks.why_not(tmp_path) is None
    assert disks.why_not(tmp_path / "none" / "at all") is None
    assert isinstance(disks.translated(OSError(5, "Input/output error"), tmp_path), LibraryError)


def test_temporary_folders_of_killed_processes_are_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next process that makes one of their kind; those of one that runs stay, and what is none of ours."""
    makes = (
        "import sys, time; from quarry.search.files.disks import temporary_folder\n"
        "with temporary_folder('quarry-commit-') as folder:\n"
        "    (folder / 'catalog.db').write_bytes(b'x'); print(folder, flush=True); time.sleep(60)"
    )
    others = [tmp_path / name for name in ("quarry-commit-older123", "quarry-other-abcdefgh.locked", "quarry-commit-")]
    for other in others:
        other.mkdir()
    for number in range(20):  # whichever comes first
        others.append(tmp_path / f"quarry-commit-{number:08}.locked")
        others[-1].symlink_to(others[0])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(disks, "_swept", set())
    own = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", makes], stdout=subprocess.PIPE, text=True, env=own) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with disks.temporary_folder("quarry-commit-"):
            assert left.is_dir()
        process.kill()
    with disks.temporary_folder("quarry-commit-"):
        assert left.is_dir()  # not looked for again and again
    disks._swept.clear()
    with disks.temporary_folder("quarry-commit-") as folder:
        assert not left.exists() and folder.is_dir()
        disks._swept.clear()
        with disks.temporary_folder("quarry-commit-"):
            assert folder.is_dir()
    assert sorted(tmp_path.iterdir()) == sorted(others)
