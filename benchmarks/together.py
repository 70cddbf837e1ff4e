"""Four libraries searched as one, against each of them alone: what the merging, and being four, costs.

First in one process; then each is served by a process of its own, and what is told is what the one that asks and merges
takes of the processor, beside a plain client that sends the same four requests and reads nothing of the answers.

Run: python -m benchmarks.together [PASSAGES]   (of each library, 500 by default; they are made anew)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import httpx

from benchmarks import corpus, machine
from quarry.api import Library, Text
from quarry.api.federation.federation import Federation
from quarry.api.federation.remote import Remote
from quarry.search.models.live import SharedModels
from quarry.search.queries.query import Response
from tests.processes import served

LIBRARIES = 4
QUESTIONS, FIRST = 80, 20
ROWS = (
    "the slowest one alone",
    "all together",
    "together, beyond the slowest of that very search",
    "CPU of the four alone",
    "CPU of all together",
)
SERVED = (
    "CPU of a plain client, four requests one after the other",
    "CPU of asking each one after the other",
    "CPU of asking all at once and merging",
    "by the clock, beyond what the slowest says that it took",
)


def timed(search: Callable[[str], Response], text: str) -> tuple[Response, float, float]:
    """Return what a search answers, the seconds that it takes, and those of the processor in all threads."""
    started, worked = time.perf_counter(), time.process_time()
    response = search(text)
    return response, time.perf_counter() - started, time.process_time() - worked


def main(passages: str = "500") -> None:
    """Print the table: every question is new to whoever is asked, alone and together in turns."""
    texts = iter(corpus.short_passages())
    questions = corpus.questions(QUESTIONS)
    models = SharedModels()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        libraries = {}
        for number in range(LIBRARIES):
            library = stack.enter_context(Library(Path(folder, str(number)), models=models))
            library.add([Text(text) for text in islice(texts, int(passages))])
            library.compact()
            libraries[str(number)] = library
        federation = stack.enter_context(Federation(libraries))
        times: dict[str, list[float]] = {name: [] for name in ROWS}
        for number, question in enumerate(questions):
            alone = [timed(library.search, f"{question} {name}") for name, library in libraries.items()]
            response, took, worked = timed(federation.search, question)
            if number >= FIRST:
                slowest = max(took for _, took, _ in alone)
                beyond = took - max(response.timings.values()) / 1e3
                cpu = sum(worked for *_, worked in alone)
                for row, seconds in zip(ROWS, (slowest, took, beyond, cpu, worked), strict=True):
                    times[row].append(seconds)
        elsewhere = apart([library.settings.library for library in libraries.values()], questions)
    print(f"{LIBRARIES} libraries of {passages} passages, {QUESTIONS - FIRST} questions; {machine.description()}\n")
    for rows in (times, elsewhere):
        print(machine.table(("search", "time"), [(row, machine.percentiles(seconds)) for row, seconds in rows.items()]))
        print()


def apart(folders: Sequence[Path], questions: Sequence[str]) -> dict[str, list[float]]:
    """Return the times of libraries that are served each by a process of its own."""
    times: dict[str, list[float]] = {name: [] for name in SERVED}
    with ExitStack() as stack:
        servers = [stack.enter_context(served(folder, folder.with_suffix(".log"))) for folder in folders]
        addresses = [str(one.client.base_url).rstrip("/") for one in servers]
        remotes = {str(number): Remote(address) for number, address in enumerate(addresses)}
        federation = stack.enter_context(Federation(remotes))
        plain = stack.enter_context(httpx.Client(trust_env=False))
        for number, question in enumerate(questions):
            before = time.process_time()
            for address in addresses:
                plain.post(f"{address}/v1/search", json={"query": f"{question} a"}).raise_for_status()
            each = time.process_time()
            for remote in remotes.values():
                remote.search(f"{question} b")
            all = time.process_time()
            response, took, worked = timed(federation.search, f"{question} c")
            if number >= FIRST:
                beyond = took - max(response.timings.values()) / 1e3
                for row, seconds in zip(SERVED, (each - before, all - each, worked, beyond), strict=True):
                    times[row].append(seconds)
    return times


if __name__ == "__main__":
    main(*sys.argv[1:])
