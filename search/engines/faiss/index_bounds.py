"""Whether a FAISS index that was read leads anywhere but into itself.

FAISS believes much of what it reads: a graph that names a place it does not have is followed into whatever lies there
in memory. A checksum tells damage, and not what was made to do harm, in a library that comes from a stranger.
"""

from __future__ import annotations

import struct
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.faiss.lists import empty_lists, rows_of
from quarry.search.engines.faiss.segment import FLAT_FORMAT, GRAPH_FORMAT, LISTS_FORMAT

# How FAISS marks the kinds of index that a file of each format begins with.
KINDS = {GRAPH_FORMAT: b"IHNs", FLAT_FORMAT: b"IxSQ", LISTS_FORMAT: b"IxSQ"}
_LISTS_AT, _CENTROIDS_AT = 37, 98  # where FAISS writes how many lists there are, and their centroids
_COUNT = slice(8, 16)


def check_index(index: Any, dimension: int, count: int) -> None:
    """Refuse an index that is not `count` vectors of float16, by inner product, with or without a graph of them.

    Raises:
        ValueError: says what is wrong.
    """
    has_graph = isinstance(index, faiss.IndexHNSW)
    storage = faiss.downcast_index(index.storage) if has_graph else index
    for part in (index, storage):
        _require((part.d, part.ntotal) == (dimension, count), "the index does not fit the ids")
        _require(part.metric_type == faiss.METRIC_INNER_PRODUCT, "its vectors are compared otherwise")
    _require(isinstance(storage, faiss.IndexScalarQuantizer), "its vectors are stored otherwise")
    kind = (storage.sq.qtype, storage.sq.d, storage.code_size)
    _require(kind == (faiss.ScalarQuantizer.QT_fp16, dimension, 2 * dimension), "its vectors are stored otherwise")
    _require(storage.codes.size() == count * storage.code_size, "it lacks vectors")
    if has_graph:
        _check_graph(index.hnsw, count)


def check_shape(part: NDArray[np.uint8], dimension: int) -> None:
    """Refuse bytes that FAISS would not read as inverted lists held in memory, with centroids beside them, alone.

    Within an inverted file lies another index, of any kind, and what says where the lists are, maybe by a path: all
    that comes before the lists must be what FAISS writes of empty ones, but for the centroids and the count.

    Raises:
        ValueError: they are something else.
    """
    data = part[: 1 << 30].tobytes()
    (count,) = struct.unpack_from("<Q", data, _LISTS_AT)
    _require(0 < count <= len(data) // (4 * dimension), "its lists are too many")
    expected = bytearray(faiss.serialize_index(empty_lists(np.zeros((count, dimension), np.float32))))
    before = expected.index(b"ilar", _CENTROIDS_AT + 4 * dimension * count)
    found = bytearray(data[:before])
    for known in (_COUNT, slice(_CENTROIDS_AT, _CENTROIDS_AT + 4 * dimension * count)):
        found[known] = expected[known]
    _require(found == expected[:before] and data[before : before + 4] == b"ilar", "it holds other lists")


def check_lists(index: Any, dimension: int, count: int) -> None:
    """Refuse inverted lists that do not name each of `count` rows once, with a code for each.

    Raises:
        ValueError: says what is wrong.
    """
    _require((index.d, index.ntotal) == (dimension, count), "the lists do not fit the ids")
    lists = index.invlists
    _require((lists.nlist, lists.code_size) == (index.nlist, index.code_size), "the lists do not fit their centroids")
    codes = faiss.downcast_InvertedLists(lists).codes
    seen, listed = np.zeros(count, bool), 0
    for number in range(index.nlist):
        rows = rows_of(index, number)
        _require(codes.at(number).size() == len(rows) * index.code_size, "its lists lack codes")
        _require(not len(rows) or (rows.min() >= 0 and rows.max() < count), "its lists lead out of it")
        seen[rows] = True
        listed += len(rows)
    _require(listed == count and bool(seen.all()), "its lists do not have each row once")


def _check_graph(hnsw: Any, count: int) -> None:
    """Refuse a graph of which a step leads out of it.

    A row lies on levels 0 to `levels` - 1; its neighbours on level n stand in the n-th part of its own part of all.
    """
    levels, parts = _array(hnsw.levels), _array(hnsw.cum_nneighbor_per_level).astype(np.int64)
    offsets, neighbours = _array(hnsw.offsets).astype(np.int64), _array(hnsw.neighbors)
    _require(len(levels) == count and len(offsets) == count + 1, "its graph does not fit its vectors")
    if not count:
        return
    _require(len(parts) > 1 and parts[0] == 0 and bool((np.diff(parts) > 0).all()), "the levels of its graph are none")
    _require(levels.min() >= 1 and levels.max() < len(parts), "a row is on a level that there is not")
    ends_well = offsets[0] == 0 and offsets[-1] == len(neighbours)
    _require(ends_well and bool((np.diff(offsets) == parts[levels]).all()), "the parts of its graph do not fit")
    _require(neighbours.min() >= -1 and neighbours.max() < count, "its graph leads out of it")
    _require(0 <= hnsw.entry_point < count, "its graph begins outside of it")
    _require(0 <= hnsw.max_level == levels[hnsw.entry_point] - 1, "its graph begins on a level that there is not")
    for level in range(1, hnsw.max_level + 1):
        above = np.flatnonzero(levels > level)
        found = neighbours[offsets[above][:, None] + np.arange(parts[level], parts[level + 1])]
        _require(bool((levels[found[found >= 0]] > level).all()), "its graph leads to a level that there is not")


def _array(vector: Any) -> NDArray[Any]:
    """Look at a vector of C++ without copying it."""
    size = vector.size()
    found: NDArray[Any] = faiss.rev_swig_ptr(vector.data(), size) if size else np.empty(0, np.int64)
    return found


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
