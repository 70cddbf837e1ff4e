"""Run every benchmark, or those named: `python -m benchmarks [NAME...]`.

They need QUARRY_TEST_DATA; some need txtai.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

# Those that share the library of 100,000 passages take its folder.
BENCHMARKS = (
    "precision",
    "fusion",
    "vectors",
    "sync",
    "indexing",
    "pictures",
    "relevance",
    "summaries",
    "everyday",
    "latency",
    "cold",
)
OVER_LIBRARY = ("latency", "cold")


def main(names: list[str]) -> None:
    """Run them one after another, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        for name in names or BENCHMARKS:
            print(f"\n## {name}\n", flush=True)
            arguments = [folder] if name in OVER_LIBRARY else []
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
