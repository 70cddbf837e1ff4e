"""One contract, run on every vector store, against exact answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quarry.search.stores.base import VectorStore
from quarry.search.stores.exact import ExactStore
from quarry.search.stores.faiss_segment import FLAT_FORMAT, GRAPH_FORMAT, Segment
from quarry.search.stores.segment_file import open_segment, write_segment
from quarry.search.types import Candidates, Ids, Vectors
from tests.vector_library import VectorLibrary, unit_vectors

DIMENSION = 32
Make = Callable[[], VectorStore]


class SegmentStore:
    """A `VectorStore` of one segment that is built anew for every addition, saved, and mapped."""

    def __init__(self, directory: Path, *, graph: bool) -> None:
        self._directory = directory
        self._graph = graph
        self._ids: Ids = np.empty(0, np.int64)
        self._vectors: Vectors = np.empty((0, DIMENSION), np.float32)
        self._deleted: Ids = np.empty(0, np.int64)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, vectors])
        built = Segment.build(self._ids, self._vectors, graph=self._graph)
        file = write_segment(built, self._directory, f"{len(self._ids)}.faiss", "fake:1")
        self._segment = open_segment(self._directory, file)

    def delete(self, ids: Ids) -> None:
        self._deleted = np.union1d(self._deleted, ids)

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> Candidates:
        mask = ~self._segment.members(self._deleted)
        if allowed is not None:
            mask &= self._segment.members(allowed)
        return self._segment.search(query, k, mask)

    @property
    def count(self) -> int:
        return int(np.count_nonzero(~np.isin(self._ids, self._deleted)))


class FlushedLibrary(VectorLibrary):
    """A library whose every second addition goes into a segment file, so that searches span files and tail."""

    def add(self, ids: Ids, vectors: NDArray[np.floating]) -> None:
        super().add(ids, vectors)
        self.additions = getattr(self, "additions", 0) + 1
        if self.additions % 2 == 1:
            self.vectors._writer(self.catalog).flush(minimum=1)


@pytest.fixture(params=["exact", "flat segment", "graph segment", "tail", "segments and tail"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    stores: dict[str, Make] = {
        "exact": lambda: ExactStore(DIMENSION),
        "flat segment": lambda: SegmentStore(tmp_path, graph=False),
        "graph segment": lambda: SegmentStore(tmp_path, graph=True),
        "tail": lambda: VectorLibrary(tmp_path, DIMENSION),
        "segments and tail": lambda: FlushedLibrary(tmp_path, DIMENSION),
    }
    return stores[request.param]


def oracle(ids: Ids, vectors: Vectors, query: Vectors, k: int) -> Candidates:
    """The definition, in float64: float16 values times the query, best first, ties by smaller id."""
    scores = (vectors.astype(np.float16).astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    order = np.lexsort((ids, -scores))[:k]
    return Candidates(ids[order], scores[order])


def assert_same(found: Candidates, expected: Candidates) -> None:
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    differing = found.ids != expected.ids  # only where rounding can change the order
    assert np.abs(found.scores[differing] - expected.scores[differing]).max(initial=0) < 1e-5
    assert len(np.unique(found.ids)) == len(found.ids)


def test_finds_the_exact_answers(make: Make) -> None:
    store, vectors = make(), unit_vectors(3_000)
    ids = np.arange(10, 10 + 3 * 3_000, 3)
    for start in range(0, 3_000, 1_000):
        store.add(ids[start : start + 1_000], vectors[start : start + 1_000])
    assert store.count == 3_000
    for query in unit_vectors(10, seed=1):
        for k in (1, 10, 200, 5_000):
            assert_same(store.search(query, k), oracle(ids, vectors, query, k))


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("kind", ["random", "near", "far"])
def test_filters_never_starve(make: Make, share: float, kind: str) -> None:
    store, vectors = make(), unit_vectors(4_000)
    ids = np.arange(1, 4_001)
    store.add(ids, vectors)
    recalled = []
    for query in unit_vectors(8, seed=2):
        scores = vectors @ query
        rank = {"random": np.random.default_rng(3).random(4_000), "near": -scores, "far": scores}[kind]
        allowed = np.sort(np.argsort(rank)[: max(1, int(4_000 * share))]) + 1
        found = store.search(query, 10, allowed)
        expected = oracle(allowed, vectors[allowed - 1], query, 10)
        assert len(found) == len(expected)
        assert np.isin(found.ids, allowed).all()
        recalled.append((found.scores >= expected.scores[-1] - 1e-5).mean())
    assert np.mean(recalled) >= 0.95


def test_deleted_are_not_found(make: Make) -> None:
    store, vectors = make(), unit_vectors(600)
    ids = np.arange(1, 601)
    store.add(ids[:300], vectors[:300])
    store.add(ids[300:], vectors[300:])
    store.delete(np.array([], np.int64))
    deleted = ids[::4]
    store.delete(np.append(deleted, 10_000))
    assert store.count == 450
    kept = np.setdiff1d(ids, deleted)
    for query in vectors[:8]:
        assert_same(store.search(query, 50), oracle(kept, vectors[kept - 1], query, 50))
        allowed = ids[:200]
        both = np.intersect1d(kept, allowed)
        assert_same(store.search(query, 50, allowed), oracle(both, vectors[both - 1], query, 50))
    store.delete(ids)
    assert store.count == 0
    assert len(store.search(vectors[0], 10)) == 0


def test_ties_go_to_the_smaller_id(make: Make) -> None:
    store = make()
    vectors = np.repeat(unit_vectors(3), [40, 40, 40], axis=0)[np.random.default_rng(5).permutation(120)]
    ids = np.arange(7, 127)
    store.add(ids[:70], vectors[:70])
    store.add(ids[70:], vectors[70:])
    query = vectors[0]
    for k in (1, 10, 39, 40, 41, 120):
        found = store.search(query, k)
        np.testing.assert_array_equal(found.ids, oracle(ids, vectors, query, k).ids)
    allowed = ids[20:100]
    found = store.search(query, 15, allowed)
    np.testing.assert_array_equal(found.ids, oracle(allowed, vectors[20:100], query, 15).ids)


def test_different_vectors_of_the_same_score_tie_by_id(make: Make) -> None:
    store = make()
    vectors = np.eye(DIMENSION, dtype=np.float32)[np.arange(300) % (DIMENSION - 1) + 1]
    vectors[::2] *= -1  # 62 different rows, all with a score of zero but the last
    vectors[299] = np.eye(DIMENSION, dtype=np.float32)[0]
    store.add(np.arange(1, 301), vectors)
    found = store.search(np.eye(DIMENSION, dtype=np.float32)[0], 5)
    np.testing.assert_array_equal(found.ids, [300, 1, 2, 3, 4])


def test_nothing_to_find(make: Make) -> None:
    store = make()
    vectors = unit_vectors(5)
    store.add(np.arange(1, 6), vectors)
    query = vectors[0]
    assert len(store.search(query, 0)) == 0
    assert len(store.search(query, -1)) == 0
    assert len(store.search(query, 10, np.array([], np.int64))) == 0
    assert len(store.search(query, 10, np.array([-5, 0, 6, 2**62]))) == 0
    assert store.search(query, 10, np.array([-5, 3, 2**62])).ids.tolist() == [3]
    assert len(store.search(query, 10**9)) == 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_query_that_is_not_finite_is_refused(make: Make, bad: float) -> None:
    store = make()
    store.add(np.arange(1, 4), unit_vectors(3))
    query = unit_vectors(1)[0]
    query[3] = bad
    with pytest.raises(ValueError, match="not finite"):
        store.search(query, 3)
    with pytest.raises(ValueError, match="shape"):
        store.search(query[:-1], 3)


def test_graph_recall_is_held_by_scanning(tmp_path: Path) -> None:
    """The graph is really used where it is cheaper, and a scan takes over where the filter hides its answers."""
    vectors = unit_vectors(30_000, seed=8)
    built = Segment.build(np.arange(1, 30_001), vectors, threads=2)
    assert built.format == GRAPH_FORMAT
    assert Segment.build(np.arange(1, 101), vectors[:100]).format == FLAT_FORMAT
    file = write_segment(built, tmp_path, "graph.faiss", "fake:1")
    segment = open_segment(tmp_path, file)
    walks: list[bool] = []
    recalled: dict[str, list[float]] = {"all": [], "near": [], "far": []}
    walk = Segment._walk

    def spy(self: Segment, *arguments: object) -> object:
        result = walk(self, *arguments)  # type: ignore[arg-type]
        walks.append(result is not None)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Segment, "_walk", spy)
        for query in unit_vectors(20, seed=9):
            scores = vectors @ query
            median = np.median(scores)
            for name, mask in (("all", None), ("near", scores >= median), ("far", scores < median)):
                found = segment.search(query, 10, mask)
                expected = np.sort(scores if mask is None else scores[mask])[::-1][9]
                recalled[name].append(float((found.scores >= expected - 1e-3).mean()))
    assert {name: np.mean(values) >= 0.95 for name, values in recalled.items()} == dict.fromkeys(recalled, True)
    assert walks.count(True) >= 40  # "all" and "near" were walked
    assert walks.count(False) >= 15  # "far" was tried, seen to be hopeless, and scanned


def test_equal_vectors_do_not_break_the_graph() -> None:
    """Many copies of a vector would fill each other's links, and the search that meets one would never leave."""
    vectors = unit_vectors(24_000, seed=10)
    copies = np.random.default_rng(11).choice(24_000, (4, 900), replace=False)
    for group in copies:
        vectors[group] = vectors[group[0]]
    segment = Segment.build(np.arange(1, 24_001), vectors, threads=2)
    assert len(segment.values) == 24_000 - 4 * 899
    recalled = []
    for query in unit_vectors(40, seed=12):
        expected = np.sort(vectors @ query)[::-1][9]
        recalled.append((segment.search(query, 10).scores >= expected - 1e-3).mean())
    assert min(recalled) >= 0.7
    assert np.mean(recalled) >= 0.97
    found = segment.search(vectors[copies[2][0]], 900)
    np.testing.assert_array_equal(found.ids, np.sort(copies[2]) + 1)


def test_members_of_sparse_and_dense_ids() -> None:
    rng = np.random.default_rng(13)
    for ids in (np.arange(5, 400), np.unique(rng.integers(-(2**60), 2**60, 300)), np.array([7])):
        segment = Segment.build(ids, unit_vectors(len(ids)))
        for wanted in (ids, ids[::3], np.array([], np.int64), np.union1d(ids[::2], [1, 2, 2**61]), ids[-1:] + 1):
            np.testing.assert_array_equal(segment.members(wanted), np.isin(ids, wanted))


@pytest.mark.parametrize("build", [ExactStore(DIMENSION).add, Segment.build])
def test_bad_vectors_are_never_stored(build: Callable[[Ids, Vectors], object]) -> None:
    vectors, ids = unit_vectors(4), np.arange(1, 5)
    with pytest.raises(ValueError, match="shape"):
        build(ids[:3], vectors)
    with pytest.raises(ValueError, match="ascend"):
        build(ids[::-1], vectors)
    for bad in (np.nan, np.inf, 1e6):
        vectors[2, 1] = bad
        with pytest.raises(ValueError, match="id 3 has a value that is not finite"):
            build(ids, vectors)
