"""What a filter costs when it is first asked for: its ids over a catalog of 100,000 documents; and listing all fields.

Run: python -m benchmarks.filters [DOCUMENTS]
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine
from quarry.search.fields.filters import allowed_chunks
from quarry.search.fields.held import fields
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import documents
from quarry.search.types import Chunk

RUNS = 3
ROOT = "/home/me/shelf"
FILTERS: tuple[dict[str, Any], ...] = (
    {"type": "text/markdown"},
    {"type": "md"},
    {"year": 2001},
    {"year": {"$gte": 2001}},
    {"author": "Jane Austen"},
    {"author": "Zoë"},
    {"tags": "a"},
    {"modified": {"$gte": "2023"}},
    {"date": {"$gte": "2015"}},
    {"path": {"$contains": "/a/"}},
    {"path": f"{ROOT}/b"},
    {"path": "a"},
    {"path": "*.md"},
    {"path": "shelf/**/1*.md"},
)


def fill(catalog: Catalog, count: int) -> None:
    """Write documents of one chunk each, half of them with a date of their own."""
    rng = random.Random(1)
    with catalog.transaction() as connection:
        connection.execute("INSERT INTO roots (id, path, options, added) VALUES (1, ?, '{}', '')", (ROOT,))
        for number in range(1, count + 1):
            uri = f"{ROOT}/{rng.choice('abcdef')}/{number}.{rng.choice(['md', 'txt'])}"
            connection.execute(
                "INSERT INTO files (id, root_id, path, size, mtime_ns, ctime_ns, inode, seen_ns, options_hash)"
                " VALUES (?, 1, ?, 0, 0, 0, 0, 0, x'')",
                (number, uri),
            )
            metadata = {
                "year": rng.randrange(1990, 2025),
                "author": rng.choice(["Jane Austen", "Zoë", "B"]),
                "tags": [rng.choice("abcd"), "x"],
            }
            if number % 2:
                metadata["date"] = f"{rng.randrange(2010, 2025)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
            new = documents.NewDocument(
                uri=uri, type=rng.choice(["text/markdown", "text/plain"]), title="T", text="x", hash=b"",
                chunks=[Chunk(0, 0, 1, "x")], keys=[b"k"], metadata=metadata, modified="2024-05-31T10:00:00+00:00",
                file_id=number,
            )  # fmt: skip
            documents.put(connection, new, "2024-07-01T00:00:00+00:00")


def cost(call: Callable[[], object]) -> float:
    """Return the least milliseconds of the processor that some runs took; other work on the machine does not count."""
    taken = []
    for _ in range(RUNS):
        started = time.process_time()
        call()
        taken.append((time.process_time() - started) * 1e3)
    return min(taken)


def main(count: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        catalog = Catalog(Path(folder), writable=True)
        fill(catalog, count)
        rows = []
        with catalog.snapshot() as snapshot:
            for filter in FILTERS:
                found = len(allowed_chunks(snapshot.connection, filter))
                taken = cost(lambda filter=filter: allowed_chunks(snapshot.connection, filter))  # type: ignore[misc]
                rows.append((f"`{filter}`", f"{found:,}", f"{taken:.0f}"))
            rows.append(("all fields", "", f"{cost(lambda: fields(snapshot.connection)):.0f}"))
        catalog.close()
    print(f"{count:,} documents, least of {RUNS} runs; {machine.description()}\n")
    print(machine.table(("filter", "allowed", "ms"), rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
