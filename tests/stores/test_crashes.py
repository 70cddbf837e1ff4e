"""What happens to a library when the process that writes it dies, the disk fills up, or another one writes, too.

The kills of row 1 are `tests/torture/crasher.py`.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from quarry.api.library import Library
from quarry.search.errors import LibraryError
from quarry.search.models.fake import FakeModels
from tests.indexing_process import CRASHED, Crash, Task, start
from tests.processes import unprivileged
from tests.torture.oracle import check_sound, check_whole, text, word, write

FILES = 60


def finish(task: Task, expected: int = 0) -> None:
    process = start(task)
    process.join(120)
    assert process.exitcode == expected, process.exitcode


@pytest.mark.fault("1")
def test_little_is_done_again_after_a_kill_near_the_end(tmp_path: Path, models: FakeModels) -> None:
    """Of a run that is killed after nine tenths at most 2% is embedded twice; what was committed is not read again.

    What is lost is the batch under way: here a sixtieth of the whole, as 512 passages are of 30,720.
    """
    root, acknowledged, embedded = tmp_path / "root", tmp_path / "acknowledged", tmp_path / "embedded"
    root.mkdir()
    count = 400
    for number in range(count):
        write(root, number, number)
    task = Task(
        tmp_path / "library", arguments=(root,), acknowledge=acknowledged, embedded=embedded, batch_passages=count // 40
    )
    process = start(task)
    while process.is_alive() and not (acknowledged.exists() and acknowledged.read_bytes().count(b"\n") >= 0.9 * count):
        time.sleep(0.002)
    time.sleep(random.Random(90).uniform(0, 0.05))
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with Library(task.library, models=models) as library:
        kept = library.status()["documents"]
        report = library.index(root)
        total = library.status()["passages"]
        twice = embedded.stat().st_size + len(models.embedded) - total
        assert len(check_whole(library, models)) == count
    assert 0.9 * count <= kept < count and report.files_read == count - kept
    assert 0 <= twice <= 0.02 * total, f"{twice} of {total} passages were embedded twice"


# --- row 2: death between two steps ------------------------------------------------------------------------------

STEPS = [
    "COMMIT",
    "quarry.search.lexical.writer:LexicalWriter.commit",
    "quarry.search.lexical.writer:State.write",
    "quarry.search.engines.faiss.segment_writer:write_segment",
    "quarry.search.engines.faiss.segment_writer:list_segment",
    "quarry.search.engines.faiss.segment_writer:SegmentWriter._move",
]


def make_library(tmp_path: Path, count: int = 30) -> tuple[Path, Task]:
    """A library of some files with a segment, all of them changed since."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(count):
        write(root, number, 0)
    task = Task(tmp_path / "library", arguments=(root,), batch_passages=10_000)
    finish(task)
    for number in range(count):
        write(root, number, 1)
    return root, task


def state(library: Library, models: FakeModels) -> dict[str, str]:
    """Check what holds in any state, and return the texts."""
    texts = check_whole(library, models)
    words = {one for text in texts.values() for one in text.replace(".", "").split() if one.startswith("version")}
    for told in (word(0), word(1)):  # an index that is behind is made up for
        assert bool(library.search(told, mode="lexical").hits) == (told in words)
    assert len(library.search("paragraph", mode="semantic", limit=1000).hits) == sum(
        document.chunks for document in library.documents(limit=1000)[0]
    )
    return texts


@pytest.mark.fault("2")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_death_between_two_steps_of_indexing(tmp_path: Path, models: FakeModels, step: str, when: str) -> None:
    """The old state or the new one, never a mixture; and the next run completes it."""
    root, task = make_library(tmp_path)
    old = {str(path): text(int(path.stem), 0) for path in root.iterdir()}
    new = {str(path): text(int(path.stem), 1) for path in root.iterdir()}
    reached = 0
    for nth in range(1, 8):
        process = start(Task(**{**fields(task), "crash": Crash(step, when, nth)}))
        process.join(60)
        if process.exitcode == 0:
            break
        assert process.exitcode == CRASHED
        reached += 1
        with Library(task.library, models=models) as library:
            assert state(library, models) in (old, new)
        for path in root.iterdir():  # so that there is something to do the next time, too
            path.write_text(path.read_text())
    assert reached or step.endswith("_move")  # which may not be needed here
    finish(task)
    with Library(task.library, models=models) as library:
        assert state(library, models) == new
        check_sound(library)


@pytest.mark.fault("2")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_death_between_two_steps_of_compaction(tmp_path: Path, models: FakeModels, step: str, when: str) -> None:
    """What is found stays the same throughout, and the next compaction completes it."""
    root, task = make_library(tmp_path)
    finish(task)  # all of version 0 is dead now
    new = {str(path): text(int(path.stem), 1) for path in root.iterdir()}
    compact = Task(task.library, "compact")
    for nth in range(1, 8):
        process = start(Task(**{**fields(compact), "crash": Crash(step, when, nth)}))
        process.join(60)
        with Library(task.library, models=models) as library:
            assert state(library, models) == new
        if process.exitcode == 0:
            break
        assert process.exitcode == CRASHED
    finish(compact)
    with Library(task.library, models=models) as library:
        assert state(library, models) == new
        check_sound(library)
        (space,) = library.status()["spaces"]
        assert (space["segments"], space["tail"]) == (1, 0)
    listed = {path.name for path in (task.library / "segments").iterdir() if path.is_file()}
    assert len(listed) == 1


def fields(task: Task) -> dict[str, Any]:
    return {name: getattr(task, name) for name in Task.__dataclass_fields__}


# --- row 3: the disk is full -------------------------------------------------------------------------------------


@pytest.mark.fault("3")
@pytest.mark.parametrize("room", [0, 150, 450, 900])
def test_a_full_disk(tmp_path: Path, disk: Path, models: FakeModels, room: int) -> None:
    """`room` KiB are left when the second run begins: it ends with a clear error, or done; the third completes it."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(20):
        write(root, number, 0)
    task = Task(disk / "library", arguments=(root,), batch_passages=64, segment_from=60)
    finish(task)
    for number in range(200):
        write(root, number, 1)
    used = sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) // 1024
    assert mount_again(disk, f"size={used + 100 + room}k")
    before = {path: text(int(Path(path).stem), 0) for path in map(str, root.iterdir()) if int(Path(path).stem) < 20}
    process = start(Task(**{**fields(task), "said": tmp_path / "said"}))
    process.join(120)
    said = (tmp_path / "said").read_text()
    assert process.exitcode in (0, 1), said
    if process.exitcode:
        assert said.startswith("StorageFull: ") and "full" in said and "Traceback" not in said
        with Library(disk / "library", models=models) as library:
            texts = check_whole(library, models)
            assert all(texts[path] in (old, text(int(Path(path).stem), 1)) for path, old in before.items())
            assert library.search("paragraph", mode="lexical").hits
            assert library.search("paragraph", mode="semantic").hits
    assert mount_again(disk, "size=64m")
    finish(task)
    with Library(disk / "library", models=models) as library:
        assert check_whole(library, models) == {str(path): text(int(path.stem), 1) for path in root.iterdir()}
        check_sound(library)


def mount_again(place: Path, options: str) -> bool:
    return subprocess.run(["mount", "-o", f"remount,{options}", str(place)], capture_output=True).returncode == 0


@pytest.mark.fault("3")
def test_a_catalog_that_cannot_grow(tmp_path: Path, models: FakeModels) -> None:
    """The same without a file system of its own: SQLite is told that the disk ends."""
    root, task = make_library(tmp_path)
    pages = (task.library / "catalog.db").stat().st_size // 4096 + 2
    finish(Task(**{**fields(task), "pages": pages, "batch_passages": 8, "said": tmp_path / "said"}), expected=1)
    assert (tmp_path / "said").read_text().startswith("StorageFull: The disk that holds ")
    with Library(task.library, models=models) as library:
        check_whole(library, models)
    finish(task)
    with Library(task.library, models=models) as library:
        assert state(library, models) == {str(path): text(int(path.stem), 1) for path in root.iterdir()}
        check_sound(library)


# --- row 4: a library that can't be written ----------------------------------------------------------------------


READING = """
import sys
from quarry.search.models.fake import FakeModels
from quarry.api.library import Library, Text
from quarry.search.errors import LibraryReadOnly
with Library(sys.argv[1], models=FakeModels()) as library:
    assert len(library.search("paragraph", mode="lexical").hits) == 10
    response = library.search("paragraph", limit=1000)
    assert response.hits and not response.degraded, response.degraded
    assert library.status()["documents"] == 20
    assert not [finding for finding in library.doctor() if finding.level == "damage"]
    for write in (
        lambda: library.add([Text("New.")]), lambda: library.delete([response.hits[0].document.id]),
        lambda: library.index(sys.argv[2]), library.compact,
    ):
        try:
            write()
        except LibraryReadOnly as error:
            assert "can be searched" in str(error) or "can still be searched" in str(error), error
        else:
            raise AssertionError("it was written")
"""


@pytest.mark.fault("4")
def test_a_read_only_library(tmp_path: Path, models: FakeModels) -> None:
    """Reads work, writes get a named error, and nothing is left behind."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(20):
        write(root, number, 0)
    finish(Task(tmp_path / "library", arguments=(root,)))
    write(root, 3, 1)
    allow(tmp_path / "library", 0o555, 0o444)
    before = sorted((tmp_path / "library").rglob("*"))
    command: list[str | Path] = [*unprivileged(), "-c", READING, tmp_path / "library", root]
    result = subprocess.run(command, capture_output=True, text=True)
    allow(tmp_path / "library", 0o755, 0o644)
    assert result.returncode == 0, result.stderr
    assert sorted((tmp_path / "library").rglob("*")) == before


def allow(top: Path, folders: int, files: int) -> None:
    for path in (top, *top.rglob("*")):
        path.chmod(folders if path.is_dir() else files)


FOLLOWING = """
import sys
from quarry.api.library import Library
with Library(sys.argv[1]) as library:
    for line in sys.stdin:
        print(len(library.documents()[0]), len(library.search(line, mode="lexical", limit=1000).hits), flush=True)
"""


@pytest.mark.fault("4")
def test_a_reader_that_cannot_write_follows_one_that_does(tmp_path: Path, models: FakeModels) -> None:
    """Also over its own immutable view of a catalog that nobody had open."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(5):
        write(root, number, 0)
    task = Task(tmp_path / "library", arguments=(root,), batch_passages=100)
    finish(task)
    allow(task.library, 0o555, 0o444)
    command: list[str | Path] = [*unprivileged(), "-c", FOLLOWING, task.library]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None and reader.stdout is not None
        for count in (5, 8, 20):
            for number in range(count):
                write(root, number, count)
            allow(task.library, 0o755, 0o644)
            finish(task)
            allow(task.library, 0o555, 0o444)
            reader.stdin.write(f"{word(count)}\n")
            reader.stdin.flush()
            found, hits = map(int, reader.stdout.readline().split())
            with Library(task.library, models=models) as library:
                assert (found, hits) == (count, len(library.search(word(count), mode="lexical", limit=1000).hits))
        reader.stdin.close()
    allow(task.library, 0o755, 0o644)
    assert reader.returncode == 0


UNREADABLE = """
import json, sys
from quarry.search.models.fake import FakeModels
from quarry.api.library import Library
with Library(sys.argv[1], models=FakeModels()) as library:
    report = library.index(*sys.argv[2:])
    print(json.dumps([report.failed, sorted(document.uri for document in library.documents()[0])]))
"""


@pytest.mark.fault("16")
def test_files_and_folders_that_may_not_be_read(tmp_path: Path) -> None:
    """Row 16: reported; what was indexed of them stays; and they are read once they may be."""
    root = tmp_path / "root"
    command: list[str | Path] = [*unprivileged(), "-c", UNREADABLE, tmp_path / "library", root]
    (root / "folder").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "folder/c.txt", "d.txt", "e.txt"):
        (root / name).write_text(f"Text of {name}")

    def run() -> tuple[dict[str, str], list[str]]:
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        failed, uris = json.loads(result.stdout)
        return failed, [uri.removeprefix(f"{root}/") for uri in uris]

    (root / "a.txt").chmod(0)
    failed, uris = run()
    assert list(failed) == [str(root / "a.txt")] and "Permission denied" in failed[str(root / "a.txt")]
    everything = ["a.txt", "b.txt", "d.txt", "e.txt", "folder/c.txt"]
    assert uris == everything[1:]
    (root / "a.txt").chmod(0o644)
    assert run() == ({}, everything)
    (root / "folder").chmod(0)
    (root / "b.txt").write_text("Other text of b.txt")
    (root / "b.txt").chmod(0)
    failed, uris = run()
    assert set(failed) == {str(root / "b.txt"), str(root / "folder")} and uris == everything
    (root / "folder").chmod(0o755)
    (root / "b.txt").chmod(0o644)
    assert run() == ({}, everything)


# --- row 8: two writers ------------------------------------------------------------------------------------------


@pytest.mark.fault("8")
def test_two_writers_take_turns(tmp_path: Path, models: FakeModels) -> None:
    processes = []
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        for number in range(80):
            write(tmp_path / name, number, 0)
        processes.append(start(Task(tmp_path / "library", arguments=(tmp_path / name,))))
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    with Library(tmp_path / "library", models=models) as library:
        texts = check_whole(library, models)
        check_sound(library)
        with library.catalog().snapshot() as snapshot:
            rows = snapshot.connection.execute(
                "SELECT DISTINCT generation, uri LIKE '%/left/%' FROM documents"
            ).fetchall()
    assert texts == {
        str(tmp_path / name / f"{number:03}.txt"): text(number, 0) for name in ("left", "right") for number in range(80)
    }
    turns = [is_left for _, is_left in sorted(rows)]
    assert sum(left != right for left, right in pairwise(turns)) > 1, "one waited for the other to end"


@pytest.mark.fault("8")
def test_two_runs_over_the_same_root(tmp_path: Path, models: FakeModels) -> None:
    root, task = make_library(tmp_path)
    (root / "000.txt").rename(root / "moved.txt")
    (root / "001.txt").unlink()
    task = Task(**{**fields(task), "batch_passages": 8})
    processes = [start(task) for _ in range(3)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Library(task.library, models=models) as library:
        assert check_whole(library, models) == {str(path): path.read_text() for path in root.iterdir()}
        check_sound(library)


# --- row 10: signals ---------------------------------------------------------------------------------------------

COMMAND = """
import sys
import quarry.indexer.pipeline
from quarry.search.models.fake import FakeModels
quarry.indexer.pipeline.BATCH_PASSAGES = 8
from quarry.api.cli import main
main(FakeModels())
"""


@pytest.mark.fault("10")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_indexing(tmp_path: Path, models: FakeModels, number: signal.Signals) -> None:
    """What is committed stays, the process ends at once and without a traceback, and the next run goes on."""
    root = tmp_path / "root"
    root.mkdir()
    for file in range(FILES * 4):
        write(root, file, 0)
    command = [sys.executable, "-c", COMMAND, "index", "--library", str(tmp_path / "library"), str(root)]
    seed, before = random.Random(number), 0
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 60
            while count_documents(tmp_path / "library") <= before and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(seed.uniform(0, 0.1))
            children = psutil.Process(process.pid).children(recursive=True)
            sent = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (128 + number, ""), err
        assert err == "Interrupted. What was committed stays; run it again to go on from there.\n"
        assert time.monotonic() - sent < 10
        assert children and psutil.wait_procs(children, timeout=10)[1] == []
        with Library(tmp_path / "library", models=models) as library:
            assert len(check_whole(library, models)) > before
            before = library.status()["documents"]
    result = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["files_read"] == FILES * 4 - before
    with Library(tmp_path / "library", models=models) as library:
        assert len(check_whole(library, models)) == FILES * 4
        check_sound(library)


def count_documents(directory: Path) -> int:
    try:
        with Library(directory) as library:
            return int(library.status()["documents"])
    except LibraryError:
        return 0


@pytest.mark.fault("1")
def test_killing_the_process_ends_its_parser(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(200):
        write(root, number, 0)
    process = start(Task(tmp_path / "library", arguments=(root,), acknowledge=tmp_path / "acknowledged"))
    while not (tmp_path / "acknowledged").exists():
        time.sleep(0.01)
    deadline = time.monotonic() + 30
    while not (children := psutil.Process(process.pid).children()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    assert children and psutil.wait_procs(children, timeout=10)[1] == []
