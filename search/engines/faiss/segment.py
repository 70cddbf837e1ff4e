"""One immutable set of chunk vectors: build and search.

A segment holds each distinct vector once, as a *row* of float16 values, because equal vectors make islands in an HNSW
graph that a search can't leave. From `GRAPH_FROM` rows on it has a graph (Malkov and Yashunin 2016) over the rows, and
one too large for memory has inverted lists instead, which take a twelfth of the values and are built eight times as
quickly.
Whatever leads to a row, its score is computed with the same code from the same values, so it never depends on the path.
"""

from __future__ import annotations

import hashlib
import mmap
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.exact import check_query, check_vectors
from quarry.search.engines.faiss import paging
from quarry.search.engines.faiss.lists import Lists
from quarry.search.types import Candidates, Ids, Vectors

GRAPH_FROM = 20_000
GRAPH_FORMAT = "hnsw32-sqfp16-1"
FLAT_FORMAT = "flat-sqfp16-1"
LISTS_FORMAT = "ivf-rabitq-sqfp16-1"

_LINKS = 32
_BUILD_EFFORT = 40  # efConstruction
_LEAST_EFFORT = 192  # efSearch
# A graph search is trusted for this share of the rows it ends with: the nearest of them. The farthest are where it
# misses most.
_TRUSTED = 2 / 3
# How many rows a scan passes while the graph takes one step of effort, with a selector and without.
_SCANNED_PER_EFFORT, _SCANNED_PER_EFFORT_UNFILTERED = 45, 85
_BATCH = 8_192
# Of inverted lists: how many rows are scored by their values at first, and by how much the last of the wanted ones must
# be better than the estimate of the first that was not scored, in deviations of estimates from scores.
_SCORED, _SCORED_PER_K = 32, 2
_DEVIATIONS = 2.0
_SPARSE = 1_024  # one row of so many is allowed: reading on from each would read what is not wanted

_thread = threading.local()


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Chunk ids and their vectors, searchable from many threads at once.

    Args:
        ids: (n,) ascending.
        rows: (n,) int32, the row of each id's vector.
        values: (r, d) float16, the distinct vectors, in the order of their smallest ids.
        index: the FAISS index over the rows.
        storage: the index that scans them; `index` itself where there is no graph.
        postings: (starts (r + 1,), positions (n,)) of the ids of each row; None where every row has one id.
        owner: the memory map that `values`, `index` and `lists` point into, None where they own their memory.
        lists: the rows by their nearest centroids, None where there is a graph or a scan is quick enough.
    """

    ids: Ids
    rows: NDArray[np.int32]
    values: NDArray[np.float16]
    index: Any
    storage: Any
    postings: tuple[NDArray[np.int64], NDArray[np.int64]] | None
    owner: mmap.mmap | None = None
    lists: Lists | None = None

    @classmethod
    def build(cls, ids: Ids, vectors: NDArray[np.floating], *, threads: int = 1, graph: bool | None = None) -> Segment:
        """Build from ascending (n,) ids and (n, d) vectors, which are rounded to float16.

        `graph` None makes one from `GRAPH_FROM` rows on. Takes, beyond its arguments, once their size in float16 and
        half as much again for a graph.

        Raises:
            ValueError: shapes differ, ids do not ascend, or a vector is not finite.
        """
        dimension = vectors.shape[1]
        halves = check_vectors(ids, vectors, dimension)
        first, rows = _distinct(halves)
        index = _empty_index(dimension, len(first), graph=len(first) >= GRAPH_FROM if graph is None else graph)
        with _threads(threads):
            for start in range(0, len(first), _BATCH):
                index.add(halves[first[start : start + _BATCH]].astype(np.float32))
        return cls.over(ids, rows, index)

    @classmethod
    def over(
        cls,
        ids: Ids,
        rows: NDArray[np.int32],
        index: Any,
        owner: mmap.mmap | None = None,
        lists: Lists | None = None,
    ) -> Segment:
        """Make the segment of an index that is there, such as one within a memory map."""
        storage = faiss.downcast_index(index.storage) if isinstance(index, faiss.IndexHNSW) else index
        count = index.ntotal
        values = np.empty((0, index.d), np.float16)
        if count:
            codes: NDArray[np.uint8] = faiss.rev_swig_ptr(storage.codes.data(), count * storage.code_size)
            values = codes.view(np.float16).reshape(count, index.d)
        postings = None
        if count < len(ids):
            starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
            postings = starts, np.argsort(rows, kind="stable")
        return cls(ids, rows, values, index, storage, postings, owner, lists)

    @property
    def count(self) -> int:
        """How many ids there are."""
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return int(self.values.shape[1])

    @property
    def format(self) -> str:
        """Name of the layout that is saved."""
        if self.lists is not None:
            return LISTS_FORMAT
        return FLAT_FORMAT if self.storage is self.index else GRAPH_FORMAT

    def members(self, wanted: Ids) -> NDArray[np.bool_]:
        """Return an (n,) mask of the ids that are among the sorted `wanted`."""
        mask = np.zeros(self.count, bool)
        if not self.count:
            return mask
        low, high = int(self.ids[0]), int(self.ids[-1])
        wanted = wanted[np.searchsorted(wanted, low) : np.searchsorted(wanted, high, side="right")]
        if high - low < 16 * self.count:  # ids are dense: a table is ten times faster than bisection
            table = np.zeros(high - low + 1, bool)
            table[wanted - low] = True
            return table[self.ids - low]
        at = np.searchsorted(self.ids, wanted)
        mask[at[self.ids[at] == wanted]] = True
        return mask

    def vectors(self, positions: NDArray[np.int64]) -> Vectors:
        """Return the (m, d) float32 vectors of the ids at `positions`."""
        return self.values[self.rows[positions]].astype(np.float32)

    def search(self, query: Vectors, k: int, mask: NDArray[np.bool_] | None = None) -> Candidates:
        """Find the k ids nearest to one (d,) query among those that the (n,) mask allows.

        Uses the graph or the lists where that is cheaper than a scan and their answer can be trusted, whatever the mask
        has to do with the query: in a graph, the k allowed rows must lie well within what the search explored.
        Otherwise scans.
        """
        check_query(query, self.dimension)
        chosen = None if mask is None else self._row_mask(mask)
        available = len(self.values) if chosen is None else int(np.count_nonzero(chosen))
        k = min(k, self.count if mask is None else int(np.count_nonzero(mask)))
        if k <= 0:
            return Candidates.empty()
        _search_on_one_thread()
        row = np.ascontiguousarray(query, np.float32).reshape(1, -1)
        wanted = min(k, available)
        found = None
        if self.lists is not None:
            found = self._look_up(self.lists, row, wanted, available, chosen)
        elif effort := self._effort(wanted, available, filtered=chosen is not None):
            found = self._walk(row, wanted, effort, chosen)
        rows, scores = found or self._scan(row, wanted, available, chosen)
        return self._candidates(rows, scores, k, mask)

    def _effort(self, k: int, available: int, *, filtered: bool) -> int:
        """Return the efSearch with which the graph should yield k trusted rows, 0 where a scan is cheaper."""
        if self.storage is self.index:
            return 0
        steps = k / _TRUSTED
        if filtered:
            steps *= 1.25 * len(self.values) / available
        effort = max(_LEAST_EFFORT, int(np.ceil(steps)))
        cost = effort * (_SCANNED_PER_EFFORT if filtered else _SCANNED_PER_EFFORT_UNFILTERED)
        return effort if cost <= available else 0

    def _walk(
        self, query: Vectors, k: int, effort: int, chosen: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Search the graph; None where fewer than k allowed rows are within what can be trusted."""
        reach = max(k, int(effort * _TRUSTED))
        scores, rows = self.index.search(query, reach, params=faiss.SearchParametersHNSW(efSearch=effort))
        scores, rows = scores[0], rows[0]
        kept = rows >= 0
        if chosen is not None:
            kept &= chosen[rows]
        if np.count_nonzero(kept) < k:
            return None
        return rows[kept], scores[kept]

    def _look_up(
        self, lists: Lists, query: Vectors, k: int, available: int, chosen: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Score the rows that the lists put first; None where k of them are not surely the nearest."""
        near = lists.near(query, k, chosen)
        depth = _SCORED + _SCORED_PER_K * k
        while near is not None and depth <= available // 8:
            rows, estimates = lists.estimated(query, depth, near, chosen)
            scores = self._scores(query, rows)
            if len(rows) < depth:
                return rows, scores
            margin = np.partition(scores, len(scores) - k)[len(scores) - k] - estimates[-1]
            if margin >= _DEVIATIONS * (scores - estimates).std():
                return rows, scores
            depth *= 2
        return None

    def _scores(self, query: Vectors, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score some rows as a scan of all would."""
        if self.owner is not None:
            paging.want(self.owner, self.values, rows)
        some = _empty_index(self.dimension, len(rows), graph=False)
        some.add_sa_codes(self.values[rows].view(np.uint8))
        found, at = some.search(query, len(rows))
        scores = np.empty(len(rows), np.float32)
        scores[at[0]] = found[0]
        return scores

    def _scan(
        self, query: Vectors, k: int, available: int, chosen: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score every allowed row; return the k best and all that tie with the last of them."""
        parameters = None
        if chosen is not None:
            packed = np.packbits(chosen, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(packed))
        depth = min(k + 1, available)
        with self._reading(available, chosen):
            while True:
                scores, rows = self.storage.search(query, depth, params=parameters)
                scores, rows = scores[0], rows[0]
                if depth == available or scores[-1] < scores[k - 1]:
                    return rows, scores
                depth = min(2 * depth, available)

    def _reading(self, available: int, chosen: NDArray[np.bool_] | None) -> AbstractContextManager[None]:
        """Have the values that a scan will look at read from the disk in good time."""
        if self.lists is None or self.owner is None:
            return nullcontext()
        if chosen is not None and available * _SPARSE <= len(self.values):
            paging.want(self.owner, self.values, np.flatnonzero(chosen))
            return nullcontext()
        return paging.read_ahead(self.owner)

    def _row_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if self.postings is None:
            return mask
        chosen = np.zeros(len(self.values), bool)
        chosen[self.rows[mask]] = True
        return chosen

    def _candidates(
        self, rows: NDArray[np.int64], scores: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None
    ) -> Candidates:
        positions = rows
        if self.postings is not None:
            starts, by_row = self.postings
            lengths = starts[rows + 1] - starts[rows]
            offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            positions = by_row[np.repeat(starts[rows], lengths) + offsets]
            scores = np.repeat(scores, lengths)
            if mask is not None:
                kept = mask[positions]
                positions, scores = positions[kept], scores[kept]
        ids = self.ids[positions]
        order = np.lexsort((ids, -scores))[:k]
        return Candidates(ids[order], scores[order])


def _distinct(halves: NDArray[np.float16]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the position of each distinct vector's first copy, and the row of each vector."""
    seen: dict[bytes, int] = {}
    rows = np.fromiter(
        (seen.setdefault(hashlib.blake2b(vector, digest_size=16).digest(), len(seen)) for vector in halves),
        np.int32,
        len(halves),
    )
    first = np.full(len(seen), -1, np.int64)
    first[rows[::-1]] = np.arange(len(halves))[::-1]  # of several writes to one place, the last stays
    return first, rows


def _empty_index(dimension: int, capacity: int, *, graph: bool) -> Any:
    kind, metric = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    if not graph:
        return faiss.IndexScalarQuantizer(dimension, kind, metric)
    index = faiss.IndexHNSWSQ(dimension, kind, _LINKS, metric)
    index.hnsw.efConstruction = _BUILD_EFFORT
    index.is_trained = True  # float16 has nothing to learn
    # A vector that grows by doubling would hold everything twice at its worst moment.
    _reserve(faiss.downcast_index(index.storage).codes, capacity * dimension * 2)
    _reserve(index.hnsw.neighbors, capacity * (2 * _LINKS + 3))
    return index


def _reserve(vector: Any, capacity: int) -> None:
    vector.resize(capacity)
    vector.resize(0)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(1)


def _search_on_one_thread() -> None:
    """Keep OpenMP out of a search: waking a team costs more than the search, and the setting is per thread."""
    if not getattr(_thread, "single", False):
        faiss.omp_set_num_threads(1)
        _thread.single = True
