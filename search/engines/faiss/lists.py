"""Which rows of a segment lie near which centroid, each with a code of one bit a number: what a graph is too dear for.

An inverted file (Jégou, Douze and Schmid 2011) whose codes are RaBitQ's (Gao and Long 2024): an estimate of a row's
inner product that is right on average. Who wants the nearest rows scores by their values what the codes put first,
and the errors that are seen so tell how many that must be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from quarry.search.types import Vectors

PROBED = 64  # lists of a mean length, of as many lists as the square root of the rows
_PROBED_PER_K = 24  # rows that are looked at for each that is wanted
_TRAINED_ON = 64  # rows for each centroid
_ITERATIONS = 10
_BATCH = 1 << 14
# Rows passed on the way to those that are allowed, by what chance would have; beyond that a filter leaves out just what
# is near the query, and the nearest of what it allows may lie in any list.
_PASSED = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Rows by the centroid that each is nearest to.

    Args:
        index: FAISS's inverted file, which names rows by number.
        centroids: (l, d) unit vectors.
        list_of: (r,) the list that a row is in.
        sizes: (l,) how many rows a list has.
    """

    index: Any
    centroids: Vectors
    list_of: NDArray[np.int32]
    sizes: NDArray[np.int64]

    @classmethod
    def build(cls, values: NDArray[np.float16]) -> Lists:
        """Train centroids on a sample of (r, d) unit vectors, and take in all; these may be mapped, and are not kept.

        Takes 1/12 of the size of the values, and the sample.
        """
        count, dimension = values.shape
        lists = max(1, int(count**0.5))
        chosen = np.linspace(0, count - 1, min(count, _TRAINED_ON * lists)).astype(np.int64)
        training = faiss.ClusteringParameters()
        training.niter, training.spherical, training.min_points_per_centroid = _ITERATIONS, True, 1
        training.max_points_per_centroid = _TRAINED_ON
        quantizer = faiss.IndexFlatIP(dimension)
        faiss.Clustering(dimension, lists, training).train(values[chosen].astype(np.float32), quantizer)
        index = empty_lists(quantizer.reconstruct_n(0, lists))
        for start in range(0, count, _BATCH):
            index.add(values[start : start + _BATCH].astype(np.float32))
        return cls.over(index)

    @classmethod
    def over(cls, index: Any) -> Lists:
        """Make the lists of an index that is there, such as one within a memory map."""
        centroids = faiss.downcast_index(index.quantizer).reconstruct_n(0, index.nlist)
        list_of = np.empty(index.ntotal, np.int32)
        for number in range(index.nlist):
            list_of[rows_of(index, number)] = number
        return cls(index, centroids, list_of, np.bincount(list_of, minlength=index.nlist))

    def near(self, query: Vectors, k: int, chosen: NDArray[np.bool_] | None) -> NDArray[np.int64] | None:
        """Choose the lists that the k nearest of the chosen rows should be in; None where they may be in any.

        Args:
            query: (1, d)
            chosen: (r,) mask, None for all rows.
        """
        allowed = self.sizes
        if chosen is not None:
            allowed = np.bincount(self.list_of[chosen], minlength=len(self.sizes))
        available = int(allowed.sum())
        wanted = max(PROBED * available**0.5, _PROBED_PER_K * k)
        if 4 * wanted > available:
            return None  # a scan looks at little more, and misses nothing
        order = np.argsort(-(self.centroids @ query[0]))
        last = int(np.searchsorted(np.cumsum(allowed[order]), wanted))
        nearest = order[: last + 1]
        if self.sizes[nearest].sum() > _PASSED * allowed[nearest].sum() * len(self.list_of) / available:
            return None
        return nearest[allowed[nearest] > 0]

    def estimated(
        self, query: Vectors, depth: int, lists: NDArray[np.int64], chosen: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of some lists whose estimates are highest, at most `depth`, best first, and the estimates."""
        scores, rows = np.empty(depth, np.float32), np.empty(depth, np.int64)
        selector = None if chosen is None else faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
        parameters = faiss.IVFSearchParameters(nprobe=len(lists), sel=selector)
        to_centroids = self.centroids[lists] @ query[0]
        x, keys, nearness, out, labels = map(faiss.swig_ptr, (query, lists, to_centroids, scores, rows))
        self.index.search_preassigned_c(1, x, depth, keys, nearness, out, labels, False, parameters)
        found = rows >= 0
        return rows[found], scores[found]


def empty_lists(centroids: Vectors) -> Any:
    """Return FAISS's inverted file of (l, d) centroids."""
    count, dimension = centroids.shape
    quantizer = faiss.IndexFlatIP(dimension)
    quantizer.add(centroids)
    index = faiss.IndexIVFRaBitQ(quantizer, dimension, count, faiss.METRIC_INNER_PRODUCT)
    index.train(centroids[:1])  # the codes have nothing to learn
    return index


def rows_of(index: Any, number: int) -> NDArray[np.int64]:
    """Look at the rows of one list without copying them."""
    size = index.invlists.list_size(number)
    found: NDArray[np.int64] = (
        faiss.rev_swig_ptr(index.invlists.get_ids(number), size) if size else np.empty(0, np.int64)
    )
    return found
