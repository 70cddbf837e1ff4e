"""What happens to a library when the process that writes it dies, the disk fills up, or another one writes, too.

By default 25 of the 200 kills of row 1 are run; `QUARRY_TEST_KILLS=200` runs all.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from api.library import Library
from search.stores import documents
from tests.fake_models import DIMENSION, FakeModels
from tests.indexing_process import CRASHED, Crash, Task, start

KILLS = int(os.environ.get("QUARRY_TEST_KILLS", "25"))
FILES = 60


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> FakeModels:
    return FakeModels().install(monkeypatch)


def text(number: int, version: int) -> str:
    """A document of some passages; its words tell the version."""
    paragraphs = [f"Paragraph {part} of file {number}, in version{version}. " * 12 for part in range(number % 4 + 1)]
    return "\n\n".join(paragraph.strip() for paragraph in paragraphs)


def write(root: Path, number: int, version: int) -> Path:
    path = root / f"{number:03}.txt"
    path.write_text(text(number, version))
    return path


def finish(task: Task, expected: int = 0) -> None:
    process = start(task)
    process.join(120)
    assert process.exitcode == expected, process.exitcode


def check_whole(library: Library, models: FakeModels) -> dict[str, str]:
    """Check that no document is half there; return the texts by path.

    Its chunks add up to its text, each has its vector, and that is the one of its text.
    """
    encoder = models.load_text_encoder()
    texts = {}
    with library.catalog().snapshot() as snapshot:
        connection = snapshot.connection
        rows = connection.execute("SELECT id, uri, characters, chunks FROM documents").fetchall()
        for row_id, uri, characters, count in rows:
            texts[uri] = documents.text_of(connection, row_id)
            passages = documents.passages(connection, row_id)
            vectors = connection.execute(
                "SELECT v.vector FROM chunks c JOIN vectors v ON v.id = c.vector_id AND v.key = c.key"
                " WHERE c.document_id = ? ORDER BY c.ordinal",
                (row_id,),
            ).fetchall()
            assert len(texts[uri]) == characters and len(passages) == len(vectors) == count > 0
            assert all(texts[uri][passage.start : passage.end] == passage.text for passage in passages)
            stored = np.frombuffer(b"".join(blob for (blob,) in vectors), "<f2").reshape(count, DIMENSION)
            expected = encoder.encode_documents([passage.text for passage in passages]).astype(np.float16)
            np.testing.assert_array_equal(stored, expected)
    assert len(texts) == len(rows)
    return texts


def check_sound(library: Library) -> None:
    assert [finding.text for finding in library.doctor() if finding.level == "damage"] == []


# --- row 1: kill -9 ----------------------------------------------------------------------------------------------


def test_kill_while_indexing(tmp_path: Path, models: FakeModels) -> None:
    """Every acknowledged document is there once and whole, whenever the process was killed."""
    seed = random.Random(20)
    root, directory, acknowledged = tmp_path / "root", tmp_path / "library", tmp_path / "acknowledged"
    root.mkdir()
    versions = dict.fromkeys(range(FILES), 0)
    for number in versions:
        write(root, number, 0)
    task = Task(directory, arguments=(root,), options={"prune": True}, acknowledge=acknowledged)
    duration, landed, resumed = 0.0, 0, 0
    for round in range(KILLS):
        acknowledged.unlink(missing_ok=True)
        process, began = start(task), time.monotonic()
        if duration:
            while not acknowledged.exists() and process.is_alive():
                time.sleep(0.002)
            process.join(seed.uniform(0, duration))
            os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        duration = duration or time.monotonic() - began
        landed += process.exitcode == -signal.SIGKILL
        lines = acknowledged.read_text().splitlines() if acknowledged.exists() else []
        with Library(directory) as library:
            texts = check_whole(library, models)
        current = {str(root / f"{number:03}.txt"): text(number, version) for number, version in versions.items()}
        for line in lines:
            path = line.strip('"')
            assert texts[path] == current[path], f"round {round}: {path} was acknowledged"
        resumed += 0 < len(lines) < len(current)
        for uri, stored in texts.items():  # no text that never was
            number = int(Path(uri).stem)
            assert stored in {text(number, version) for version in range(versions.get(number, round) + 1)}
        for number in seed.sample(range(FILES), 12):  # the next round has something to do
            if number in versions and seed.random() < 0.2:
                (root / f"{number:03}.txt").unlink()
                del versions[number]
            else:
                versions[number] = round + 1
                write(root, number, round + 1)
    assert landed > KILLS // 2, "the kills came too late to hit anything"
    acknowledged.unlink(missing_ok=True)
    finish(task)
    with Library(directory) as library:
        assert check_whole(library, models) == {
            str(root / f"{number:03}.txt"): text(number, version) for number, version in versions.items()
        }
        check_sound(library)
        number = next(iter(versions))
        hits = library.search(f"file {number} version{versions[number]}", mode="lexical", limit=1000).hits
        assert str(root / f"{number:03}.txt") in {hit.document.uri for hit in hits}
