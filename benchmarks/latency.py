"""One hybrid search in process over 100,000 passages, against txtai's over the same texts with the same model.

Run: python -m benchmarks.latency FOLDER   (the library is made in FOLDER where it is missing: some minutes)
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import corpus, machine, txtai_index
from quarry.api import Library

PASSAGES = 100_000
QUESTIONS = 300


def build(folder: Path) -> None:
    """Make Quarry's library of 100,000 short passages, where it is missing, or the rest of it."""
    if (folder / "library").exists():
        with Library(folder / "library") as library:
            if library.status()["passages"] >= PASSAGES:
                return
    texts = [text for text, _ in zip(corpus.short_passages(), range(PASSAGES), strict=False)]
    source = folder / "passages.jsonl"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("\n".join(json.dumps({"text": text}) for text in texts), "utf-8")
    with Library(folder / "library") as library:
        started = time.perf_counter()
        report = library.index(source)
        library.compact()
        print(f"Quarry: {report.passages:,} passages in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def passages(library: Library) -> dict[str, np.ndarray]:
    """Return the passages of a library with their vectors."""
    with library.catalog().snapshot() as snapshot:
        rows = snapshot.connection.execute(
            "SELECT c.text, v.vector FROM chunks c JOIN vectors v ON v.key = c.key ORDER BY c.id"
        )
        return {text: np.frombuffer(vector, "<f2").astype(np.float32) for text, vector in rows}


def main(folder: str) -> None:
    """Print the table: both answer the same questions, in turn."""
    build(Path(folder))
    questions = corpus.questions(QUESTIONS)
    with Library(Path(folder, "library")) as library:
        vectors = passages(library)
    embeddings = txtai_index.with_vectors(vectors, list(vectors))
    times: dict[str, list[float]] = {"txtai hybrid": [], "hybrid": [], "semantic": [], "lexical": []}
    with Library(Path(folder, "library")) as library:
        for question in questions[:10]:
            embeddings.search(question, 10)
            library.search(question)
        for question in questions[10:]:
            started = time.perf_counter()
            embeddings.search(question, 10)
            times["txtai hybrid"].append(time.perf_counter() - started)
            for mode in ("hybrid", "semantic", "lexical"):
                started = time.perf_counter()
                library.search(question, mode=mode)
                times[mode].append(time.perf_counter() - started)
        count = library.status()["passages"]
    reference = sorted(times["txtai hybrid"])[len(times["txtai hybrid"]) // 2]
    print(f"{count:,} passages, {len(questions) - 10} questions, 10 hits each; {machine.description()}\n")
    rows = []
    for name, seconds in times.items():
        ratio = reference / sorted(seconds)[len(seconds) // 2]
        rows.append((name if "txtai" in name else f"Quarry {name}", machine.percentiles(seconds), f"{ratio:.1f}x"))
    print(machine.table(("search", "time", "times quicker than txtai"), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
