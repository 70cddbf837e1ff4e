"""A cluster within a process, whose workers can be lost at a given moment; what the libraries of two runs hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from PIL import Image

from quarry.indexer.cluster.base import Blocks, Pending, WorkerLost
from quarry.indexer.cluster.messages import unpack_embedding, unpack_reading
from quarry.indexer.cluster.worker import Worker
from tests.folders import SAMPLE

ROWS = 20


def mixed_folder(root: Path) -> Path:
    """Make a folder with some of everything: texts in two languages, rows, a PDF, pictures, and what can't be read."""
    (root / "food").mkdir(parents=True)
    for file in (SAMPLE / "food").iterdir():
        (root / "food" / file.name).write_text(file.read_text()[:600])
    for file in sorted((SAMPLE / "korean").iterdir())[:2]:
        (root / file.name).write_text(file.read_text()[:200])
    rows = "".join(
        f'{{"id": "r{n}", "title": "Row {n}", "text": "The row {n} tells of {n} boats."}}\n' for n in range(ROWS)
    )
    (root / "rows.jsonl").write_text(rows)
    for number, colour in enumerate(("red", "teal")):
        Image.new("RGB", (300 + number, 200), colour).save(root / f"{colour}.png")
    (root / "red.txt").write_text("A red wall at noon")  # said of red.png
    (root / "empty.txt").write_text("")
    (root / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"nothing of the kind" * 50)
    (root / "what.xyz").write_bytes(bytes(range(256)))
    with ZipFile(root / "letters.zip", "w") as archive:
        archive.writestr("one.txt", "A letter about the harbour.")
        archive.writestr("two.docx", b"PK\x03\x04 broken")
        archive.writestr("three.md", "# Three\n\nA letter about the tower.")
    return root


def holdings(library: Path) -> dict[str, Any]:
    """Return all that a library holds, but for numbers and times of writing: equal for equal libraries."""
    with closing(sqlite3.connect(library / "catalog.db")) as catalog:
        documents = (
            "SELECT uri, kind, type, title, metadata, structure, modified, hash, enriched, characters FROM documents"
        )
        chunks = (
            "SELECT uri, ordinal, start, end, text, heading, key, medium, place, said_by FROM chunks"
            " JOIN documents ON documents.id = document_id"
        )
        vectors = "SELECT name, key, vector FROM vectors JOIN spaces ON spaces.id = space_id"
        files = "SELECT path, size, mtime_ns, hash, options_hash, error FROM files"
        asked = {"documents": documents, "chunks": chunks, "vectors": vectors, "files": files}
        return {name: sorted(catalog.execute(sql), key=repr) for name, sql in asked.items()}


class InProcess:
    """Does jobs in this process, one after the other, with the code of a real worker.

    Args:
        worker: does them.
        loses: is told which job of which kind (`read`, `embed`) is at which of its blocks, or has how many things, and
            the names of its files; says whether its worker is lost before that is given.
    """

    described = "indexing in this process"

    def __init__(
        self, worker: Worker, loses: Callable[[str, int, int, Sequence[str]], bool] = lambda *_: False
    ) -> None:
        self.workers = 2
        self.jobs: list[tuple[str, tuple[str, ...]]] = []
        self.most_open = self.embedded = 0
        self.closed = False
        self.worker = worker
        self._loses = loses
        self._open = 0

    def read(self, job: bytes) -> Blocks:
        names = tuple(file.name for file in unpack_reading(job).files)
        self.jobs.append(("read", names))
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        return _Stream(self, self.worker.read(job), len(self.jobs), names)

    def ready(self, streams: Sequence[Blocks], seconds: float) -> Sequence[Blocks]:
        return streams[-1:]  # the last first: files end in another order than they were sent in

    def embed(self, job: bytes) -> Pending:
        self.jobs.append(("embed", ()))
        self.embedded += len(unpack_embedding(job).things)
        return _Answer(self, job, len(self.jobs))

    def close(self) -> None:
        self.closed = True

    def check(self, kind: str, job: int, block: int, names: Sequence[str]) -> None:
        if self._loses(kind, job, block, names):
            raise WorkerLost

    def ended(self) -> None:
        self._open -= 1


class _Stream:
    def __init__(
        self, cluster: InProcess, blocks: Generator[bytes, None, None], job: int, names: Sequence[str]
    ) -> None:
        self._cluster, self._blocks, self._job, self._names, self._block = cluster, blocks, job, names, 0

    def take(self) -> bytes | None:
        try:
            self._cluster.check("read", self._job, self._block, self._names)
        except WorkerLost:
            self._blocks.close()
            self._cluster.ended()
            raise
        self._block += 1
        block = next(self._blocks, None)
        if block is None:
            self._cluster.ended()
        return block


class _Answer:
    def __init__(self, cluster: InProcess, job: bytes, number: int) -> None:
        self._cluster, self._job, self._number = cluster, job, number

    def take(self) -> bytes:
        self._cluster.check("embed", self._number, len(unpack_embedding(self._job).things), ())
        return self._cluster.worker.embed(self._job)
