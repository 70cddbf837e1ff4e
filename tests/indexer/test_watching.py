"""Watching: what changes on disk is indexed by itself, once it has settled, and nothing is lost that only went away."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quarry.api import Library
from quarry.indexer import watching
from quarry.indexer.watching import Watcher
from quarry.search.models.fake import FakeModels
from tests.processes import Served, served

SETTLED_S = 0.3


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path.resolve() / "root"


class Following:
    """A watcher in a thread, and what it told, in order."""

    def __init__(self, roots: Callable[[], list[Path]]) -> None:
        self.told: list[tuple[Path, ...]] = []
        self.stop = threading.Event()
        self.watcher = Watcher(roots, settled_s=SETTLED_S)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        for paths in self.watcher.changes(self.stop):
            self.told.append(paths)

    def next(self, number: int) -> list[Path]:
        """Return what was told at the number-th time, once it is."""
        for _ in range(200):
            if len(self.told) > number:
                return list(self.told[number])
            time.sleep(0.05)
        raise AssertionError(self.told)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def following(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Following]:
    monkeypatch.setattr(watching, "_LOOK_S", 0.1)
    one = Following(lambda: [root])
    assert one.next(0) == [root]  # whatever changed before
    yield one
    one.end()


def test_a_file_is_told_of_when_it_is_written_to_its_end(root: Path, following: Following) -> None:
    with (root / "slow.md").open("w") as stream:
        for _ in range(12):
            stream.write("a line\n")
            stream.flush()
            time.sleep(SETTLED_S / 6)
        assert len(following.told) == 1
    assert following.next(1) == [root / "slow.md"]


def test_a_file_that_never_settles_is_told_of_at_last(
    root: Path, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LONGEST_S", 1.0)
    with (root / "log.txt").open("w") as stream:
        for _ in range(40):
            stream.write("a line\n")
            stream.flush()
            time.sleep(SETTLED_S / 4)
            if len(following.told) > 1:
                break
    assert following.next(1) == [root / "log.txt"]


def test_what_is_gone_is_told_of_by_its_folder_and_what_says_nothing_not_at_all(
    root: Path, following: Following
) -> None:
    (root / "a").mkdir()
    (root / "a" / "note.md").write_text("a note")
    assert following.next(1) in ([root / "a"], [root / "a", root / "a" / "note.md"])
    (root / "a" / "film.xyz").write_text("no type that is read")
    (root / "a" / ".hidden.md").write_text("hidden")
    (root / "library").mkdir()
    for name in ("catalog.db", "writer.lock", "notes.md"):
        (root / "library" / name).write_text("of a library")
    (root / "a" / "note.md").unlink()
    assert following.next(2) == [root / "a"]
    (root / "a" / ".gitignore").write_text("*.log\n")
    assert following.next(3) == [root / "a"]
    (root / "a").rename(root / "b")
    assert following.next(4) == [root]  # from where it went, and to where, so that it is known for the same
    (root / "b" / "cat.jpg").write_bytes(b"a picture")
    (root / "b" / "cat.txt").write_text("A cat.")
    assert following.next(5) == [root / "b" / "cat.jpg"]
    (root / "b" / "cat.txt").write_text("A cat on a mat.")
    assert following.next(6) == [root / "b" / "cat.jpg"]  # of which it says something
    assert len(following.told) == 7


def test_a_root_that_goes_is_told_of_when_it_is_back(root: Path, following: Following) -> None:
    (root / "one.md").write_text("one")
    assert following.next(1) == [root / "one.md"]
    root.rename(root.with_name("elsewhere"))
    time.sleep(2 * SETTLED_S)
    assert len(following.told) == 2
    root.with_name("elsewhere").rename(root)
    assert following.next(2) == [root]
    (root / "two.md").write_text("two")
    assert following.next(3) == [root / "two.md"]  # it is watched again


def test_of_very_many_changes_the_root_is_told(root: Path, following: Following) -> None:
    for number in range(3_000):
        (root / f"{number}.md").write_text(str(number))
    told: set[Path] = set()
    for number in itertools.count(1):
        told |= set(following.next(number))
        if root in told:
            break
    assert root in told and len(following.told) < 12


def test_what_could_not_be_done_is_told_again(
    root: Path, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "AGAIN_S", 0.5)
    following.watcher.again([root])
    assert following.next(1) == [root]


def test_where_the_system_does_not_tell_files_are_looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_LOOK_S", 0.1)
    monkeypatch.setattr(watching, "_POLL_MS", 100)
    real, said = __import__("watchfiles").watch, list[str]()

    def watch(*paths: Path, force_polling: bool | None, **options: object) -> object:
        if not force_polling:
            raise OSError(28, "No space left on device")  # what too many watched folders are told as
        return real(*paths, force_polling=True, **options)

    monkeypatch.setattr("watchfiles.watch", watch)
    stop, watcher = threading.Event(), Watcher(lambda: [root], said.append, SETTLED_S)
    changes = watcher.changes(stop)
    assert next(changes) == (root,)
    (root / "one.md").write_text("one")
    assert next(changes) == (root / "one.md",)
    stop.set()
    assert list(changes) == [] and "max_user_watches" in said[0] and len(said) == 1


def test_most_of_a_root_is_not_dropped_however_it_went(root: Path, tmp_path: Path, models: FakeModels) -> None:
    for folder, count in (("few", 2), ("many", 4)):
        (root / folder).mkdir()
        for number in range(count):
            (root / folder / f"{number}.md").write_text(f"{folder} {number}")
    with Library(tmp_path / "library", models=models) as library:
        library.index(root)
        for path in (root / "few").iterdir():
            path.unlink()
        held = library.index(root / "few")  # of a folder that was named all that it held
        assert (held.dropped, len(held.held_back)) == (0, 1)
        assert library.index(root / "few", watched=True).dropped == 2
        for path in (root / "many").iterdir():
            path.unlink()
        held = library.index(root / "many", watched=True)
        assert held.dropped == 0 and list(held.held_back) == [str(root)]
        assert "lost 4 of its 4 documents" in held.held_back[str(root)]


def test_the_command_follows_until_it_is_stopped(root: Path, tmp_path: Path) -> None:
    (root / "one.md").write_text("# Bicycles\n\nHow to mend a red bicycle.\n")
    command = [sys.executable, "-m", "quarry.api.cli", "index", str(root), "--watch", "--json"]
    command += ["--library", str(tmp_path / "library")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["added"] == 1
        (root / "two.md").write_text("# Bread\n\nHow to bake bread.\n")
        assert json.loads(process.stdout.readline())["added"] == 1
        (root / "one.md").rename(root / "bicycles.md")
        assert json.loads(process.stdout.readline())["moved"] == 1
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGINT
        assert "Watching 1 folder" in said and "Interrupted." in said
    with Library(tmp_path / "library") as library:
        assert Path(library.search("mend a bicycle").hits[0].document.uri).name == "bicycles.md"


def test_the_server_follows(root: Path, tmp_path: Path) -> None:
    (root / "one.md").write_text("# Bicycles\n\nHow to mend a red bicycle.\n")
    with Library(tmp_path / "library") as library:
        library.index(root)
    with served(tmp_path / "library", tmp_path / "log", "--watch") as server:
        done = _jobs(server, 1)
        assert done[0]["about"] == [str(root)] and done[0]["report"]["added"] == 0
        (root / "two.md").write_text("# Bread\n\nHow to bake bread.\n")
        done = _jobs(server, 2)
        assert done[0]["about"] == [str(root / "two.md")] and done[0]["report"]["added"] == 1
        assert server.client.get("/v1/documents").json()["total"] == 2
        assert server.stop(signal.SIGTERM) == 0


def _jobs(server: Served, count: int) -> list[dict[str, Any]]:
    """Return the jobs of a server, the latest first, when so many are done."""
    for _ in range(300):
        jobs: list[dict[str, Any]] = server.client.get("/v1/jobs").json()["jobs"]
        if [(job["kind"], job["state"]) for job in jobs] == [("sync", "done")] * count:
            return jobs
        time.sleep(0.1)
    raise AssertionError(jobs)
