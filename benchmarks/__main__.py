"""Run every benchmark, or those named: `python -m benchmarks [NAME...]`. All together they take a day.

They need QUARRY_TEST_DATA; some need txtai.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from benchmarks.corpus import data_folder

BENCHMARKS = (
    "precision",
    "lexical",
    "fusion",
    "boilerplate",
    "evidence",
    "relevance",
    "answers",
    "readers",
    "answers_across",
    "everyday",
    "summaries",
    "formats",
    "memory",
    "ocr",
    "speech",
    "films",
    "languages",
    "indexing",
    "cluster",
    "mixed",
    "checksums",
    "sync",
    "pictures",
    "picture_languages",
    "labels",
    "label_sets",
    "enrichments",
    "task_models",
    "tags",
    "entities",
    "outliers",
    "paraphrases",
    "vectors",
    "drawn_vectors",
    "codes",
    "scale",
    "large_library",
    "billion",
    "filters",
    "latency",
    "together",
    "cold",
    "adding",
    "load",
    "uploads",
    "replicas",
    "map",
    "page",
    "soak",
)
# These take a folder, in which they share a library of 100,000 passages, or vectors and what was measured of them.
IN_FOLDER = ("latency", "cold", "adding", "load", "map", "drawn_vectors", "codes", "scale", "large_library", "billion")


def main(names: list[str]) -> None:
    """Run them one after another, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        arguments = {name: [folder] for name in IN_FOLDER}
        arguments["lexical"] = ["--judged", str(data_folder() / "retrieval")]
        for name in names or BENCHMARKS:
            print(f"\n## {name}\n", flush=True)
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments.get(name, [])], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
