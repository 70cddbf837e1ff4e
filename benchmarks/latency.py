"""One hybrid search in process over 100,000 passages, against txtai's over the same texts with the same model.

Run: python -m benchmarks.latency FOLDER   (both libraries are made in FOLDER where they are missing: some minutes)
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from api import Library
from benchmarks import corpus, machine, txtai_index

PASSAGES = 100_000
QUESTIONS = 300


def build(folder: Path) -> None:
    """Make Quarry's library and txtai's index of the same 100,000 short passages, where they are missing."""
    texts = [text for text, _ in zip(corpus.short_passages(), range(PASSAGES), strict=False)]
    if not (folder / "library").exists():
        source = folder / "passages.jsonl"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("\n".join(json.dumps({"text": text}) for text in texts), "utf-8")
        with Library(folder / "library") as library:
            started = time.perf_counter()
            report = library.index(source)
            library.compact()
            print(f"Quarry: {report.passages:,} passages in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    if not (folder / "txtai").exists():
        embeddings = txtai_index.open_txtai()
        started = time.perf_counter()
        txtai_index.index(embeddings, texts)
        embeddings.save(str(folder / "txtai"))
        print(f"txtai: {len(texts):,} passages in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def main(folder: str) -> None:
    """Print the table: both answer the same questions, in turn."""
    build(Path(folder))
    questions = corpus.questions(QUESTIONS)
    embeddings = txtai_index.open_txtai()
    embeddings.load(str(Path(folder, "txtai")))
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
        passages = library.status()["passages"]
    reference = sorted(times["txtai hybrid"])[len(times["txtai hybrid"]) // 2]
    print(f"{passages:,} passages, {len(questions) - 10} questions, 10 hits each; {machine.description()}\n")
    rows = []
    for name, seconds in times.items():
        ratio = reference / sorted(seconds)[len(seconds) // 2]
        rows.append((name if "txtai" in name else f"Quarry {name}", machine.percentiles(seconds), f"{ratio:.1f}x"))
    print(machine.table(("search", "time", "times quicker than txtai"), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
