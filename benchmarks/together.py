"""Four libraries searched as one, against each of them alone: what the merging, and being four, costs.

Run: python -m benchmarks.together [PASSAGES]   (of each library, 500 by default; they are made anew)
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from benchmarks import corpus, machine
from quarry.api import Library, Text
from quarry.api.federation.federation import Federation
from quarry.search.models.live import SharedModels

LIBRARIES = 4
QUESTIONS = 120


def timed(search: object, text: str) -> float:
    """Return the seconds that a search takes."""
    started = time.perf_counter()
    search(text)  # type: ignore[operator]
    return time.perf_counter() - started


def main(passages: str = "500") -> None:
    """Print the table: every question is new to whoever is asked, alone and together in turns."""
    texts = (text for text, _ in corpus.short_passages())
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
        slowest, together, merging = [], [], []
        for number, question in enumerate(questions):
            alone = [timed(library.search, f"{question} {name}") for name, library in libraries.items()]
            started = time.perf_counter()
            response = federation.search(question)
            took = time.perf_counter() - started
            if number >= 20:
                slowest.append(max(alone))
                together.append(took)
                merging.append(took - max(response.timings.values()) / 1e3)
    print(f"{LIBRARIES} libraries of {passages} passages, {len(slowest)} questions; {machine.description()}\n")
    rows = [
        ("the slowest one alone", machine.percentiles(slowest)),
        ("all together", machine.percentiles(together)),
        ("beyond the slowest of that very search", machine.percentiles(merging)),
    ]
    print(machine.table(("search", "time"), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
