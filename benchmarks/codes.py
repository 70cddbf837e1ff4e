"""Codes that inverted lists may hold, compared on real vectors: bytes, time, and the recall that is left to score.

    python -m benchmarks.codes FOLDER [--probed 0.08]

FOLDER keeps the real vectors, as for `benchmarks.scale`. All have the same centroids and look at the same share of the
lists. "of 30" is the recall@10 when the 30 best by their codes are scored by their float16 values. Times are one
thread's on the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks import machine
from benchmarks.drawn_vectors import queries, real

SCORED = (30, 100, 300)
_IP = faiss.METRIC_INNER_PRODUCT

Make = Callable[[Any, int, int], Any]
CODES: dict[str, Make] = {
    "RaBitQ, 1 bit": lambda centroids, d, lists: faiss.IndexIVFRaBitQ(centroids, d, lists, _IP),
    "the same, FastScan": lambda centroids, d, lists: faiss.IndexIVFRaBitQFastScan(centroids, d, lists, _IP),
    "RaBitQ, 2 bits": lambda centroids, d, lists: faiss.IndexIVFRaBitQ(centroids, d, lists, _IP, True, 2),
    "RaBitQ, 4 bits": lambda centroids, d, lists: faiss.IndexIVFRaBitQ(centroids, d, lists, _IP, True, 4),
    "PQ, 96 of 4 bits, FastScan": lambda centroids, d, lists: faiss.IndexIVFPQFastScan(centroids, d, lists, 96, 4, _IP),
    "scalar, 4 bits": lambda centroids, d, lists: faiss.IndexIVFScalarQuantizer(
        centroids, d, lists, faiss.ScalarQuantizer.QT_4bit, _IP
    ),
    "scalar, 8 bits": lambda centroids, d, lists: faiss.IndexIVFScalarQuantizer(
        centroids, d, lists, faiss.ScalarQuantizer.QT_8bit, _IP
    ),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--probed", type=float, default=0.08)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    vectors, asked = real(arguments.folder / "real"), queries(arguments.folder / "real", 200)
    count, dimension = vectors.shape
    halves = vectors.astype(np.float16)
    tenth = np.partition(halves.astype(np.float32) @ asked.T, count - 10, axis=0)[count - 10]
    lists = int(count**0.5)
    centroids = faiss.IndexFlatIP(dimension)
    training = faiss.ClusteringParameters()
    training.spherical, training.niter = True, 10
    faiss.Clustering(dimension, lists, training).train(vectors[: 64 * lists], centroids)
    rows = []
    for name, make in CODES.items():
        index = make(centroids, dimension, lists)
        started = time.thread_time()
        index.train(vectors[: 64 * lists])
        index.add(vectors)
        built = time.thread_time() - started
        index.nprobe = round(arguments.probed * lists)
        recalled, times = [], []
        for scored in SCORED:
            right = 0
            for query, least in zip(asked, tenth, strict=True):
                started = time.thread_time()
                _, found = index.search(query[None], scored)
                times.append(time.thread_time() - started)
                scores = halves[found[0][found[0] >= 0]].astype(np.float32) @ query
                right += int(min(10, np.count_nonzero(scores >= least - 1e-6)))
            recalled.append(right / (10 * len(asked)))
        per_code = np.median(times) / (arguments.probed * count)
        rows.append(
            (name, index.code_size, f"{built:.1f} s", f"{1e9 * per_code:.0f} ns", *(f"{one:.3f}" for one in recalled))
        )
    print(f"{count:,} vectors, {lists} lists, {arguments.probed:.0%} looked at; {machine.description()}\n")
    print(machine.table(("codes", "bytes", "built in", "a code", *(f"of {one}" for one in SCORED)), rows))


if __name__ == "__main__":
    main()
