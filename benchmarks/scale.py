"""One vector segment from 10,000 to 10,000,000 vectors: time, memory, bytes, latency and recall, with plots.

    python -m benchmarks.scale FOLDER [--sizes 10000 ...] [--queries 500]

FOLDER keeps the real vectors that others are drawn around (`benchmarks.drawn_vectors`), the segments, a result for each
size, and at last the plots. Each size is built by one process and searched by another. Memory is what a process holds
of its own, looked at fifty times a second; what it maps of files, the system takes back when it has to, so run all this
where memory is limited: a control group of 8 GB counts the file cache, too.

Recall is against NumPy over the same float16 values; ties count as found. Times are of the processor, so that a busy
machine does not change them much: of all threads for a build, without drawing the vectors, of the one thread for a
search. "cold" is by the clock, and the first time that a query is asked after the file was put out of the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks import curves, machine
from benchmarks.drawn_vectors import Cloud, queries, real
from quarry.search.engines.faiss import segment_writer
from quarry.search.engines.faiss.growing_segment import GrowingSegment
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import open_segment, saving, write_segment
from quarry.search.stores.rows.segment_rows import SegmentFile
from quarry.search.types import Vectors

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
LAYOUTS = {"flat-sqfp16-1": "scan", "hnsw32-sqfp16-1": "graph", "ivf-rabitq-sqfp16-1": "lists"}
SHARES = (0.5, 0.1, 0.01, 0.001)
FILTERED = 100  # queries with filters
_BLOCK = 1 << 15


class Memory(threading.Thread):
    """Looks at what this process holds of its own, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = self.now = _own_memory()
        self.start()

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            self.now = _own_memory()
            self.most = max(self.most, self.now)
            time.sleep(0.02)


def _own_memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


def build(folder: Path, count: int, layout: str) -> dict[str, Any]:
    """Write a segment of so many vectors; return what that took, without drawing them."""
    cloud = Cloud(real(folder / "real"), folder / "cloud.npz")
    threads = len(os.sched_getaffinity(0))
    drawing = 0.0
    memory = Memory()
    base = memory.now
    directory = folder / "segments"
    name = f"{layout}-{count}.faiss"
    (directory / name).unlink(missing_ok=True)
    started, cpu = time.perf_counter(), time.process_time()
    drawing_cpu = 0.0
    if layout == "lists":
        with saving(directory, name) as stream:
            growing = GrowingSegment(stream, cloud.vectors.shape[1])
            at = 0
            before = time.perf_counter(), time.process_time()
            for chunk in cloud.chunks(count):
                drawing += time.perf_counter() - before[0]
                drawing_cpu += time.process_time() - before[1]
                growing.append(np.arange(at, at + len(chunk)), chunk)
                at += len(chunk)
                before = time.perf_counter(), time.process_time()
            file = growing.finish(name, "benchmark", None, threads=threads)
    else:
        values = np.concatenate(list(cloud.chunks(count)))
        drawing, drawing_cpu = time.perf_counter() - started, time.process_time() - cpu
        segment = Segment.build(np.arange(count), values, threads=threads, graph=layout == "graph")
        file = write_segment(segment, directory, name, "benchmark")
    seconds, cpu = time.perf_counter() - started - drawing, time.process_time() - cpu - drawing_cpu
    described = {name: getattr(file, name) for name in SegmentFile.__slots__}
    return {
        "count": count,
        "layout": layout,
        "build_s": seconds,
        "build_cpu_s": cpu,
        "build_memory": memory.most - base,
        "dimension": cloud.dimension,
        "file": described,
    }


def truth(folder: Path, built: dict[str, Any], asked: int) -> dict[str, NDArray[np.float32]]:
    """Return the best scores of all queries, (queries, 200), and of some within each filter, best first."""
    segment = open_segment(folder / "segments", SegmentFile(**built["file"]))
    some = queries(folder / "real", asked)
    kept = {"": Best(len(some), 200), **{f"{share:g}": Best(FILTERED, 10) for share in SHARES}}
    masks = {}
    for share, mask in zip(SHARES, _masks(segment), strict=True):
        masks[f"{share:g}"] = np.zeros(len(segment.values), bool)
        masks[f"{share:g}"][segment.rows[mask]] = True
    for start in range(0, len(segment.values), _BLOCK):
        block = np.ascontiguousarray(segment.values[start : start + _BLOCK]).astype(np.float32)
        scores = some @ block.T
        kept[""].take(scores)
        for name, mask in masks.items():
            kept[name].take(scores[:FILTERED, mask[start : start + _BLOCK]])
    return {name: best.scores() for name, best in kept.items()}


class Best:
    """The best scores of each of some queries, among all that are taken."""

    def __init__(self, asked: int, k: int) -> None:
        self._k = k
        self._scores = np.full((asked, k), -np.inf, np.float32)

    def take(self, scores: NDArray[np.float32]) -> None:
        """Take in the (queries, n) scores of more vectors."""
        least = self._scores.min(axis=1)
        at, column = np.nonzero(scores > least[:, None])
        for query in np.unique(at):
            new = np.concatenate([self._scores[query], scores[query, column[at == query]]])
            self._scores[query] = np.partition(new, len(new) - self._k)[-self._k :]

    def scores(self) -> NDArray[np.float32]:
        """Return (queries, k) scores, best first."""
        return np.sort(self._scores, axis=1)[:, ::-1]


def _masks(segment: Segment) -> list[NDArray[np.bool_]]:
    rng = np.random.default_rng(1)
    return [rng.random(segment.count) < share for share in SHARES]


def search(folder: Path, built: dict[str, Any], asked: int) -> dict[str, Any]:
    """Open a segment and search it; return times, memory and recall."""
    faiss.omp_set_num_threads(1)
    file = SegmentFile(**built["file"])
    some, more = queries(folder / "real", asked), queries(folder / "real", 10_000)
    expected = np.load(_truth_of(folder, built))
    memory = Memory()
    base = memory.now
    started = time.perf_counter()
    segment = open_segment(folder / "segments", file)
    opened = time.perf_counter() - started
    with (folder / "segments" / file.name).open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    _, cold, _ = _timed(segment, some[:100], 10, None)
    _timed(segment, more, 10, None)
    result: dict[str, Any] = {"open_s": opened, "cold": _percentiles(cold)}
    for k in (10, 200):
        found, times, spent = _timed(segment, more if k == 10 else some, k, None)
        result[f"k{k}"], result[f"cpu{k}"] = _percentiles(times), _percentiles(spent)
        result[f"recall{k}"] = _recall(found[: len(some)], expected[""][:, :k])
        result.setdefault("times", [round(1e3 * one, 3) for one in spent])
    result["memory"] = memory.now - base
    for share, mask in zip(SHARES, _masks(segment), strict=True):
        found, _, spent = _timed(segment, some[:FILTERED], 10, mask)
        result[f"filter{share:g}"] = {**_percentiles(spent), "recall": _recall(found, expected[f"{share:g}"])}
    return result


def _timed(
    segment: Segment, some: Vectors, k: int, mask: NDArray[np.bool_] | None
) -> tuple[list[NDArray[np.float32]], list[float], list[float]]:
    """Return the scores, seconds by the clock and by the processor."""
    found, times, spent = [], [], []
    for query in some:
        started = time.perf_counter(), time.thread_time()
        found.append(segment.search(query, k, mask).scores)
        times.append(time.perf_counter() - started[0])
        spent.append(time.thread_time() - started[1])
    return found, times, spent


def _percentiles(times: list[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(np.asarray(times) * 1e3, [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}


def _recall(found: list[NDArray[np.float32]], expected: NDArray[np.float32]) -> float:
    each = [(one >= best[-1] - 1e-6).sum() / np.isfinite(best).sum() for one, best in zip(found, expected, strict=True)]
    return float(np.mean(each))


def _truth_of(folder: Path, built: dict[str, Any]) -> Path:
    return folder / f"truth-{built['layout']}-{built['count']}.npz"


def layouts_of(count: int) -> list[str]:
    """Return the layouts to measure at a size: what the engine takes there, and the other one where both can be."""
    if count < segment_writer.LISTS_FROM // 20:
        return ["graph" if count >= 20_000 else "scan"]
    return ["graph", "lists"] if count < segment_writer.LISTS_FROM else ["lists"]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--layout", choices=sorted(LAYOUTS.values()))
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)  # what a process of its own is started with
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if arguments.step:
        count, layout, step = int(arguments.step[0]), *arguments.step[1:]
        path = folder / f"{layout}-{count}.json"
        built = {} if step == "build" else json.loads(path.read_text())
        if step == "truth":
            np.savez(_truth_of(folder, built), **truth(folder, built, arguments.queries))
            return
        did = build(folder, count, layout) if step == "build" else search(folder, built, arguments.queries)
        path.write_text(json.dumps(built | did))
        return
    (folder / "segments").mkdir(parents=True, exist_ok=True)
    print(machine.description(), flush=True)
    for count in arguments.sizes:
        for layout in [arguments.layout] if arguments.layout else layouts_of(count):
            for step in ("build", "truth", "search"):
                started = [sys.executable, "-m", "benchmarks.scale", str(folder), "--queries", str(arguments.queries)]
                subprocess.run([*started, "--step", str(count), layout, step], check=True)
            print((folder / f"{layout}-{count}.json").read_text()[:2_000], flush=True)
            (folder / "segments" / f"{layout}-{count}.faiss").unlink()
    results = [json.loads(path.read_text()) for path in folder.glob("*-*.json")]
    print("\n" + tables(results))
    draw(results, folder)


def tables(results: list[dict[str, Any]]) -> str:
    """Return a table of all, and one of filters."""
    results = sorted(results, key=lambda one: (one["count"], one["layout"]))
    rows = [
        (
            f"{one['count']:,}",
            one["layout"],
            f"{one['build_cpu_s']:,.1f} s",
            f"{one['build_memory'] / 1e6:,.0f} MB",
            f"{one['file']['bytes'] / 1e6:,.0f} MB",
            f"{one['open_s']:.1f} s",
            f"{one['memory'] / 1e6:,.0f} MB",
            f"{one['cpu10']['p50']:.2f}, {one['cpu10']['p95']:.2f}",
            f"{one['cold']['p50']:.1f}, {one['cold']['p95']:.1f}",
            f"{one['recall10']:.3f}",
            f"{one['cpu200']['p50']:.2f}",
            f"{one['recall200']:.3f}",
        )
        for one in results
    ]
    head = (
        *("vectors", "layout", "build", "its memory", "on disk", "check and open", "memory"),
        *("p50, p95 in ms", "cold", "recall@10", "k=200, p50 in ms", "recall@200"),
    )
    filtered = [
        (f"{one['count']:,}", one["layout"], *(_filter_cell(one[f"filter{share:g}"]) for share in SHARES))
        for one in results
    ]
    return (
        machine.table(head, rows)
        + "\n\n"
        + machine.table(("vectors", "layout", *(f"{share:.1%} allowed" for share in SHARES)), filtered)
    )


def _filter_cell(one: dict[str, float]) -> str:
    return f"{one['p50']:.1f} ms, {one['recall']:.3f}"


def draw(results: list[dict[str, Any]], folder: Path) -> None:
    """Draw time, memory and recall against size."""

    def series(value: Any) -> dict[str, list[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = {}
        for one in sorted(results, key=lambda one: one["count"]):
            found.setdefault(one["layout"], []).append((one["count"], value(one)))
        return found

    curves.draw(
        {
            "build, seconds of a core": series(lambda one: one["build_cpu_s"]),
            "one search of ten, p50 in ms": series(lambda one: one["cpu10"]["p50"]),
        },
        folder / "scale-time.png",
    )
    curves.draw(
        {
            "memory of the build, MB": series(lambda one: one["build_memory"] / 1e6),
            "memory when open, MB": series(lambda one: max(one["memory"] / 1e6, 1)),
            "on disk, MB": series(lambda one: one["file"]["bytes"] / 1e6),
        },
        folder / "scale-memory.png",
    )
    curves.draw(
        {
            "recall@10": series(lambda one: one["recall10"]),
            "recall@200": series(lambda one: one["recall200"]),
        },
        folder / "scale-recall.png",
        bounds=(0.8, 1.0),
    )


if __name__ == "__main__":
    main()
