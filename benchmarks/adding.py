"""One text added to a library that has many, as a server does it: alone, and with a search after each.

Run: python -m benchmarks.adding FOLDER   (the libraries are made in FOLDER where they are missing: minutes)
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import machine
from quarry.api.library import Library, Text

SIZES = (15_000, 60_000)
TIMES = 40
BATCH = 2_500


def build(place: Path, count: int) -> None:
    """Make a library of so many short texts with random vectors: embedding them would take most of the time."""
    rng = np.random.default_rng(count)
    words = [f"word{number}" for number in range(5_000)]
    with Library(place) as library:
        library.add(Text("The first one."))
        encoder = library.searcher.encoder()

        def random_vectors(texts: Sequence[str]) -> np.ndarray:
            vectors = rng.standard_normal((len(texts), encoder.dimension)).astype(np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        encoder.encode_documents = random_vectors  # type: ignore[method-assign]
        for start in range(1, count, BATCH):
            drawn = rng.choice(words, (min(BATCH, count - start), 12))
            library.add([Text(" ".join(text) + ".") for text in drawn])
        del encoder.encode_documents
        library.compact()


def measure(place: Path) -> tuple[float, list[float], list[float]]:
    """Return the seconds of the first addition, of those that follow, and of those that a search follows."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        copied = Path(folder, "library")
        shutil.copytree(place, copied)
        with Library(copied) as library:
            library.warm()
            taken: list[list[float]] = [[], [], []]
            for number in range(1 + 2 * TIMES):
                which = 0 if number == 0 else 1 + number % 2
                text = f"Text number {number} tells of stars and of rivers."
                started = time.perf_counter()
                library.add(Text(text))
                if which == 2:
                    library.search("stars and rivers")
                taken[which].append(time.perf_counter() - started)
    return taken[0][0], taken[1], taken[2]


def main(folder: str) -> None:
    """Print the table."""
    rows = []
    for size in SIZES:
        place = Path(folder, f"adding-{size}")
        if not place.exists():
            build(place, size)
        first, alone, searched = measure(place)
        rows.append((f"{size:,}", f"{first * 1e3:.0f} ms", machine.percentiles(alone), machine.percentiles(searched)))
    print(f"{TIMES} additions of each kind; {machine.description()}\n")
    print(machine.table(("vectors before", "first", "one text", "one text, then a search"), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
