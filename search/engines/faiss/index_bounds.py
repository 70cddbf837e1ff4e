"""Whether a FAISS index that was read leads anywhere but into itself.

FAISS believes much of what it reads: a graph that names a place it does not have is followed into whatever lies there
in memory. A checksum tells damage, and not what was made to do harm, in a library that comes from a stranger.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.faiss.segment import FLAT_FORMAT, GRAPH_FORMAT

KINDS = {GRAPH_FORMAT: b"IHNs", FLAT_FORMAT: b"IxSQ"}  # how FAISS marks the two kinds of index that there are here


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
