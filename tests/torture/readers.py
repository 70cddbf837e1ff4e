"""Readers while documents change, segments are merged, the library is compacted and embedded anew.

Each commit gives all documents another version at once, so a response that shows two versions is of two generations;
and no response may be older than one before it. What is read must be there, whole, without an error.
"""

from __future__ import annotations

import random
import re
import threading
import time
from multiprocessing.connection import wait
from pathlib import Path

from quarry.api.library import Library, Text
from quarry.search.models.fake import FakeModels
from quarry.search.queries.query import Response
from tests.indexing_process import Call, Task, start
from tests.torture.oracle import word
from tests.torture.tally import Tally

READERS, DOCUMENTS, COMMITS = 3, 12, 15
MODES = ("lexical", "semantic", "hybrid")


def texts(version: int) -> list[Text]:
    return [
        Text(f"Paragraph of burrow {number}, in {word(version)}.", id=f"b{number}", uri=f"b{number}")
        for number in range(DOCUMENTS)
    ]


def run(tally: Tally, place: Path, models: FakeModels) -> None:
    """Let readers read while one process after the other writes, until the time is over."""
    chance = random.Random(tally.seed)
    directory = place / "library"
    with Library(directory, models=models) as library:
        library.add(texts(0))
    version = 0
    while tally.goes_on:
        calls = []
        for _ in range(COMMITS):
            version += 1
            calls.append(Call("add", (texts(version),)))
            if chance.random() < 0.15:
                calls.append(
                    chance.choice([Call("compact"), Call("reembed", ("turned",)), Call("reembed", ("default",))])
                )
        process = start(Task(directory, calls=calls, segment_from=chance.choice([2, 10, 1000])))
        with tally.trying(f"version {version}"), Library(directory, models=models) as library:
            _watch(library, process.sentinel, tally)
            process.join()
            assert process.exitcode == 0, f"the writer ended with {process.exitcode}"
            assert one_version(library.search("burrow", mode="lexical", limit=100)) == word(version)


def _watch(library: Library, writer: int, tally: Tally) -> None:
    """Read by several threads until the writer's sentinel is ready.

    They can't ask `is_alive`: of two threads that ask at the end one reads the exit code, and the other, finding none,
    leaves 255.
    """
    wrong: list[Exception] = []

    def read(number: int) -> None:
        generation = 0
        try:
            while not wait([writer], timeout=0) and not wrong:
                response = library.search("paragraph of burrow", mode=MODES[number % 3], limit=100)  # type: ignore[arg-type]
                one_version(response)
                assert response.generation >= generation, f"generation {response.generation} after {generation}"
                generation = response.generation
                documents, total = library.documents(limit=100)
                assert len(documents) == total == DOCUMENTS
                tally.tried += 1
                time.sleep(0.01)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def one_version(response: Response) -> str:
    """Return the version that all hits are of; all documents must be among them."""
    assert not response.degraded, response.degraded
    found = {hit.document.id: re.findall(r"version\w+", hit.text) for hit in response.hits}
    versions = {one for words in found.values() for one in words}
    assert len(found) == DOCUMENTS and len(versions) == 1, f"{len(found)} documents, of {sorted(versions)}"
    return versions.pop()
