"""What a passage takes, measured, and what a billion of them would: the tables of the plan in `docs/scale.md`.

    python -m benchmarks.billion FOLDER

FOLDER has the results of `benchmarks.scale`. A library of the abstracts is made in it, whose vectors are random, so
that time and bytes are those of all else; embedding is measured by itself. Seconds are of the processor, of all
processes together. A shard is ten million passages; where the largest segment that was measured has fewer, its bytes
and memory are taken for proportional to the vectors, and the time to search it, or to put one vector into it, to their
square root: so many lists there are, and as many rows are looked at.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus, machine
from quarry.api.library import Library, Text

PASSAGES = 1_000_000_000
SHARD = 10_000_000
COPIES = 2  # of each shard, on different machines
HOURS = 730  # a month
ON_DISK = 2.0  # GB of memory for a shard, beside what its process holds, to keep of its files what is asked for most
EMBEDDED = 600


@dataclass(frozen=True)
class Machine:
    """A machine to rent: Amazon EC2's list price on demand, us-east-1, Linux, as it stood early in 2025."""

    name: str
    cores: int  # virtual ones
    memory_gb: float
    disk_gb: float
    network_gbit: float  # what it has always, not in bursts
    dollars: float  # an hour


RENTED = Machine("i4i.xlarge", 4, 32 * 1.074, 937, 1.875, 0.343)


def measure(folder: Path) -> dict[str, float]:
    """Index the abstracts with random vectors; return bytes and seconds of a passage."""
    texts = list(corpus.abstracts())
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=folder) as made, Library(Path(made, "library")) as library:
        library.add(Text("The first one."))
        encoder = library.searcher.encoder()
        chosen = [texts[at] for at in rng.choice(len(texts), EMBEDDED, replace=False)]
        encoder.encode_documents(chosen[:50])
        started = time.process_time()
        encoder.encode_documents(chosen)
        embedding = (time.process_time() - started) / EMBEDDED

        def random_vectors(asked: Sequence[str]) -> np.ndarray:
            vectors = rng.standard_normal((len(asked), encoder.dimension)).astype(np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        encoder.encode_documents = random_vectors  # type: ignore[method-assign]
        source = Path(made, "documents.jsonl")
        source.write_text("\n".join(json.dumps({"text": text}) for text in texts), "utf-8")
        before = _cpu()
        passages = library.index(source).passages
        library.compact()
        indexing = (_cpu() - before) / passages
        root = Path(made, "library")
        return {
            "passages": passages,
            "characters": sum(map(len, texts)) / passages,
            "embedding_s": embedding,
            "indexing_s": indexing,
            "catalog": sum(path.stat().st_size for path in root.glob("catalog.db*")) / passages,
            "lexical": _size(root / "lexical") / passages,
        }


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def slowest(times: NDArray[np.float64], shards: int, share: float) -> float:
    """Return the time within which all of `shards` have answered, in `share` of the queries, if each is as measured.

    All are within t in P(t)^n of the queries, so it is the quantile share^(1/n) of one.
    """
    return float(np.quantile(times, share ** (1 / shards), method="inverted_cdf"))


def plan(cost: dict[str, float], measured: dict[str, Any]) -> str:
    """Return the tables."""
    shards = PASSAGES // SHARD
    larger = SHARD / measured["count"]
    parts = {
        "catalog": cost["catalog"],
        "words": cost["lexical"],
        "vectors": measured["file"]["bytes"] / measured["count"],
    }
    building = measured["build_cpu_s"] / measured["count"] * larger**0.5
    seconds = {"embedding": cost["embedding_s"], "all else": cost["indexing_s"], "vector segment": building}
    each, took = sum(parts.values()), sum(seconds.values())
    times = np.array(measured["times"]) * larger**0.5
    held = {"in memory": parts["vectors"] * SHARD / 1e9, "on disk": measured["memory"] * larger / 1e9 + ON_DISK}
    return "\n\n".join(
        (
            machine.table(
                ("bytes", "a passage", "a shard", "a billion"),
                [
                    (name, f"{size:,.0f}", f"{size * SHARD / 1e9:,.1f} GB", f"{size * PASSAGES / 1e12:,.2f} TB")
                    for name, size in (*parts.items(), ("together", each))
                ],
            ),
            machine.table(
                ("seconds of a core", "a passage", "a shard", "a billion"),
                [
                    (name, f"{1e3 * one:.2f} ms", f"{one * SHARD / 3600:,.1f} h", f"{one * PASSAGES / 86400:,.0f} days")
                    for name, one in (*seconds.items(), ("together", took))
                ],
            ),
            machine.table(
                (
                    *("vectors", "memory of a shard", "shards on a machine", "machines", "a month", "to index all"),
                    *("to embed all anew", "to copy a lost machine's", "to check and open them"),
                ),
                [_machines(name, gb, each, took, cost["embedding_s"], measured) for name, gb in held.items()],
            ),
            machine.table(
                ("shards asked at once", "half of the queries within", "99% within"),
                [
                    (n, *(f"{slowest(times, n, share):.0f} ms" for share in (0.5, 0.99)))
                    for n in (1, 10, shards // 3, shards)
                ],
            ),
            f"{len(times):,} queries were measured over {measured['count']:,} vectors; "
            f"the slowest of them took {max(measured['times']):.1f} ms, which is {max(times):.0f} ms here.",
        )
    )


def _machines(
    name: str, memory_gb: float, each: float, took: float, embedding: float, measured: dict[str, Any]
) -> tuple[object, ...]:
    """Return a row: as many shards on a machine as its memory and its disk, each filled to four fifths, hold."""
    held = int(0.8 * min(RENTED.memory_gb / memory_gb, RENTED.disk_gb / (each * SHARD / 1e9)))
    machines = math.ceil(PASSAGES / SHARD / held) * COPIES
    cores = machines * RENTED.cores
    return (
        *(name, f"{memory_gb:.1f} GB", held, machines, f"${machines * RENTED.dollars * HOURS:,.0f}"),
        f"{took * PASSAGES / cores / 86400:.1f} days",
        f"{embedding * PASSAGES / cores / 86400:.1f} days",
        f"{held * each * SHARD * 8e-9 / RENTED.network_gbit / 60:,.0f} min",
        f"{held * measured['open_s'] * SHARD / measured['count']:,.0f} s",
    )


def main(folder: str) -> None:
    """Measure what was not measured yet, and print the tables."""
    kept = Path(folder, "passage.json")
    if not kept.exists():
        kept.write_text(json.dumps(measure(Path(folder))))
    cost = json.loads(kept.read_text())
    largest = max(
        (json.loads(path.read_text()) for path in Path(folder).glob("lists-*.json")), key=lambda one: one["count"]
    )
    print(machine.description() + "\n")
    print(", ".join(f"{name} {value:.4g}" for name, value in cost.items()) + "\n")
    print(plan(cost, largest))


if __name__ == "__main__":
    main(*sys.argv[1:])
