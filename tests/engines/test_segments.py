from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.search.engines.faiss import segment_file, segment_writer
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import UNFINISHED, open_segment, write_segment
from quarry.search.engines.faiss.segment_writer import QUARANTINE, RETIRED, SegmentWriter
from quarry.search.engines.faiss.segments import SegmentedVectors
from quarry.search.engines.opened import OpenedVectors
from quarry.search.engines.trial import unit_vectors
from quarry.search.errors import LibraryDamaged, LibraryReadOnly, ModelMismatch, StorageFull
from quarry.search.stores import segment_trailer, spaces
from quarry.search.stores.rows import documents
from quarry.search.stores.rows.segment_rows import SegmentFile, listed_segments
from quarry.search.types import Candidates
from tests.engines.vector_library import VectorLibrary

QUERIES = unit_vectors(6, seed=77)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[VectorLibrary]:
    library = VectorLibrary(tmp_path / "library")
    yield library
    library.catalog.close()


def writer(library: VectorLibrary) -> SegmentWriter:
    return SegmentWriter(library.catalog, library.space)


def answers(library: VectorLibrary, k: int = 20) -> list[Candidates]:
    """What a reader that opens the library now finds."""
    view = library.view(library.reader())
    return [view.search(query, k) for query in QUERIES]


def assert_same(found: list[Candidates], expected: list[Candidates]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.scores, other.scores)


def ranges(library: VectorLibrary) -> list[tuple[int, int, int]]:
    with library.catalog.snapshot() as snapshot:
        rows = listed_segments(snapshot.connection, library.space.id)
    return [(row.first, row.last, row.file.count) for row in rows]


# --- views -------------------------------------------------------------------------------------------------------


def test_a_view_keeps_its_generation(library: VectorLibrary) -> None:
    library.append(unit_vectors(100, seed=1))
    before = library.view()
    found = before.search(QUERIES[0], 5)
    library.append(unit_vectors(100, seed=2))
    library.delete(found.ids)
    after = library.view()
    np.testing.assert_array_equal(before.search(QUERIES[0], 5).ids, found.ids)
    assert before.count == 100
    assert after.count == 195
    assert not np.isin(found.ids, after.search(QUERIES[0], 195).ids).any()


def test_an_unchanged_generation_is_the_same_view(library: VectorLibrary) -> None:
    library.append(unit_vectors(10))
    assert library.view() is library.view()


def test_the_tail_is_read_once(library: VectorLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    from quarry.search.engines.faiss import segments

    read: list[tuple[int, int]] = []
    real = segments.read_vectors

    def counted(connection: Any, space_id: int, dimension: int, first: int, last: int) -> Any:
        stored = real(connection, space_id, dimension, first, last)
        read.append((first, len(stored.ids)))
        return stored

    monkeypatch.setattr(segments, "read_vectors", counted)
    for size in (500, 3, 2, 1):
        library.append(unit_vectors(size))
        library.view()
    assert [count for _, count in read] == [500, 3, 2, 1]
    assert len(library.view().parts) <= 3


def test_an_older_generation_is_answered_after_a_newer_one(library: VectorLibrary) -> None:
    library.append(unit_vectors(50))
    with library.catalog.snapshot() as old:
        newer: list[int] = []

        def commit() -> None:
            library.append(unit_vectors(50, seed=3))
            newer.append(library.view().count)

        thread = threading.Thread(target=commit)
        thread.start()
        thread.join()
        view = library.vectors.view(old)
    assert newer == [100]
    assert (view.count, view.generation) == (50, old.generation)
    assert library.view().count == 100


def test_flush_merge_and_compact_change_no_answer(library: VectorLibrary) -> None:
    """And a cached view moves on over each of them as one opened anew does."""
    for step in range(12):
        ids = library.append(unit_vectors(60, seed=step))
        library.delete(ids[step::7])
        expected = answers(library)
        if step % 3 != 2:
            assert writer(library).flush(minimum=1)
        if step == 7:
            assert writer(library).merge()
        if step == 10:
            assert writer(library).compact()
        assert_same(answers(library), expected)
        view = library.view()
        assert_same([view.search(query, 20) for query in QUERIES], expected)
        assert writer(library).verify() == []


def test_a_cached_view_survives_forgotten_deletions(library: VectorLibrary) -> None:
    library.append(unit_vectors(50, seed=1))
    writer(library).flush(minimum=1)
    ids = library.append(unit_vectors(50, seed=2))
    assert library.view().count == 100
    library.delete(ids[:30])
    writer(library).compact()
    with library.catalog.transaction() as connection:
        documents.drop_orphans(connection, documents.generation_of(connection) - 1)
        assert connection.execute("SELECT count(*) FROM deletions").fetchone() == (0,)
    assert library.view().count == 70
    assert_same([library.view().search(query, 20) for query in QUERIES], answers(library))


def test_vectors_come_back_as_they_are_stored(library: VectorLibrary) -> None:
    vectors = unit_vectors(300)
    ids = library.append(vectors[:200])
    writer(library).flush(minimum=1)
    ids = np.concatenate([ids, library.append(vectors[200:])])
    library.delete([5, 250])
    view = library.view()
    wanted = np.random.default_rng(1).permutation(np.setdiff1d(ids, [5, 250]))
    got = view.vectors(wanted)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, vectors[wanted - 1].astype(np.float16).astype(np.float32))
    assert view.vectors(np.array([], np.int64)).shape == (0, 32)
    for gone in (5, 250, 0, 10_000):  # found by words, say: it must not fail the search
        got = view.vectors(np.array([1, gone]))
        assert got[0].any() and not got[1].any()


def test_an_empty_library(library: VectorLibrary) -> None:
    view = library.view()
    assert (view.count, len(view.search(QUERIES[0], 10)), view.notes) == (0, 0, ())
    assert not writer(library).flush(minimum=0)
    assert not writer(library).merge()
    assert not writer(library).compact()
    assert writer(library).verify() == writer(library).repair() == []


# --- flush, merge, compact ---------------------------------------------------------------------------------------


def test_flush_waits_for_a_long_tail(library: VectorLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    library.append(unit_vectors(99))
    assert not writer(library).flush(minimum=100)
    library.append(unit_vectors(1))
    assert writer(library).flush(minimum=100)
    assert not writer(library).flush(minimum=1)
    assert len(library.files) == 1
    assert library.view(library.reader()).tail == 0


def test_four_of_a_size_are_merged(library: VectorLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_writer, "FLUSH_FROM", 10)
    for step in range(1, 17):
        library.append(unit_vectors(10, seed=step))
        assert writer(library).flush(minimum=10)
        while writer(library).merge():
            pass
        assert sum(count for *_, count in ranges(library)) == 10 * step
        assert len(library.files) <= 6
    assert ranges(library) == [(0, library.view().generation, 160)]


def test_a_segment_is_rebuilt_when_a_fifth_is_dead(library: VectorLibrary) -> None:
    ids = library.append(unit_vectors(100))
    writer(library).flush(minimum=1)
    library.delete(ids[:19])
    assert not writer(library).merge()
    library.delete(ids[19:20])
    expected = answers(library)
    assert writer(library).merge()
    assert not writer(library).merge()
    assert [count for *_, count in ranges(library)] == [80]
    assert_same(answers(library), expected)


def test_a_segment_whose_passages_are_all_gone_is_dropped(library: VectorLibrary) -> None:
    ids = library.append(unit_vectors(30))
    writer(library).flush(minimum=1)
    library.append(unit_vectors(30, seed=1))
    writer(library).flush(minimum=1)
    library.delete(ids)
    assert writer(library).merge()
    assert [count for *_, count in ranges(library)] == [30]
    assert len(answers(library, 60)[0]) == 30
    assert writer(library).verify() == []


@pytest.mark.parametrize("count", [1, 700])
def test_compact_leaves_one_file_whatever_the_size(library: VectorLibrary, count: int) -> None:
    for part in np.array_split(unit_vectors(count), 3):
        library.append(part)
        writer(library).flush(minimum=1)
    library.append(unit_vectors(1, seed=9))
    library.delete([library.view().search(QUERIES[0], 1).ids[0]])
    (library.segments / "stray.faiss").write_bytes(b"stray")
    half = library.segments / UNFINISHED / "half.faiss"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    writer(library).compact()
    assert not half.exists()
    (file,) = library.files
    assert file.suffix == ".faiss"
    assert not writer(library).compact()
    assert library.files == [file]
    assert library.view(library.reader()).tail == 0


def test_compact_of_nothing_left_leaves_no_file(library: VectorLibrary) -> None:
    library.delete(library.append(unit_vectors(5)))
    library.append(unit_vectors(5))
    writer(library).flush(minimum=1)
    library.delete(np.arange(1, 11))
    assert writer(library).compact()
    assert library.files == []
    assert library.view(library.reader()).count == 0


def test_two_writers_that_build_the_same_range_list_it_once(
    library: VectorLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.append(unit_vectors(50))
    real = segment_writer.write_segment
    other = writer(library)
    calls: list[str] = []

    def interleaved(segment: Any, directory: Path, name: str, *rest: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            assert other.flush(minimum=1)
        return real(segment, directory, name, *rest)

    monkeypatch.setattr(segment_writer, "write_segment", interleaved)
    assert not writer(library).flush(minimum=1)
    assert [count for *_, count in ranges(library)] == [50]
    assert len(library.files) == 1


def test_a_space_that_was_replaced_is_indexed_no_more(library: VectorLibrary) -> None:
    """What came while it was retired has no vector in it until it is staged again, and no segment may say otherwise."""
    catalog, space = library.catalog, library.space
    library.append(unit_vectors(50))
    opened = OpenedVectors(catalog, SegmentedVectors)
    engine = opened.of(space)
    with catalog.transaction() as connection:
        other = spaces.add_space(connection, "text", "text", "fake:2", "fake", 32, state="staged")
        spaces.activate(connection, other)
    late = {int(id_).to_bytes(8, "big"): one for id_, one in zip(range(51, 101), unit_vectors(50, seed=2), strict=True)}
    library.append(np.array(list(late.values())))
    with catalog.transaction(bump=False) as connection:
        documents.drop_vectors(connection, space.id, late)
    assert library.view(engine).count == 50  # as one sees it who took it for the active one when it was replaced
    assert not writer(library).flush(minimum=1)
    assert not writer(library).compact()
    with catalog.transaction() as connection:
        spaces.stage_again(connection, space)
        documents.stage_vectors(connection, space.id, late)
        spaces.activate(connection, space)
    assert ranges(library) == []
    (back,) = catalog.spaces()
    assert library.view(opened.of(back)).count == 100
    assert SegmentWriter(catalog, back).compact()
    assert [count for *_, count in ranges(library)] == [100]


def test_an_id_that_is_given_again_is_another_space(library: VectorLibrary) -> None:
    seen = []
    for _ in range(2):
        with library.catalog.transaction() as connection:
            beside = spaces.add_space(connection, "beside", "text", "fake:2", "fake", 32)
            seen.append(beside)
        with library.catalog.transaction() as connection:
            spaces.retire(connection, beside)
            spaces.drop_retired_spaces(connection)
    assert seen[0].id == seen[1].id
    assert seen[0] != seen[1]
    opened = OpenedVectors(library.catalog, SegmentedVectors)
    assert opened.of(seen[0]) is opened.of(seen[0])
    assert opened.of(seen[0]) is not opened.of(seen[1])


def test_retired_files_are_removed_after_a_while(library: VectorLibrary) -> None:
    for seed in range(2):
        library.append(unit_vectors(50, seed=seed))
        writer(library).flush(minimum=1)
    writer(library).compact()
    retired = list((library.segments / RETIRED).iterdir())
    assert len(retired) == 2
    writer(library).merge()
    assert list((library.segments / RETIRED).iterdir()) == retired
    for path in retired:
        os.utime(path, (time.time() - 61, time.time() - 61))
    writer(library).merge()
    assert list((library.segments / RETIRED).iterdir()) == []


def test_a_snapshot_from_before_a_merge_still_finds_its_files(library: VectorLibrary) -> None:
    for seed in range(2):
        library.append(unit_vectors(50, seed=seed))
        writer(library).flush(minimum=1)
    expected = answers(library)
    with library.catalog.snapshot() as old:
        thread = threading.Thread(target=writer(library).compact)
        thread.start()
        thread.join()
        assert len(library.files) == 1
        view = library.reader().view(old)
    assert view.notes == ()
    assert_same([view.search(query, 20) for query in QUERIES], expected)


def test_building_takes_little_memory() -> None:
    """A million vectors must fit: three times their float16 size at the most, here measured at a tenth of it."""
    script = """
import resource, sys
import numpy as np
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import write_segment
from pathlib import Path

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

Segment.build(np.arange(1, 100), np.eye(99, 384, dtype=np.float16), graph=True)
rng = np.random.default_rng(0)
vectors = np.empty((100_000, 384), np.float16)
for start in range(0, 100_000, 5_000):
    vectors[start : start + 5_000] = rng.standard_normal((5_000, 384), np.float32) / 20
before = peak() - vectors.nbytes
segment = Segment.build(np.arange(100_000), vectors, graph=False)
write_segment(segment, Path(sys.argv[1]), "a.faiss", "fake:1")
print((peak() - before) / vectors.nbytes)
"""
    directory = Path(os.environ.get("TMPDIR", "/tmp")) / f"segment-{os.getpid()}"
    try:
        output = subprocess.run([sys.executable, "-c", script, directory], check=True, capture_output=True, text=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    assert float(output.stdout) < 2.6  # a graph adds 0.35


# --- fault 2: the process dies between two steps -----------------------------------------------------------------

CRASHING = """
import os, sys
from pathlib import Path
from quarry.search.engines.faiss import segment_file, segment_writer
from quarry.search.stores.catalog import Catalog
from quarry.search.engines.faiss.segment_writer import SegmentWriter

directory, action, stop = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
steps = 0

def step():
    global steps
    steps += 1
    if steps == stop:
        os._exit(42)

def around(function):
    def wrapped(*arguments, **named):
        step()
        result = function(*arguments, **named)
        step()
        return result
    return wrapped

os.fsync = around(os.fsync)
Path.rename = around(Path.rename)
Path.unlink = around(Path.unlink)
segment_writer.list_segment = around(segment_writer.list_segment)
segment_writer.unlist_segments = around(segment_writer.unlist_segments)
catalog = Catalog(directory, writable=True)
space = catalog.space("text")
real = catalog.transaction

class Committing:
    def __init__(self, *arguments, **named):
        self.inner = real(*arguments, **named)
    def __enter__(self):
        return self.inner.__enter__()
    def __exit__(self, *error):
        step()
        result = self.inner.__exit__(*error)
        step()
        return result

catalog.transaction = Committing
writer = SegmentWriter(catalog, space)
{"flush": lambda: writer.flush(minimum=1), "compact": writer.compact, "repair": writer.repair}[action]()
print(steps)
"""


@pytest.mark.fault("2")
@pytest.mark.parametrize("action", ["flush", "compact", "repair"])
def test_a_crash_between_any_two_steps_leaves_old_or_new(tmp_path: Path, action: str) -> None:
    origin = VectorLibrary(tmp_path / "origin")
    for seed in range(2):
        library_ids = origin.append(unit_vectors(40, seed=seed))
        writer(origin).flush(minimum=1)
    origin.append(unit_vectors(40, seed=5))
    origin.delete(library_ids[:10])
    if action == "repair":
        flip(origin.files[0], 500)
    expected = answers(origin)
    origin.catalog.close()

    def run(directory: Path, stop: int) -> subprocess.CompletedProcess[str]:
        shutil.copytree(tmp_path / "origin", directory)
        command = [sys.executable, "-c", CRASHING, str(directory), action, str(stop)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = run(tmp_path / "whole", 0)
    assert whole.returncode == 0, whole.stderr
    steps = int(whole.stdout)
    assert steps >= 10
    for stop in range(1, steps + 1):
        directory = tmp_path / f"stop-{stop}"
        assert run(directory, stop).returncode == 42
        crashed = VectorLibrary(directory)
        assert_same(answers(crashed), expected)
        assert len(crashed.view().notes) <= (action == "repair")
        writer(crashed).repair()
        assert writer(crashed).verify() == []
        writer(crashed).compact()
        assert len(crashed.files) == 1
        assert_same(answers(crashed), expected)
        assert crashed.view().notes == ()
        crashed.catalog.close()
        shutil.rmtree(directory)


# --- fault 3: the disk is full, and fault 4: it can't be written --------------------------------------------------


@pytest.mark.fault("3")
@pytest.mark.parametrize("call", [1, 3, 10, 30, "fsync", "rename"])
def test_a_full_disk_keeps_the_old_state(
    library: VectorLibrary, call: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.append(unit_vectors(3_000))
    writer(library).flush(minimum=1)
    library.append(unit_vectors(500, seed=1))
    expected, before = answers(library), library.files
    full = OSError(errno.ENOSPC, "No space left on device")
    calls = 0

    class FullDisk:
        """A file that takes a few writes."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def write(self, data: Any) -> int:
            nonlocal calls
            calls += 1
            if calls == call:
                raise full
            return int(self._stream.write(data))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

        def __enter__(self) -> FullDisk:
            return self

        def __exit__(self, *_: object) -> None:
            self._stream.close()

    real_create = segment_file.make_file

    def created(*named: Any) -> Any:
        return FullDisk(real_create(*named))

    def fails(*_: object) -> None:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(segment_file, "make_file", created)
        if call == "fsync":
            patch.setattr(os, "fsync", fails)
        if call == "rename":
            patch.setattr(Path, "rename", fails)
        if call == 30:  # fewer writes than that: it succeeds, so the test of the others is not vacuous
            assert writer(library).compact()
            return
        with pytest.raises(StorageFull, match=r"disk that holds .* is full.*free space"):
            writer(library).compact()
    assert library.files == before
    assert list((library.segments / UNFINISHED).iterdir()) == []
    assert_same(answers(library), expected)
    assert writer(library).verify() == []
    assert writer(library).compact()
    assert_same(answers(library), expected)


@pytest.mark.fault("3")
def test_the_kernel_refusing_to_write_is_reported(tmp_path: Path) -> None:
    """A real refusal, not a patched one: the process may not write more than 20 KB to a file."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from quarry.search.errors import StorageFull
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import write_segment
segment = Segment.build(np.arange(1, 1001), np.random.default_rng(0).standard_normal((1000, 32)))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_segment(segment, Path(sys.argv[1]), "a.faiss", "fake:1")
except StorageFull as error:
    print(error)
"""
    output = subprocess.run([sys.executable, "-c", script, tmp_path], check=True, capture_output=True, text=True)
    assert "is full" in output.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.fault("4")
def test_a_directory_that_can_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.build(np.arange(1, 11), unit_vectors(10))

    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(segment_file, "make_file", refused)
    with pytest.raises(LibraryReadOnly, match="can't be written"):
        write_segment(segment, tmp_path, "a.faiss", "fake:1")


# --- fault 5: a file is truncated, or a bit is flipped ------------------------------------------------------------


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    damaged = path.with_name("damaged")
    damaged.write_bytes(data)
    damaged.rename(path)  # never write into a file that is mapped


@pytest.mark.fault("5")
def test_every_flipped_bit_is_detected(tmp_path: Path) -> None:
    segment = Segment.build(np.arange(1, 401), unit_vectors(400), graph=True)
    file = write_segment(segment, tmp_path, "a.faiss", "fake:1")
    path = tmp_path / "a.faiss"
    sound = path.read_bytes()
    bits = range(0, 8 * len(sound), 1_000)
    assert len(bits) > 1_000
    for bit in bits:
        flip(path, bit)
        with pytest.raises(LibraryDamaged, match=r"a\.faiss can't be used: its checksum is wrong.*doctor --repair"):
            open_segment(tmp_path, file)
        flip(path, bit)
    assert path.read_bytes() == sound
    assert open_segment(tmp_path, file).count == 400


def damage(path: Path, how: str) -> None:
    if how == "flipped":
        flip(path, 8 * path.stat().st_size // 2)
    elif how == "missing":
        path.unlink()
    elif how == "empty":
        path.unlink()
        path.write_bytes(b"")
    elif how == "truncated":
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[: len(data) // 2])
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.fault("5")
@pytest.mark.parametrize("how", ["flipped", "missing", "empty", "truncated", "a folder"])
def test_a_damaged_file_is_searched_from_the_catalog_and_rebuilt(library: VectorLibrary, how: str) -> None:
    for seed in range(3):
        ids = library.append(unit_vectors(200, seed=seed))
        writer(library).flush(minimum=1)
    library.delete(ids[::3])
    expected = answers(library)
    sound, damaged = library.files[0], library.files[1]
    damage(damaged, how)

    reader = library.reader()
    view = library.view(reader)
    assert_same([view.search(query, 20) for query in QUERIES], expected)
    (note,) = view.notes
    assert damaged.name in note
    assert "200 passages are searched one by one" in note
    assert "quarry doctor --repair" in note
    assert damaged.exists() == (how != "missing")  # a reader repairs nothing

    library.append(unit_vectors(10, seed=9))
    expected = answers(library)
    assert [problem.file for problem in writer(library).verify()] == [damaged.name]
    assert [problem.file for problem in writer(library).repair()] == [damaged.name]
    assert writer(library).verify() == []
    assert sound in library.files
    assert damaged not in library.files
    assert len(library.files) == 3
    assert (library.segments / QUARANTINE / damaged.name).exists() == (how != "missing")
    assert_same(answers(library), expected)
    view = library.view(reader)  # the reader that saw the damage recovers without a restart or a commit
    assert view.notes == ()
    assert_same([view.search(query, 20) for query in QUERIES], expected)


def test_compact_rebuilds_a_damaged_file_without_reading_it(library: VectorLibrary) -> None:
    library.append(unit_vectors(100))
    writer(library).flush(minimum=1)
    expected = answers(library)
    damage(library.files[0], "missing")
    assert writer(library).compact()
    assert len(library.files) == 1
    assert_same(answers(library), expected)


@pytest.mark.parametrize("field", ["count", "dimension", "format", "identity"])
def test_a_file_that_is_not_what_is_listed_is_refused(tmp_path: Path, field: str) -> None:
    from dataclasses import replace

    segment = Segment.build(np.arange(1, 11), unit_vectors(10))
    file = write_segment(segment, tmp_path, "a.faiss", "fake:1")
    other: dict[str, Any] = {"count": 9, "dimension": 33, "format": "flat-sqfp16-9", "identity": "fake:2"}
    with pytest.raises(LibraryDamaged, match="not what its description says"):
        open_segment(tmp_path, replace(file, **{field: other[field]}))


@pytest.mark.fault("5")
def test_a_sound_checksum_over_rubbish_is_refused(tmp_path: Path) -> None:
    import hashlib

    for rubbish in (b"", b"short", os.urandom(5_000), bytes(100) + segment_trailer._MAGIC):
        (tmp_path / "a.faiss").write_bytes(rubbish)
        digest = hashlib.sha256(rubbish).hexdigest()
        with pytest.raises(LibraryDamaged):
            open_segment(tmp_path, SegmentFile("a.faiss", digest, len(rubbish), 1, 32, "fake:1", "flat-sqfp16-1"))


# --- fault 7: catalog and segment disagree -----------------------------------------------------------------------


@pytest.mark.fault("7")
def test_disagreement_is_found_and_repaired(library: VectorLibrary) -> None:
    ids = library.append(unit_vectors(100))
    writer(library).flush(minimum=1)
    library.append(unit_vectors(100, seed=1))
    writer(library).flush(minimum=1)
    with library.catalog.transaction() as connection:
        connection.execute("DELETE FROM chunks WHERE id = ?", (int(ids[3]),))  # and no word of it in `deletions`
    (problem,) = writer(library).verify()
    assert "holds 1 passages that the catalog does not" in problem.what
    writer(library).repair()
    assert writer(library).verify() == []
    assert ids[3] not in answers(library, 200)[0].ids

    with library.catalog.transaction() as connection:
        connection.execute("UPDATE chunks SET generation = 1 WHERE id = 150")
        vector = unit_vectors(1, seed=50).astype("<f2").tobytes()
        connection.execute(
            "UPDATE vectors SET vector = ? WHERE key = (SELECT key FROM chunks WHERE id = 160)",
            (vector,),
        )
    whats = [problem.what for problem in writer(library).verify()]
    assert any("lacks 1 passages" in what for what in whats)
    assert any("1 of its vectors are not those of the catalog" in what for what in whats)
    writer(library).repair()
    assert writer(library).verify() == []
    assert (library.view(library.reader()).vectors(np.array([160])) == unit_vectors(1, seed=50).astype("f2")).all()


def test_segments_that_overlap_become_one(library: VectorLibrary) -> None:
    for seed in range(2):
        library.append(unit_vectors(50, seed=seed))
        writer(library).flush(minimum=1)
    expected = answers(library)
    with library.catalog.transaction() as connection:
        connection.execute("UPDATE segments SET first_generation = 0")
    assert any("covers passages" in problem.what for problem in writer(library).verify())
    writer(library).repair()
    assert writer(library).verify() == []
    assert len(library.files) == 1
    assert_same(answers(library), expected)


@pytest.mark.fault("29")
def test_vectors_that_are_damaged_in_the_catalog_are_never_searched(library: VectorLibrary) -> None:
    """Fault 29, however they came there."""
    vectors = unit_vectors(60)
    library.append(vectors)
    bad = np.full(32, np.nan, "<f2").tobytes()
    with library.catalog.transaction() as connection:
        connection.execute("UPDATE vectors SET vector = ? WHERE id IN (1, 2)", (bad,))
        connection.execute("UPDATE vectors SET vector = x'00' WHERE id = 3")
    for _ in range(2):
        view = library.view(library.reader())
        found = view.search(vectors[0], 60)
        assert sorted(found.ids) == list(range(4, 61))
        assert np.isfinite(found.scores).all()
        writer(library).flush(minimum=1)
    library.append(unit_vectors(1))


# --- fault 12: another model -------------------------------------------------------------------------------------


@pytest.mark.fault("12")
def test_a_segment_of_another_model_is_refused_with_both_names(library: VectorLibrary) -> None:
    library.append(unit_vectors(50))
    writer(library).flush(minimum=1)
    with library.catalog.transaction() as connection:
        connection.execute("UPDATE segments SET identity = 'other-model:9'")
    with pytest.raises(ModelMismatch, match=r"other-model:9.*fake:1.*quarry reembed"):
        library.view(library.reader())
    assert any("other-model:9" in problem.what for problem in writer(library).verify())
    writer(library).repair()
    assert library.view(library.reader()).count == 50


def test_two_spaces_do_not_mix(library: VectorLibrary) -> None:
    library.append(unit_vectors(50))
    writer(library).flush(minimum=1)
    from quarry.search.stores.spaces import add_space

    with library.catalog.transaction() as connection:
        space = add_space(connection, "image", "image", "fake:2", "fake", 16)
    assert library.view(SegmentedVectors(library.catalog, space)).count == 0
    assert not SegmentWriter(library.catalog, space).compact()
    assert len(library.files) == 1  # of the other space, and not a stray
    assert library.view(library.reader()).count == 50


# --- fault 9: readers while writing and merging ------------------------------------------------------------------


@pytest.mark.fault("9")
def test_readers_while_committing_flushing_and_merging(library: VectorLibrary) -> None:
    """50 readers, 100 commits: no error, and every answer is exactly that of its generation."""
    dimension, batch = 32, 5
    everything = unit_vectors(100 * batch, dimension, seed=21)
    halves = everything.astype(np.float16).astype(np.float32)
    alive: dict[int, set[int]] = {}
    lock, stop = threading.Lock(), threading.Event()
    errors: list[BaseException] = []
    seen: set[int] = set()

    def read(number: int) -> None:
        query = QUERIES[number % len(QUERIES)]
        vectors = library.reader() if number % 5 == 0 else library.vectors
        try:
            while not stop.is_set():
                with library.catalog.snapshot() as snapshot:
                    view = vectors.view(snapshot)
                assert view.notes == ()
                found = view.search(query, 1_000)
                stop.wait(0.1)  # without a pause, the readers alone keep two cores busy
                with lock:
                    expected = alive.get(snapshot.generation)
                if expected is not None:
                    assert set(found.ids.tolist()) == expected
                    np.testing.assert_allclose(found.scores, halves[found.ids - 1] @ query, atol=1e-5)
                    seen.add(snapshot.generation)
        except BaseException as error:
            errors.append(error)
            stop.set()

    readers = [threading.Thread(target=read, args=(number,)) for number in range(50)]
    for reader in readers:
        reader.start()
    try:
        rng, current = np.random.default_rng(22), set[int]()
        for step in range(100):
            if stop.is_set():
                break
            if step % 4 == 3:
                gone = rng.choice(sorted(current), 3, replace=False)
                current -= set(gone.tolist())
                library.delete(gone)
            else:
                ids = np.arange(step * batch, (step + 1) * batch)
                library.add(ids + 1, everything[ids])
                current |= set((ids + 1).tolist())
            with library.catalog.snapshot() as snapshot, lock:
                alive[snapshot.generation] = set(current)
            if step % 6 == 0:
                writer(library).flush(minimum=1)
            if step % 20 == 10:
                writer(library).compact()
            elif step % 3 == 0:
                writer(library).merge()
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    if errors:
        raise errors[0]
    assert len(seen) > 10
    assert writer(library).verify() == []
