"""A segment with inverted lists: built as its vectors come, searched through codes of one bit, believed by no one."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from quarry.search.engines.faiss import lists, segment_writer
from quarry.search.engines.faiss.growing_segment import GrowingSegment
from quarry.search.engines.faiss.index_bounds import check_lists, check_shape
from quarry.search.engines.faiss.lists import Lists
from quarry.search.engines.faiss.segment import LISTS_FORMAT, Segment
from quarry.search.engines.faiss.segment_file import open_segment, saving
from quarry.search.engines.faiss.segment_writer import SegmentWriter
from quarry.search.engines.trial import unit_vectors
from quarry.search.errors import LibraryDamaged
from quarry.search.stores.rows.segment_rows import SegmentFile
from quarry.search.types import Vectors
from tests.engines.vector_library import VectorLibrary

COUNT, DIMENSION = 30_000, 48


def around_topics(count: int, seed: int) -> Vectors:
    """Unit vectors that lie around topics, as those of texts do."""
    topics, rng = unit_vectors(500, DIMENSION, seed=1), np.random.default_rng(seed)
    vectors = topics[rng.integers(0, 500, count)] + 0.1 * rng.standard_normal((count, DIMENSION)).astype(np.float32)
    made: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


def written(
    directory: Path, ids: NDArray[np.int64], vectors: NDArray[np.floating], at_once: int = 4_096
) -> SegmentFile:
    (directory / "segments").mkdir(exist_ok=True)
    with saving(directory / "segments", "a.faiss") as stream:
        growing = GrowingSegment(stream, vectors.shape[1])
        for start in range(0, len(ids), at_once):
            growing.append(ids[start : start + at_once], vectors[start : start + at_once].astype(np.float16))
        return growing.finish("a.faiss", "fake:1", None, threads=2)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SegmentFile, Vectors]:
    directory = tmp_path_factory.mktemp("lists")
    vectors = around_topics(COUNT, seed=2)
    return directory / "segments", written(directory, np.arange(COUNT), vectors), vectors


def test_recall_is_held_by_scanning(large: tuple[Path, SegmentFile, Vectors], monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists are really used where they are cheaper, and a scan takes over where a filter hides their answers."""
    monkeypatch.setattr(lists, "PROBED", 20)
    directory, file, vectors = large
    segment = open_segment(directory, file)
    assert segment.format == LISTS_FORMAT
    values = vectors.astype(np.float16).astype(np.float32)
    looked_up: dict[str, list[bool]] = {"all": [], "near": [], "far": [], "random": []}
    recalled: dict[str, list[float]] = {name: [] for name in looked_up}
    real, name = Segment._look_up, ""

    def spy(self: Segment, *arguments: Any) -> Any:
        found = real(self, *arguments)
        looked_up[name].append(found is not None)
        return found

    monkeypatch.setattr(Segment, "_look_up", spy)
    rng = np.random.default_rng(3)
    for query in around_topics(20, seed=4):
        scores = values @ query
        median = np.median(scores)
        masks = {"all": None, "near": scores >= median, "far": scores < median, "random": rng.random(COUNT) < 0.5}
        for name, mask in masks.items():
            found = segment.search(query, 10, mask)
            assert mask is None or mask[found.ids].all()
            np.testing.assert_allclose(found.scores, scores[found.ids], atol=1e-5)
            expected = np.sort(scores if mask is None else scores[mask])[-10]
            recalled[name].append(float((found.scores >= expected - 1e-5).mean()))
    assert {name: np.mean(found) >= 0.95 for name, found in recalled.items()} == dict.fromkeys(recalled, True)
    assert all(all(looked_up[name]) for name in ("all", "near", "random"))
    assert not any(looked_up["far"])


def test_a_score_is_the_same_by_every_path(large: tuple[Path, SegmentFile, Vectors]) -> None:
    directory, file, vectors = large
    segment = open_segment(directory, file)
    rows = np.arange(0, COUNT, 7)
    query = np.ascontiguousarray(vectors[5:6])
    scanned, at = segment.storage.search(query, COUNT)
    by_row = np.empty(COUNT, np.float32)
    by_row[at[0]] = scanned[0]
    np.testing.assert_array_equal(segment._scores(query, rows), by_row[rows])


def test_what_comes_in_any_order_and_many_times_is_held_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    vectors = around_topics(3_000, seed=6)[rng.integers(0, 2_000, 5_000)]
    ids = rng.permutation(np.arange(10, 5_010))
    file = written(tmp_path, ids, vectors, at_once=700)
    segment = open_segment(tmp_path / "segments", file)
    assert len(segment.values) == len(np.unique(vectors, axis=0)) < 2_000
    np.testing.assert_array_equal(segment.ids, np.arange(10, 5_010))
    order = np.argsort(ids)
    np.testing.assert_array_equal(segment.vectors(np.arange(5_000)), vectors[order].astype(np.float16))
    query = vectors[0]
    scores = vectors[order].astype(np.float16).astype(np.float32) @ query
    found = segment.search(query, 40)
    np.testing.assert_allclose(found.scores, np.sort(scores)[::-1][:40], atol=1e-5)


def test_building_takes_little_memory(tmp_path: Path) -> None:
    """Less than the vectors and their copy would: here most of it is the sample that the centroids are trained on."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from quarry.search.engines.faiss.growing_segment import GrowingSegment
from quarry.search.engines.faiss.segment_file import saving

COUNT = 60_000
rng = np.random.default_rng(0)
directory = Path(sys.argv[1])
(directory / "segments").mkdir()

def build(name, count):
    with saving(directory / "segments", name) as stream:
        growing = GrowingSegment(stream, 384)
        for start in range(0, count, 3_000):
            values = rng.random((3_000, 384), np.float32).astype(np.float16)
            growing.append(np.arange(start, start + 3_000), values)
        growing.finish(name, "fake:1", None)

build("small.faiss", 3_000)  # threads and libraries have their memory now
lines = Path("/proc/self/status").read_text().splitlines()
held = 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])
limit = held + int(1.5 * COUNT * 768)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
build("large.faiss", COUNT)
"""
    ran = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.fault("3")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """Whether it is full by the vectors or by what is made of them."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from quarry.search.engines.faiss.growing_segment import GrowingSegment
from quarry.search.engines.faiss.segment_file import saving
from quarry.search.errors import StorageFull

for limit in (20_000, 70_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        with saving(Path(sys.argv[1]), "a.faiss") as stream:
            growing = GrowingSegment(stream, 32)
            growing.append(np.arange(1_000), np.random.default_rng(0).random((1_000, 32)).astype(np.float16))
            growing.finish("a.faiss", "fake:1", None)
    except StorageFull as error:
        print(error)
"""
    output = subprocess.run([sys.executable, "-c", script, tmp_path], check=True, capture_output=True, text=True)
    assert output.stdout.count("is full") == 2
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# --- what a stranger's file may hold ------------------------------------------------------------------------------


@pytest.fixture
def parts() -> Iterator[tuple[Any, NDArray[np.uint8]]]:
    index = Lists.build(unit_vectors(900).astype(np.float16)).index
    yield index, faiss.serialize_index(index)


def read(data: NDArray[np.uint8]) -> Any:
    return faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(data), len(data)))


def test_what_quarry_builds_is_in_bounds(parts: tuple[Any, NDArray[np.uint8]]) -> None:
    index, data = parts
    check_shape(data, 32)
    check_lists(read(data), 32, 900)
    check_lists(index, 32, 900)


def other_quantizer(data: NDArray[np.uint8]) -> None:
    data[53:57] = np.frombuffer(b"IxFl", np.uint8)


def other_lists(data: NDArray[np.uint8]) -> None:
    at = data.tobytes().index(b"ilar", 98 + 30 * 32 * 4)
    data[at : at + 4] = np.frombuffer(b"ilod", np.uint8)


def many_lists(data: NDArray[np.uint8]) -> None:
    data[37:45] = np.frombuffer(struct.pack("<Q", 2**40), np.uint8)


def fewer_lists(data: NDArray[np.uint8]) -> None:
    data[37:45] = np.frombuffer(struct.pack("<Q", 29), np.uint8)


def no_lists(data: NDArray[np.uint8]) -> None:
    data[37:45] = 0


def other_metric(data: NDArray[np.uint8]) -> None:
    data[33:37] = np.frombuffer(struct.pack("<i", 1), np.uint8)


@pytest.mark.parametrize("spoil", [other_quantizer, other_lists, many_lists, fewer_lists, no_lists, other_metric])
def test_no_other_kind_of_lists_is_read(
    parts: tuple[Any, NDArray[np.uint8]], spoil: Callable[[NDArray[np.uint8]], None]
) -> None:
    data = parts[1].copy()
    spoil(data)
    with pytest.raises(ValueError, match="lists"):
        check_shape(data, 32)


def test_a_torn_shape_is_refused(parts: tuple[Any, NDArray[np.uint8]]) -> None:
    for length in (0, 40, 60, 2_000):
        with pytest.raises((ValueError, struct.error)):
            check_shape(parts[1][:length], 32)


@pytest.mark.parametrize("row", [-1, 900, 2**40])
def test_lists_that_lead_elsewhere_are_refused(parts: tuple[Any, NDArray[np.uint8]], row: int) -> None:
    index, _ = parts
    lists.rows_of(index, 3)[0] = row
    with pytest.raises(ValueError, match="lead out of it"):
        check_lists(index, 32, 900)


def test_lists_must_have_each_row_once(parts: tuple[Any, NDArray[np.uint8]]) -> None:
    index, _ = parts
    for other, count in ((900, 901), (900, 899)):
        with pytest.raises(ValueError, match="do not fit the ids"):
            check_lists(index, 32, count)
        assert index.ntotal == other
    rows = lists.rows_of(index, 3)
    rows[0] = lists.rows_of(index, 4)[0]
    with pytest.raises(ValueError, match="each row once"):
        check_lists(index, 32, 900)


def test_a_file_of_it_is_refused_though_its_checksum_is_right(tmp_path: Path) -> None:
    file = written(tmp_path, np.arange(900), unit_vectors(900))
    path = tmp_path / "segments" / "a.faiss"
    data = path.read_bytes()
    assert open_segment(path.parent, file).count == 900
    for found, other in ((b"ilar", b"ilod"), (b"Iwrq", b"IwFl"), (b"IxFI", b"IxPT"), (b'"lists": ', b'"lists": 9')):
        spoilt = data.replace(found, other)
        assert spoilt != data
        path.write_bytes(spoilt)
        with pytest.raises(LibraryDamaged):
            open_segment(path.parent, replace(file, sha256=hashlib.sha256(spoilt).hexdigest(), bytes=len(spoilt)))


# --- when one is made, and left alone -----------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VectorLibrary]:
    monkeypatch.setattr(segment_writer, "LISTS_FROM", 200)
    made = VectorLibrary(tmp_path / "library")
    with closing(made.catalog):
        yield made


def test_a_large_segment_is_left_alone_while_little_is_newer(library: VectorLibrary) -> None:
    writer = SegmentWriter(library.catalog, library.space)
    ids = library.append(unit_vectors(400))
    writer.compact()
    (first,) = library.files
    library.append(unit_vectors(80, seed=2))
    library.delete(ids[:20])
    query = unit_vectors(1, seed=3)[0]
    expected = library.view().search(query, 480)
    assert writer.compact() and len(library.files) == 2 and first in library.files
    assert not writer.compact()
    assert library.reader().compact() < library.view().generation  # what was deleted of the first must stay known
    found = library.view(library.reader()).search(query, 480)
    assert len(found) == 460
    np.testing.assert_array_equal(found.ids, expected.ids)
    library.append(unit_vectors(20, seed=4))  # more than a quarter of what is alive is newer
    assert writer.compact()
    (only,) = library.files
    assert only != first and writer.verify() == []
    assert library.view(library.reader()).count == 480
    assert library.reader().compact() == library.view().generation


def test_a_large_segment_is_built_anew_when_a_fifth_is_dead(library: VectorLibrary) -> None:
    writer = SegmentWriter(library.catalog, library.space)
    ids = library.append(unit_vectors(400))
    writer.compact()
    (first,) = library.files
    library.delete(ids[:79])
    assert not writer.compact() and library.files == [first]
    library.delete(ids[79:80])
    assert writer.compact() and library.files != [first]
    assert library.reader().compact() == library.view().generation
