from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from quarry.search.engines.faiss.index_bounds import check_index
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import open_segment, write_segment
from quarry.search.errors import LibraryDamaged

COUNT, DIMENSION = 3_000, 16


def built(*, graph: bool = True) -> Segment:
    vectors = np.random.default_rng(3).standard_normal((COUNT, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Segment.build(np.arange(1, COUNT + 1), vectors, graph=graph)


def part(vector: Any) -> Any:
    return faiss.rev_swig_ptr(vector.data(), vector.size())


def far_neighbour(index: Any) -> None:
    part(index.hnsw.neighbors)[5] = 10**8


def negative_neighbour(index: Any) -> None:
    part(index.hnsw.neighbors)[5] = -(10**8)


def far_offset(index: Any) -> None:
    part(index.hnsw.offsets)[7] = 10**12


def high_level(index: Any) -> None:
    part(index.hnsw.levels)[7] = 100


def far_entry(index: Any) -> None:
    index.hnsw.entry_point = 10**8


def high_entry(index: Any) -> None:
    index.hnsw.max_level += 1


def neighbour_that_is_not_so_high(index: Any) -> None:
    levels, offsets = part(index.hnsw.levels), part(index.hnsw.offsets)
    high, low = int(np.flatnonzero(levels > 1)[0]), int(np.flatnonzero(levels == 1)[-1])
    part(index.hnsw.neighbors)[int(offsets[high]) + part(index.hnsw.cum_nneighbor_per_level)[1]] = low


def few_vectors(index: Any) -> None:
    faiss.downcast_index(index.storage).codes.resize(100)


def other_metric(index: Any) -> None:
    index.metric_type = faiss.METRIC_L2


HOSTILE = [
    *(far_neighbour, negative_neighbour, far_offset, high_level, far_entry, high_entry),
    *(neighbour_that_is_not_so_high, few_vectors, other_metric),
]


@pytest.mark.parametrize("graph", [True, False])
def test_what_quarry_builds_is_in_bounds(graph: bool) -> None:
    check_index(built(graph=graph).index, DIMENSION, COUNT)
    check_index(Segment.build(np.empty(0, np.int64), np.empty((0, DIMENSION)), graph=graph).index, DIMENSION, 0)


@pytest.mark.parametrize("spoil", HOSTILE)
def test_an_index_that_leads_elsewhere_is_refused(spoil: Callable[[Any], None]) -> None:
    segment = built()
    spoil(segment.index)
    with pytest.raises(ValueError, match=r"graph|level|vectors|row"):
        check_index(segment.index, DIMENSION, COUNT)


@pytest.mark.parametrize("spoil", HOSTILE)
def test_a_file_of_it_is_refused_though_its_checksum_is_right(tmp_path: Path, spoil: Callable[[Any], None]) -> None:
    segment = built()
    spoil(segment.index)
    file = write_segment(segment, tmp_path, "a.faiss", "fake:1")
    with pytest.raises(LibraryDamaged, match="its content is not what its description says"):  # FAISS finds some, too
        open_segment(tmp_path, file)


def test_no_other_kind_of_index_is_read(tmp_path: Path) -> None:
    """FAISS has a hundred of them, some of which follow paths, or take what memory they like."""
    file = write_segment(built(graph=False), tmp_path, "a.faiss", "fake:1")
    data = bytearray((tmp_path / "a.faiss").read_bytes())
    for kind in (b"IwFl", b"ilar", b"IxF2", b"IxPT", os.urandom(4)):
        data[:4] = kind
        (tmp_path / "a.faiss").write_bytes(data)
        with pytest.raises(LibraryDamaged, match="another kind of index"):
            open_segment(tmp_path, replace(file, sha256=hashlib.sha256(data).hexdigest()))
