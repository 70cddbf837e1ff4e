"""What the checksums of the catalog's rows cost: indexing and searching with them, and without.

CPU seconds of the whole process, in turn, so that what else the machine does counts little.

Run: python -m benchmarks.checksums [DOCUMENTS]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from benchmarks import corpus, machine
from quarry.api import Library
from quarry.indexer.wiring import open_writer
from quarry.search.stores.database import checksums
from quarry.search.stores.lookups import hit_rows

_RUNS = 3
_QUERIES = 200


def main(count: int = 600) -> None:
    """Print how much longer each takes with checksums; medians of the runs."""
    texts = [text for text in corpus.abstracts() if len(text) > 200]
    texts = texts[:: max(1, len(texts) // count)][:count]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "documents.jsonl")
        source.write_text("\n".join(json.dumps({"text": text}) for text in texts), "utf-8")
        place = Path(folder, "library")
        _index(source, place)
        rows.append(("indexing", *_compared(lambda: _index(source, Path(tempfile.mkdtemp(dir=folder))))))
        with Library(place) as library:
            queries = [" ".join(text.split()[:6]) for text in texts[:_QUERIES]]

            def search() -> float:
                started = time.process_time()
                for query in queries:
                    library.search(query)
                return time.process_time() - started

            search()
            rows.append(("searching", *_compared(search)))
    print(f"{len(texts)} abstracts, {len(queries)} queries, CPU seconds; {machine.description()}\n")
    print(machine.table(("", "without", "with checksums", "cost"), rows))


def _index(source: Path, place: Path) -> float:
    with Library(place) as library:
        library.catalog(create=True)
        open_writer(library.settings, library.searcher)  # the model is loaded before the clock starts
        started = time.process_time()
        assert library.index(source).complete
        return time.process_time() - started


def _compared(run: Callable[[], float]) -> tuple[str, str, str]:
    without, with_ = [], []
    for _ in range(_RUNS):
        with _no_checksums():
            without.append(run())
        with_.append(run())
    one, other = statistics.median(without), statistics.median(with_)
    return f"{one:.2f}", f"{other:.2f}", f"{(other / one - 1) * 100:+.1f}%"


def _no_checksums() -> ExitStack:
    """Write none, and look at none."""
    stack = ExitStack()
    for where, name, other in (
        (checksums, "keep", lambda connection: None),
        (checksums, "require", lambda *_: None),
        (checksums.Row, "is_whole", True),
        (hit_rows, "_sound", lambda connection, ids: list(ids)),
    ):
        stack.enter_context(mock.patch.object(where, name, other))
    return stack


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
