"""One segment: a graph or a scan over distinct vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quarry.search.engines.faiss.segment import FLAT_FORMAT, GRAPH_FORMAT, Segment
from quarry.search.engines.faiss.segment_file import open_segment, write_segment
from quarry.search.engines.trial import unit_vectors


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


def test_bad_vectors_are_never_stored() -> None:
    vectors, ids = unit_vectors(4), np.arange(1, 5)
    with pytest.raises(ValueError, match="shape"):
        Segment.build(ids[:3], vectors)
    with pytest.raises(ValueError, match="ascend"):
        Segment.build(ids[::-1], vectors)
    for bad in (np.nan, np.inf, 1e6):
        vectors[2, 1] = bad
        with pytest.raises(ValueError, match="id 3 has a value that is not finite"):
            Segment.build(ids, vectors)
