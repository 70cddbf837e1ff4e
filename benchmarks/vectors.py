"""Recall and time of vector search over 100,000 vectors, without and with filters, through one segment.

    python benchmarks/vectors.py [--vectors FILE.npz] [--queries 60]

Vectors are MiniLM's of image captions and questions where `QUARRY_TEST_DATA` is set (four minutes; kept in FILE), else
a synthetic set: 1,000 topics with a power-law spectrum, each vector its topic plus noise of the same spectrum.

Recall is against NumPy over the same float16 values. A filter allows a share of the vectors: at random, those nearest
to the query ("near"), or those farthest from it ("far"), which is where filtered graph search fails.
Times are one thread's CPU time, so that a busy machine does not change them much.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.exact import best
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import open_segment, write_segment
from quarry.search.types import Candidates, Vectors

COUNT, DIMENSION, QUERIES = 100_000, 384, 200
SHARES = (0.5, 0.2, 0.1, 0.01, 0.001)


def synthetic(count: int = COUNT, queries: int = QUERIES) -> tuple[Vectors, Vectors]:
    """Return (count, d) and (queries, d) unit vectors around topics of unequal size."""
    rng = np.random.default_rng(7)
    spectrum = np.arange(1, DIMENSION + 1) ** -0.5
    topics = rng.standard_normal((1_000, DIMENSION)) * spectrum
    weights = np.arange(1, 1_001) ** -0.5
    topic = rng.choice(1_000, count + queries, p=weights / weights.sum())
    vectors = (topics[topic] + rng.standard_normal((count + queries, DIMENSION)) * spectrum).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[:count], vectors[count:]


def real(data: Path, count: int = COUNT, queries: int = QUERIES) -> tuple[Vectors, Vectors]:
    """Return MiniLM's vectors of captions and questions, shuffled; the queries are the last of them."""
    from quarry.search.models.loading import load_text_encoder

    captions = [
        caption
        for line in (data / "flickr8k/captions.jsonl").open(encoding="utf-8")
        for caption in json.loads(line)["captions"]
    ]
    with gzip.open(data / "qa/train.jsonl.gz", "rt", encoding="utf-8") as lines:
        questions = [json.loads(line)["question"] for line in lines]
    texts = list(dict.fromkeys(captions + questions))
    np.random.default_rng(0).shuffle(texts)
    encoder = load_text_encoder("all-MiniLM-L6-v2", prepare=True)
    vectors = encoder.encode_documents(texts[: count + queries])
    return vectors[:count], vectors[count:]


def load(path: Path | None) -> tuple[Vectors, Vectors]:
    """Return vectors and queries from the file, or make them and keep them there."""
    if path is not None and path.exists():
        stored = np.load(path)
        return stored["vectors"].astype(np.float32), stored["queries"].astype(np.float32)
    data = os.environ.get("QUARRY_TEST_DATA")
    vectors, queries = real(Path(data)) if data else synthetic()
    if path is not None:
        np.savez(path, vectors=vectors.astype(np.float16), queries=queries)
    return vectors, queries


def measure(
    search: Callable[[Vectors, int, NDArray[np.bool_] | None], Candidates],
    values: Vectors,
    queries: Vectors,
    k: int,
    masks: Sequence[NDArray[np.bool_]] | None,
) -> tuple[float, float, float, float]:
    """Return recall@10 and its least, recall@k, and the median milliseconds. Ties count as found."""
    at_10, at_k, times = [], [], []
    ids = np.arange(len(values))
    for number, query in enumerate(queries):
        mask = None if masks is None else masks[number]
        start = time.thread_time()
        found = search(query, k, mask)
        times.append(1e3 * (time.thread_time() - start))
        scores = values @ query
        expected = best(ids, scores, k) if mask is None else best(ids[mask], scores[mask], k)
        assert len(found) == len(expected)
        at_10.append((found.scores[:10] >= expected.scores[:10][-1] - 1e-6).mean())
        at_k.append((found.scores >= expected.scores[-1] - 1e-6).mean())
    return float(np.mean(at_10)), min(at_10), float(np.mean(at_k)), float(np.median(times))


def masks_of(kind: str, share: float, values: Vectors, queries: Vectors) -> list[NDArray[np.bool_]]:
    """Return, for each query, which vectors are allowed."""
    allowed = int(share * len(values))
    masks = []
    for number, query in enumerate(queries):
        scores = values @ query
        rank = {"random": np.random.default_rng(number).random(len(values)), "near": -scores, "far": scores}[kind]
        masks.append(rank <= np.partition(rank, allowed - 1)[allowed - 1])
    return masks


def plain_filtered_graph(segment: Segment) -> Callable[[Vectors, int, NDArray[np.bool_] | None], Candidates]:
    """Return FAISS's own filtered HNSW search over the rows of a segment at efSearch 256, for comparison."""

    def search(query: Vectors, k: int, mask: NDArray[np.bool_] | None) -> Candidates:
        selector = None if mask is None else faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=256)
        scores, rows = segment.index.search(query[None], k, params=parameters)
        return Candidates(rows[0], np.where(rows[0] < 0, -np.inf, scores[0]).astype(np.float32))

    return search


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--queries", type=int, default=60)
    arguments = parser.parse_args()
    vectors, queries = load(arguments.vectors)
    queries = queries[: arguments.queries]
    faiss.omp_set_num_threads(1)

    start = time.perf_counter()
    threads = len(os.sched_getaffinity(0))
    built = Segment.build(np.arange(len(vectors)), vectors, threads=threads)
    print(f"build, {threads} threads: {time.perf_counter() - start:.1f} s; {len(built.values):,} distinct vectors")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        file = write_segment(built, Path(folder), "a.faiss", "benchmark")
        print(f"save: {1e3 * (time.perf_counter() - start):.0f} ms, {file.bytes / 1e6:.0f} MB")
        del built
        times = []
        for _ in range(5):
            start = time.perf_counter()
            segment = open_segment(Path(folder), file)
            times.append(1e3 * (time.perf_counter() - start))
        print(f"check and open: {min(times):.0f} ms")
        positions = np.sort(np.random.default_rng(0).choice(len(vectors), 200, replace=False))
        start = time.thread_time()
        for _ in range(100):
            segment.vectors(positions)
        print(f"200 vectors by id: {10 * (time.thread_time() - start):.2f} ms")

        values = vectors.astype(np.float16).astype(np.float32)
        print("\n| allowed | k | recall@10 | least | recall@k | ms |\n|---|---|---|---|---|---|")
        for k in (10, 200, 10_000):
            row = measure(segment.search, values, queries, k, None)
            print("| all | {:,} | {:.3f} | {:.1f} | {:.3f} | {:.2f} |".format(k, *row))
        for kind in ("random", "near", "far"):
            for share in SHARES:
                masks = masks_of(kind, share, values, queries)
                for k in (10, 200):
                    row = measure(segment.search, values, queries, min(k, int(share * len(values))), masks)
                    print("| {:g}% {} | {:,} | {:.3f} | {:.1f} | {:.3f} | {:.2f} |".format(100 * share, kind, k, *row))

        print("\nFAISS's filtered HNSW alone, efSearch 256, k 10:\n\n| allowed | recall@10 | ms |\n|---|---|---|")
        search, rows = plain_filtered_graph(segment), segment.values.astype(np.float32)
        for kind in ("random", "near", "far"):
            for share in SHARES:
                masks = masks_of(kind, share, rows, queries)
                recall, _, _, spent = measure(search, rows, queries, min(10, int(share * len(rows))), masks)
                print(f"| {100 * share:g}% {kind} | {recall:.3f} | {spent:.2f} |")


if __name__ == "__main__":
    main()
