"""What a replica costs to keep: bytes and seconds after a small change, against copying everything.

Abstracts are indexed and compacted, and ten more added; the reference is a first replication of the same library.

Run: python -m benchmarks.replicas [DOCUMENTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import corpus, machine
from quarry.api import Library, Text
from quarry.api.members.replicating import replicate
from quarry.indexer.exchange.replicating import Replicated
from quarry.search.models.fake import FakeModels

_MORE = 10


def main(count: int = 5_000) -> None:
    """Print bytes and seconds of each kind of change; vectors mean nothing, but are of the usual length."""
    texts = [text for text in corpus.abstracts() if len(text) > 200][: count + 3 * _MORE]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "replica")
        with Library(source, models=FakeModels()) as library:
            library.add([Text(text, id=str(number)) for number, text in enumerate(texts[:count])])
            library.compact()
            rows.append(("everything, for the first time", *_timed(lambda: replicate(source, target))))
            rows.append(("nothing new", *_timed(lambda: replicate(source, target))))
            library.add([Text(text, id=f"more {number}") for number, text in enumerate(texts[count : count + _MORE])])
            rows.append((f"{_MORE} documents more", *_timed(lambda: replicate(source, target))))
            rows.append(("everything, beside it", *_timed(lambda: replicate(source, Path(folder, "other")))))
            library.delete("1")
            rows.append(("one document less", *_timed(lambda: replicate(source, target))))
            library.compact()
            rows.append(("compacted", *_timed(lambda: replicate(source, target))))
    print(f"{count:,} abstracts; {machine.description()}\n")
    print(machine.table(("", "MB that came", "of MB", "files that came", "of", "seconds", "CPU seconds"), rows))


def _timed(run: Callable[[], Replicated]) -> tuple[str, ...]:
    wall, cpu = time.monotonic(), time.process_time()
    made = run()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    size = (f"{made.fetched.bytes / 1e6:.2f}", f"{made.bytes / 1e6:.2f}")
    return (*size, str(made.fetched.files), str(made.files), f"{wall:.2f}", f"{cpu:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
