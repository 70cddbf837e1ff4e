"""Documents a second from a file on disk to a searchable library, against txtai with the same model.

Run: python -m benchmarks.indexing [DOCUMENTS]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import corpus, machine, txtai_index
from quarry.api import Library


def main(count: int = 600) -> None:
    """Print the table: the same abstracts through both, twice, in turn."""
    texts = [text for text in corpus.abstracts() if len(text) > 200]
    texts = texts[:: max(1, len(texts) // count)][:count]
    embeddings = txtai_index.open_txtai()
    txtai_index.index(embeddings, texts[:32])  # both have their model loaded before the clock starts
    rows = []
    for _ in range(2):
        started = time.perf_counter()
        txtai_index.index(embeddings, texts)
        reference = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "documents.jsonl")
            source.write_text("\n".join(json.dumps({"text": text}) for text in texts), "utf-8")
            with Library(Path(folder, "library")) as library:
                library.opened.writer(create=True)
                started = time.perf_counter()
                report = library.index(source)
                ours = time.perf_counter() - started
        assert report.added == len(texts)
        rows.append(
            (
                f"{len(texts) / reference:.1f}",
                f"{len(texts) / ours:.1f}",
                f"{report.passages}",
                f"{reference / ours:.2f}x",
            )
        )
    words = sum(len(text.split()) for text in texts) / len(texts)
    print(f"{len(texts)} abstracts of {words:.0f} words on average; {machine.description()}\n")
    print(machine.table(("txtai documents/s", "Quarry documents/s", "Quarry passages", "ratio"), rows))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
