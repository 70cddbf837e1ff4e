"""What a passage takes, measured, and what a billion of them would: the tables of the plan in `docs/scale.md`.

    python -m benchmarks.billion FOLDER

FOLDER has the results of `benchmarks.scale`, of which the largest is a shard here. A library of the abstracts is made
in it, whose vectors are random, so that time and bytes are those of all else; embedding is measured by itself. Seconds
are of the processor, of all processes together.
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

from benchmarks import corpus, machine
from quarry.api.library import Library, Text

PASSAGES = 1_000_000_000
COPIES = 2  # of each shard, on different machines
HOURS = 730  # a month
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


def slowest(times: Sequence[float], shards: int, share: float) -> float:
    """Return the time within which all of `shards` have answered, in `share` of the queries, if each is as measured.

    All are within t in P(t)^n of the queries, so it is the quantile share^(1/n) of one.
    """
    return float(np.quantile(times, share ** (1 / shards), method="inverted_cdf"))


def plan(cost: dict[str, float], shard: dict[str, Any]) -> str:
    """Return the tables."""
    count, rented = shard["count"], RENTED
    shards = math.ceil(PASSAGES / count)
    vectors = shard["file"]["bytes"] / count
    parts = {"catalog": cost["catalog"], "words": cost["lexical"], "vectors": vectors}
    each = sum(parts.values())
    building = shard["build_s"] * 2 / count  # two threads
    seconds = {"embedding": cost["embedding_s"], "all else": cost["indexing_s"], "vector segment": building}
    stored = [
        (name, f"{size:,.0f} B", f"{size * count / 1e9:,.1f} GB", f"{size * PASSAGES / 1e12:,.2f} TB")
        for name, size in (*parts.items(), ("together", each))
    ]
    said = [machine.table(("", "a passage", f"a shard of {count:,}", "a billion"), stored)]
    took = [
        (name, f"{1e3 * one:.2f} ms", f"{one * count / 3600:,.1f} h", f"{one * PASSAGES / 86400:,.0f} days")
        for name, one in (*seconds.items(), ("together", sum(seconds.values())))
    ]
    said.append(machine.table(("one core", "a passage", "a shard", "a billion"), took))
    own = shard["memory"] / 1e9
    fits = {
        "vectors in memory": min(
            rented.memory_gb * 0.9 / (own + vectors * count / 1e9), rented.disk_gb * 0.8 / (each * count / 1e9)
        ),
        "vectors on disk": min(rented.memory_gb * 0.5 / own, rented.disk_gb * 0.8 / (each * count / 1e9)),
    }
    rows = []
    for name, at_once in fits.items():
        held = int(at_once)
        machines = math.ceil(shards / held) * COPIES
        cores = machines * rented.cores
        rows.append(
            (
                name,
                held,
                machines,
                f"${machines * rented.dollars * HOURS:,.0f}",
                f"{sum(seconds.values()) * PASSAGES / cores / 86400:.1f} days",
                f"{cost['embedding_s'] * PASSAGES / cores / 86400:.1f} days",
                f"{held * each * count * 8 / rented.network_gbit / 1e9 / 60:.0f} min",
                f"{held * shard['open_s']:.0f} s",
            )
        )
    said.append(
        machine.table(
            (
                "",
                "shards on a machine",
                "machines",
                "a month",
                "to index all",
                "to embed all anew",
                "to copy a lost one",
                "to check and open it",
            ),
            rows,
        )
    )
    waits = [
        (f"{n:,}", *(f"{slowest(shard['times'], n, share):.1f} ms" for share in (0.5, 0.99)))
        for n in (1, 10, shards // 3, shards)
    ]
    said.append(machine.table(("shards asked at once", "half of the queries within", "99% within"), waits))
    longest = max(shard["times"])
    said.append(f"{len(shard['times']):,} queries were measured; the slowest took {longest:.1f} ms.")
    return "\n\n".join(said)


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
