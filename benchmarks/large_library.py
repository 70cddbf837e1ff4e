"""A library of a million passages, made by `quarry import` and then used: rate, bytes, memory, and each kind of search.

    python -m benchmarks.large_library FOLDER [--passages 1000000] [--real 48000]

Each passage is a document: the words of two real texts of `benchmarks.corpus`, drawn at random, in another order (else
each text would stand in so many documents that it is boilerplate), with a year, an author and tags. Its vector is one
of `benchmarks.drawn_vectors`, so words and vectors don't speak of the same; what is measured is time and memory, not
how well anything is found. Embedding is no part of it: vectors come with the rows, as an export with vectors has them.

FOLDER keeps the real vectors, the rows, the library and what was measured. Each step is a process of its own. Times of
searches are by the clock and, in brackets, of the processor in all threads: on a busy machine both differ.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus, machine
from benchmarks.drawn_vectors import Cloud, real
from benchmarks.scale import Memory
from quarry.api import Library
from quarry.api.members.replicating import replicate
from quarry.indexer.exchange.parquet import write_parquet
from quarry.indexer.report import NoProgress
from quarry.search.models.embedded_texts import vector_key

STEPS = ("draw", "make", "search", "change", "copy")
CHANGED = 1_000  # documents that are deleted, and that are added
LONGEST = 500  # characters of one of the two texts: together they are one passage
QUESTIONS = 220
FIRST = 20  # questions that are not counted
_NOTED = 2_000  # documents between two looks at the clock

SEARCHES: dict[str, dict[str, Any]] = {
    "hybrid": {},
    "semantic": {"mode": "semantic"},
    "lexical": {"mode": "lexical"},
    "hybrid, a third allowed": {"filter": {"year": {"$gte": 2012}}},
    "hybrid, 3% allowed": {"filter": {"year": 2001}},
    "hybrid, 0.1% allowed": {"filter": {"author": "author 77"}},
    "hybrid with facets": {"facets": ["year", "tags"]},
}


def rows(folder: Path, count: int, most: int) -> Iterator[dict[str, Any]]:
    """Yield documents as an export has them, the same ones each time."""
    cloud = Cloud(real(folder / "real", most), folder / f"cloud-{most}.npz")
    identity = _identity()
    texts = [text for text in corpus.short_passages() if len(text) <= LONGEST]
    rng = np.random.default_rng(0)
    number = 0
    for vectors in cloud.chunks(count):
        pairs = rng.integers(0, len(texts), (len(vectors), 2))
        years, authors = rng.integers(1990, 2023, len(vectors)), rng.integers(0, 1_000, len(vectors))
        tags = rng.integers(0, 20, (len(vectors), 2))
        for at, vector in enumerate(vectors.astype(np.float32)):
            words = [word for one in pairs[at] for word in texts[one].split()]
            rng.shuffle(words)
            text = f"{number} {' '.join(words)}"  # no two are the same
            passage = {"start": 0, "end": len(text), "page": None, "heading": "", "key": vector_key(text).hex()}
            yield {
                "id": str(number),
                "kind": "text",
                "type": "text/plain",
                "title": text[:40],
                "metadata": {
                    "year": int(years[at]),
                    "author": f"author {authors[at]}",
                    "tags": [f"tag {tag}" for tag in tags[at]],
                },
                "text": text,
                "text_model": identity,
                "passages": [{**passage, "vector": vector.tolist()}],
            }
            number += 1


def _identity() -> str:
    from quarry.search.models.loading import load_text_encoder

    identity: str = load_text_encoder("all-MiniLM-L6-v2", prepare=True).identity
    return identity


def draw(folder: Path, count: int, most: int) -> dict[str, Any]:
    """Write the rows of the library, and those that are added later."""
    every = rows(folder, count + CHANGED, most)
    for name, size in (("rows", count), ("more", CHANGED)):
        with (folder / f"{name}.parquet").open("wb") as stream:
            write_parquet(stream, itertools.islice(every, size))
    return {}


class _Noted(NoProgress):
    """Notes the seconds of the clock and of the processor, and the memory, after each `_NOTED` documents."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._done = 0
        self.notes = [(0, time.perf_counter(), time.process_time(), memory.now)]

    def advance(self, done: int, size: int, skipped: int) -> None:
        self._done += done
        if self._done >= self.notes[-1][0] + _NOTED:
            self.notes.append((self._done, time.perf_counter(), time.process_time(), self._memory.now))


def make(folder: Path) -> dict[str, Any]:
    """Import the rows; return seconds, how the rate went, and bytes."""
    shutil.rmtree(folder / "library", ignore_errors=True)
    memory = Memory()
    noted = _Noted(memory)
    with Library(folder / "library") as library:
        started, spent = time.perf_counter(), time.process_time()
        done = library.import_file(folder / "rows.parquet", progress=noted)
        took, cpu = time.perf_counter() - started, time.process_time() - spent
        tail, tail_cpu = started + took - noted.notes[-1][1], spent + cpu - noted.notes[-1][2]
        before = time.process_time()
        library.compact()
        compacting = time.process_time() - before
    assert done.added and not done.embedded and not done.failed, done
    first = noted.notes[0]
    return {
        "documents": done.added,
        "import_s": took,
        "import_cpu_s": cpu,
        "indexes_s": tail,
        "indexes_cpu_s": tail_cpu,
        "compact_cpu_s": compacting,
        "import_memory": memory.most,
        "notes": [(count, at - first[1], cpu - first[2], own) for count, at, cpu, own in noted.notes],
        "bytes": _bytes(folder / "library"),
    }


def _bytes(folder: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            part = path.relative_to(folder).parts[0].split(".db")[0]
            sizes[part] = sizes.get(part, 0) + path.stat().st_size
    return sizes


def search(folder: Path) -> dict[str, Any]:
    """Open the library and search it; return times and memory."""
    questions = corpus.questions(QUESTIONS)
    memory = Memory()
    base = memory.now
    started = time.perf_counter()
    library = Library(folder / "library")
    library.search(questions[0])
    result: dict[str, Any] = {"first_s": time.perf_counter() - started}
    started, spent = time.perf_counter(), time.process_time()
    library.search(questions[1], filter={"year": {"$gte": 2011}})
    result["filter_s"] = time.perf_counter() - started
    for name, options in SEARCHES.items():
        result[name] = _timed(questions, lambda text, options=options: library.search(text, **options))  # type: ignore[misc]
    for name, call in {
        "facets of all": lambda: library.facets(["year", "tags"]),
        "a page of the listing": lambda: library.listing(limit=50),
        "status": library.status,
    }.items():
        started, spent = time.perf_counter(), time.process_time()
        call()
        result[name] = {"s": time.perf_counter() - started, "cpu_s": time.process_time() - spent}
    result["memory"] = memory.now - base
    result["resident"] = _resident()
    library.close()
    return result


def _resident() -> int:
    """Return what of this process lies in memory, with what is mapped of files, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _timed(questions: list[str], ask: Callable[[str], object]) -> dict[str, float]:
    times, spent = [], []
    for question in questions:
        started = time.perf_counter(), time.process_time()
        ask(question)
        times.append(time.perf_counter() - started[0])
        spent.append(time.process_time() - started[1])
    clock = np.percentile(np.asarray(times[FIRST:]) * 1e3, [50, 95])
    cpu = np.percentile(np.asarray(spent[FIRST:]) * 1e3, [50, 95])
    return {"p50": clock[0], "p95": clock[1], "cpu50": cpu[0], "cpu95": cpu[1]}


def change(folder: Path) -> dict[str, Any]:
    """Delete documents, add others, search with what is new, and compact; return seconds of each."""
    questions = corpus.questions(QUESTIONS)
    with Library(folder / "library") as library:
        library.search(questions[0])
        gone = [str(number) for number in range(0, 7 * CHANGED, 7)]
        steps: dict[str, Callable[[], object]] = {
            f"delete {CHANGED:,} documents in one call": lambda: library.delete(gone),
            "the next search": lambda: library.search(questions[1]),
            f"add {CHANGED:,} documents": lambda: library.import_file(folder / "more.parquet"),
            "the search after it": lambda: library.search(questions[2]),
            "delete one document": lambda: library.delete("1"),
            "the search after that": lambda: library.search(questions[3]),
            "compact": library.compact,
            "the search after compacting": lambda: library.search(questions[4]),
        }
        return {"steps": {name: _seconds(step) for name, step in steps.items()}}


def _seconds(step: Callable[[], object]) -> tuple[float, float]:
    started, spent = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - started, time.process_time() - spent


def copy(folder: Path) -> dict[str, Any]:
    """Back up, and replicate twice, with one document more in between; return seconds and the memory."""
    for name in ("replica", "backup.zip"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).unlink(missing_ok=True) if (folder / name).is_file() else None
    memory = Memory()
    steps: dict[str, tuple[float, float]] = {}
    with Library(folder / "library") as library:
        steps["back up"] = _seconds(lambda: library.backup(folder / "backup.zip"))
        (folder / "backup.zip").unlink()
        steps["replicate"] = _seconds(lambda: replicate(folder / "library", folder / "replica"))
        library.delete("2")
        steps["replicate one document less"] = _seconds(lambda: replicate(folder / "library", folder / "replica"))
    shutil.rmtree(folder / "replica")
    return {"copies": steps, "copy_memory": memory.most}


def table(results: dict[str, Any]) -> str:
    """Return what was measured, in tables."""
    megabytes = {name: f"{size / 1e6:,.0f} MB" for name, size in results["bytes"].items() if size > 1e5}
    rate = results["documents"] / results["import_s"]
    every = results["notes"]
    ways = [every[round(part * (len(every) - 1) / 4)] for part in range(5)]
    spent = [
        f"{1e3 * (after[2] - before[2]) / max(1, after[0] - before[0]):.2f}"
        for before, after in itertools.pairwise(ways)
    ]
    made = [
        ("imported", f"{results['import_s']:,.0f} s, {rate:,.0f} a second; {results['import_cpu_s']:,.0f} CPU s"),
        ("of which indexes and boilerplate at the end", f"{results['indexes_s']:,.0f} s"),
        ("CPU ms a document, from the first quarter to the last", ", ".join(spent)),
        ("compacted", f"{results['compact_cpu_s']:,.0f} CPU s"),
        ("the most memory of its own while it was imported", f"{results['import_memory'] / 1e6:,.0f} MB"),
        ("on disk", ", ".join(f"{name} {size}" for name, size in megabytes.items())),
        ("opened, with the first search", f"{results['first_s']:.1f} s"),
        ("the first search with a filter", f"{results['filter_s']:.2f} s"),
        (
            "memory of its own to search; resident",
            f"{results['memory'] / 1e6:,.0f} MB; {results['resident'] / 1e6:,.0f} MB",
        ),
    ]
    searches = [
        (
            name,
            *(
                f"{results[name][key]:.1f} ({results[name][spent]:.1f})"
                for key, spent in (("p50", "cpu50"), ("p95", "cpu95"))
            ),
        )
        for name in SEARCHES
    ]
    seconds = [
        (name, f"{took[0]:.2f}", f"{took[1]:.2f}") for name, took in {**results["steps"], **results["copies"]}.items()
    ]
    seconds += [
        (name, f"{results[name]['s']:.2f}", f"{results[name]['cpu_s']:.2f}")
        for name in ("facets of all", "a page of the listing", "status")
    ]
    return "\n\n".join(
        (
            machine.table(("a library", f"of {results['documents']:,} passages"), made),
            machine.table(("search", "p50 in ms", "p95 in ms"), searches),
            machine.table(("", "seconds", "of the processor"), seconds),
        )
    )


def main() -> None:
    """Measure what was not measured yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--real", type=int, default=48_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)  # what a process of its own is started with
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "large_library.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    if arguments.step:
        own = (folder, arguments.passages, arguments.real) if arguments.step == "draw" else (folder,)
        kept.write_text(json.dumps(results | {arguments.step: True} | globals()[arguments.step](*own)))
        return
    print(machine.description(), flush=True)
    for step in STEPS:
        if step not in results:
            started = [sys.executable, "-m", "benchmarks.large_library", str(folder), "--step", step]
            subprocess.run([*started, "--passages", str(arguments.passages), "--real", str(arguments.real)], check=True)
    print("\n" + table(json.loads(kept.read_text())))


if __name__ == "__main__":
    main()
