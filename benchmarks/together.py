"""Four libraries searched as one, against each of them alone: what the merging, and being four, costs.

Run: python -m benchmarks.together [PASSAGES]   (of each library, 500 by default; they are made anew)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from benchmarks import corpus, machine
from quarry.api import Library, Text
from quarry.api.federation.federation import Federation
from quarry.search.models.live import SharedModels
from quarry.search.queries.query import Response

LIBRARIES = 4
QUESTIONS = 80
ROWS = (
    "the slowest one alone",
    "all together",
    "together, beyond the slowest of that very search",
    "CPU of the four alone",
    "CPU of all together",
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
            if number >= 20:
                slowest = max(took for _, took, _ in alone)
                beyond = took - max(response.timings.values()) / 1e3
                cpu = sum(worked for *_, worked in alone)
                for row, seconds in zip(ROWS, (slowest, took, beyond, cpu, worked), strict=True):
                    times[row].append(seconds)
    print(f"{LIBRARIES} libraries of {passages} passages, {len(times[ROWS[0]])} questions; {machine.description()}\n")
    print(machine.table(("search", "time"), [(row, machine.percentiles(seconds)) for row, seconds in times.items()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
