"""Sets of labels over a library of 10,000 documents: how long they take, beside the plain product of the vectors.

Run: python -m benchmarks.label_sets [DOCUMENTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import corpus, machine
from benchmarks.enrichments import LABELS, most_memory
from benchmarks.labels import spread
from quarry.api import Library, Text
from quarry.search.models.live import NamedModels
from quarry.search.models.names import DEFAULT_TEXT_MODEL

AT_ONCE = 500  # documents


def main(count: int = 10_000) -> None:
    """Print the table."""
    print(machine.description(), file=sys.stderr)
    texts = spread(list(corpus.abstracts()), count)
    captions = dict.fromkeys(" ".join(one.replace('"', "").split())[:80].strip(" .") for one in corpus.captions())
    many = [one for one in captions if ":" not in one and "\\" not in one and len(one) > 10]
    encoder = NamedModels().text(DEFAULT_TEXT_MODEL, prepare=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder, Library(Path(folder, "library")) as library:
        started = time.process_time()
        for at in range(0, len(texts), AT_ONCE):
            library.add(
                [Text(text, title=f"abstract {at + number}") for number, text in enumerate(texts[at : at + AT_ONCE])]
            )
        embedding = time.process_time() - started
        vectors = np.random.default_rng(0).normal(size=(len(texts), encoder.dimension)).astype(np.float32)
        for labels in (list(LABELS), spread(many, 100), spread(many, 1_000), spread(many, 10_000)):
            with most_memory() as memory:
                started = time.process_time()
                report = library.label(labels, field="subject")
                ours = time.process_time() - started
            started = time.process_time()
            told = np.concatenate([encoder.encode_queries(labels[at : at + 64]) for at in range(0, len(labels), 64)])
            encoded = time.process_time() - started
            started = time.process_time()
            (vectors @ told.T).argmax(axis=1)
            product = time.process_time() - started
            rows.append((
                f"{len(labels):,}", f"{report.changed:,}", f"{ours:.1f} s", f"{encoded:.1f} s", f"{product:.2f} s",
                f"{len(texts) / ours:,.0f}", f"{ours / embedding:.1%}", f"{memory[0] / 1e6:,.0f} MB",
            ))  # fmt: skip
            print(rows[-1], file=sys.stderr, flush=True)
            library.label(remove="subject")
    header = (
        "labels",
        "documents that something is said of",
        "all",
        "encoding the labels alone",
        "the plain product",
        "documents/s",
        "of embedding the documents",
        "memory",
    )
    print(f"{len(texts):,} abstracts; {embedding:.0f} s of processor time to embed and store them\n")
    print(machine.table(header, rows))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
