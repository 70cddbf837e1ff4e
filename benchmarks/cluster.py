"""Indexing on a Ray cluster: passages a second with each worker more, and where it saturates.

The reference is a process on one core that indexes the same files. On the cluster the CPU time of who writes and of who
works is counted apart: where the writer's core is full, no worker more helps. That this is so is seen where the writer
is given recorded documents and vectors of no meaning as fast as it asks for them, without Ray.

Run: python -m benchmarks.cluster [ABSTRACTS] [OF_A_FILE]
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil

from benchmarks import corpus, machine
from quarry.api import Library
from quarry.indexer.cluster import table
from quarry.indexer.cluster.base import Blocks, Cluster, Pending
from quarry.indexer.cluster.messages import pack_vectors, unpack_embedding
from quarry.indexer.cluster.on_ray import RayCluster

_WARM = 100  # documents that are indexed before the clock starts: workers have their models then
_DIMENSION = 384
T = TypeVar("T")
_ASKED = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Run:
    """Seconds of a run, and of which processes; bytes that crossed."""

    passages: int
    wall: float
    writer: float
    workers: float = 0.0
    ray: float = 0.0
    sent: int = 0
    came: int = 0


class Recorded:
    """A cluster that keeps what comes of jobs of reading."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.described, self.ready, self.close = cluster.described, cluster.ready, cluster.close
        self.blocks: dict[bytes, list[bytes]] = {}
        self.sent = self.came = 0

    @property
    def workers(self) -> int:
        return self._cluster.workers

    def read(self, job: bytes) -> Blocks:
        stream = self._cluster.read(job)
        blocks = self.blocks[job] = []
        self.sent += len(job)
        take = stream.take

        def kept() -> bytes | None:
            if (block := take()) is not None:
                blocks.append(block)
                self.came += len(block)
            return block

        stream.take = kept  # type: ignore[method-assign]
        return stream

    def embed(self, job: bytes) -> Pending:
        answer = self._cluster.embed(job)
        self.sent += len(job)
        take = answer.take

        def counted() -> bytes:
            made = take()
            self.came += len(made)
            return made

        answer.take = counted  # type: ignore[method-assign]
        return answer


class Instant:
    """A cluster of any size that has done everything before it is asked."""

    described = "what was recorded"
    workers = 64

    def __init__(self, blocks: dict[bytes, list[bytes]]) -> None:
        self._blocks = blocks
        self._random = np.random.default_rng(0)

    def read(self, job: bytes) -> Blocks:
        return _Blocks([*self._blocks[job]])

    def ready(self, streams: Sequence[Blocks], seconds: float) -> Sequence[Blocks]:
        return streams[:1]

    def embed(self, job: bytes) -> Pending:
        vectors = self._random.standard_normal((len(unpack_embedding(job).things), _DIMENSION), np.float32)
        return _Made(pack_vectors((vectors / np.linalg.norm(vectors, axis=1, keepdims=True), {})))

    def close(self) -> None:
        pass


class _Blocks:
    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = blocks[::-1]

    def take(self) -> bytes | None:
        return self._blocks.pop() if self._blocks else None


@dataclass
class _Made:
    made: bytes

    def take(self) -> bytes:
        return self.made


def main(count: int = 800, together: int = 1) -> None:
    """Print the runs, and the model that they give; files have so many abstracts each."""
    texts = [text for text in corpus.abstracts() if len(text) > 200]
    texts = texts[:: max(1, len(texts) // (count + _WARM))][: count + _WARM]
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        warm, source = Path(folder, "warm"), Path(folder, "source")
        for place, some in ((warm, texts[:_WARM]), (source, texts[_WARM:])):
            place.mkdir()
            for number in range(0, len(some), together):
                (place / f"{number}.txt").write_text("\n\n".join(some[number : number + together]), "utf-8")
        alone = _in_child(_alone, folder)
        runs = {workers: _in_child(_spread, folder, workers) for workers in (1, 2)}
    limit = runs[2][1]
    rows = [_row("one process, one core", alone, alone)]
    rows += [_row(f"Ray, {workers} worker{'s' * (workers > 1)}", run, alone) for workers, (run, _) in runs.items()]
    rows.append(_row("the writer alone, fed with what was recorded", limit, alone))
    print(f"{count:,} abstracts, {together} a file, {alone.passages:,} passages; {machine.description()}\n")
    head = ("", "passages/s", "of the reference", "CPU ms a passage: writer", "workers", "Ray itself")
    print(machine.table(head, rows))
    run = runs[2][0]
    work, write = run.workers / run.passages, run.writer / run.passages
    print(
        f"\nTo the workers {run.sent / run.passages:,.0f} bytes a passage, back {run.came / run.passages:,.0f}. "
        f"Model: n workers, each on a core of its own as these are, do min(n / {work * 1e3:.1f} ms, "
        f"1 / {write * 1e3:.2f} ms); the writer is full from {work / write:.0f} on.\n"
    )
    print(machine.table(("workers", "passages/s"), [(n, f"{min(n / work, 1 / write):,.0f}") for n in _ASKED]))


def _row(name: str, run: Run, reference: Run) -> tuple[str, ...]:
    rate = run.passages / run.wall
    each = [f"{seconds / run.passages * 1e3:.2f}" for seconds in (run.writer, run.workers, run.ray)]
    return name, f"{rate:.0f}", f"{rate * reference.wall / reference.passages:.2f}x", *each


def _alone(folder: str) -> Run:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with Library(Path(folder, "alone")) as library:
        library.index(Path(folder, "warm"))
        before = _own()
        started = time.perf_counter()
        report = library.index(Path(folder, "source"))
        return Run(report.passages, time.perf_counter() - started, _own() - before)


def _spread(folder: str, workers: int) -> tuple[Run, Run]:
    """Index on so many workers, then give the writer what came once more."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex()}
    import ray

    ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    source = Path(folder, "source")
    with Library(Path(folder, f"spread{workers}")) as library:
        library.index(Path(folder, "warm"), on="ray")
        recorded = Recorded(RayCluster())
        table.backend = lambda on: lambda: recorded  # type: ignore[assignment]
        before, others = _own(), _others()
        started = time.perf_counter()
        report = library.index(source, on="ray")
        wall = time.perf_counter() - started
        spent = [after - then for after, then in zip(_others(), others, strict=True)]
        run = Run(report.passages, wall, _own() - before, *spent, recorded.sent, recorded.came)
    ray.shutdown()
    with Library(Path(folder, f"instant{workers}")) as library:
        table.backend = lambda on: lambda: Instant(recorded.blocks)  # type: ignore[assignment]
        library.opened.writer(create=True)
        before = _own()
        started = time.perf_counter()
        report = library.index(source, on="ray")
        return run, Run(report.passages, time.perf_counter() - started, _own() - before)


def _own() -> float:
    return time.process_time()


def _others() -> tuple[float, float]:
    """Return the CPU seconds of workers, with the children that parse, and of what else Ray has started."""
    seconds = {True: 0.0, False: 0.0}
    workers: set[int] = set()
    for one in psutil.Process().children(recursive=True):  # parents come before their children
        with suppress(psutil.NoSuchProcess):
            title = one.cmdline()[:1] or [""]
            if one.ppid() in workers or title[0].strip() in ("ray::read", "ray::embed", "ray::IDLE"):
                workers.add(one.pid)
            times = one.cpu_times()
            seconds[one.pid in workers] += times.user + times.system
    return seconds[True], seconds[False]


def _in_child(run: Callable[..., T], *arguments: object) -> T:
    """Run in a process of its own, that begins with nothing loaded."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, arguments)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
