"""Run every benchmark, or those named: `python -m benchmarks [NAME...]`. All together they take a day.

They need QUARRY_TEST_DATA; some need txtai.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from benchmarks.corpus import data_folder

# Those that share the library of 100,000 passages take its folder.
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
    "mixed",
    "checksums",
    "sync",
    "pictures",
    "picture_languages",
    "labels",
    "tags",
    "entities",
    "outliers",
    "paraphrases",
    "vectors",
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
OVER_LIBRARY = ("latency", "cold", "adding", "load", "map")


def main(names: list[str]) -> None:
    """Run them one after another, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        arguments = {name: [folder] for name in OVER_LIBRARY}
        arguments["lexical"] = ["--judged", str(data_folder() / "retrieval")]
        for name in names or BENCHMARKS:
            print(f"\n## {name}\n", flush=True)
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments.get(name, [])], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
