"""Memory of a server under mixed reads and writes for an hour: what it holds at the end against after the start.

Run: python -m benchmarks.soak [--minutes 60] [--seed 1] [--pause 0.1] [--log FILE]

The library keeps its size: what is added replaces what is there. Memory is the resident set of the server and of its
children, every ten seconds; growth is the median of the last tenth of the time against that of the second tenth, when
every model was loaded and every kind of request was answered.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from benchmarks import machine
from quarry.data.photos import copy_photos
from tests.folders import SAMPLE
from tests.processes import quarry, served

SAMPLE_S = 10.0
COMPACT_S = 600.0
DOCUMENTS = 200  # that are replaced, over and over
WIDTH = 60  # of the picture of memory over time
TALLEST = 40
WORDS = SAMPLE.parent / "background.txt"


class Client:
    """Sends one request after another, each chosen at random."""

    def __init__(self, client: httpx.Client, rng: random.Random, pictures: list[Path]) -> None:
        self._client = client
        self._rng = rng
        self._pictures = pictures
        self._texts = [line for line in WORDS.read_text("utf-8").splitlines() if line.strip()]
        self.answers: Counter[tuple[str, int]] = Counter()
        self._requests: list[tuple[int, Callable[[], httpx.Response]]] = [
            (8, self.search),
            (2, self.filtered),
            (1, self.reranked),
            (1, self.answer),
            (1, self.by_picture),
            (2, self.listing),
            (1, self.fields),
            (5, self.add),
            (1, self.add_file),
            (2, self.delete),
            (1, self.undelete),
            (2, self.get),
            (2, self.wrong),
        ]

    def step(self) -> None:
        """Send one request, and count how it was answered."""
        weights = [weight for weight, _ in self._requests]
        ((_, request),) = self._rng.choices(self._requests, weights)
        self.answers[request.__name__, request().status_code] += 1

    def _text(self, sentences: int) -> str:
        return " ".join(self._rng.choice(self._texts) for _ in range(sentences))

    def _words(self) -> str:
        words = self._rng.choice(self._texts).split()
        at = self._rng.randrange(max(1, len(words) - 4))
        return " ".join(words[at : at + 4])

    def _id(self) -> str:
        return f"soak-{self._rng.randrange(DOCUMENTS)}"

    def _post(self, path: str, body: object) -> httpx.Response:
        return self._client.post(path, json=body)

    def search(self) -> httpx.Response:
        mode = self._rng.choice(["hybrid", "semantic", "lexical"])
        return self._post("/v1/search", {"query": self._words(), "mode": mode, "limit": self._rng.randint(1, 50)})

    def filtered(self) -> httpx.Response:
        some = [{"number": {"$gte": self._rng.randrange(1000)}} for _ in range(self._rng.randint(1, 20))]
        return self._post("/v1/search", {"query": self._words(), "filter": {"$or": [*some, {"type": "md"}]}})

    def reranked(self) -> httpx.Response:
        return self._post("/v1/search", {"query": self._words(), "rerank": "reader", "summarize": True})

    def answer(self) -> httpx.Response:
        return self._post("/v1/answer", {"query": f"what is {self._words()}"})

    def by_picture(self) -> httpx.Response:
        return self._client.post("/v1/search/image", content=self._rng.choice(self._pictures).read_bytes())

    def listing(self) -> httpx.Response:
        filter = json.dumps({"number": {"$lt": self._rng.randrange(1000)}})
        return self._client.get("/v1/documents", params={"filter": filter, "limit": 50})

    def fields(self) -> httpx.Response:
        return self._client.get("/v1/fields")

    def add(self) -> httpx.Response:
        some = [
            {"id": self._id(), "text": self._text(self._rng.randint(1, 12)), "metadata": {"number": at}}
            for at in range(self._rng.randint(1, 4))
        ]
        return self._post("/v1/documents", {"documents": list({one["id"]: one for one in some}.values())})

    def add_file(self) -> httpx.Response:
        file = self._rng.choice([*SAMPLE.rglob("*.md"), *SAMPLE.rglob("*.pdf"), *self._pictures])
        params = {"name": f"sent-{self._rng.randrange(20)}{file.suffix}"}
        return self._client.post("/v1/documents/file", params=params, content=file.read_bytes())

    def delete(self) -> httpx.Response:
        return self._client.delete(f"/v1/documents/{self._id()}")

    def undelete(self) -> httpx.Response:
        return self._client.post("/v1/documents/undelete")

    def get(self) -> httpx.Response:
        return self._client.get(f"/v1/documents/{self._id()}")

    def wrong(self) -> httpx.Response:
        return self._post("/v1/search", {"query": self._words(), "filter": {self._words(): {"$no": self._words()}}})


def resident(process: psutil.Process) -> int:
    """Return the bytes that a process and its children hold."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:  # a parser that has just ended
            pass
    return total


def growth(memory: list[int]) -> tuple[float, float, float]:
    """Return the median at the start and at the end, and by what share it grew."""
    tenth = max(1, len(memory) // 10)
    start, end = statistics.median(memory[tenth : 2 * tenth] or memory), statistics.median(memory[-tenth:])
    return start, end, end / start - 1


def picture(memory: list[int]) -> str:
    """Draw memory over time, a line for each part of it."""
    step = max(1, len(memory) // TALLEST)
    most = max(memory)
    parts = [max(memory[at : at + step]) for at in range(0, len(memory), step)]
    return "\n".join(
        f"{at * step * SAMPLE_S / 60:6.1f} min {part / 2**20:7.0f} MiB {'#' * round(WIDTH * part / most)}"
        for at, part in enumerate(parts)
    )


def main() -> None:
    """Run, and print what was found; exit with 1 where memory grew by 5% or a request failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two requests")
    parser.add_argument("--log", type=Path, help="a file to write each measurement to")
    options = parser.parse_args()
    memory: list[int] = []
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        place = Path(folder)
        (place / "photos").mkdir()
        copy_photos(place / "photos")
        shutil.copytree(SAMPLE, place / "sample")
        quarry("index", "--library", place / "library", place / "sample", place / "photos")
        pictures = sorted((place / "photos").iterdir())
        with served(place / "library", place / "log") as server:
            server.client.timeout = httpx.Timeout(600)  # a machine that swaps is no fault of the server's
            client = Client(server.client, random.Random(options.seed), pictures)
            process = psutil.Process(server.process.pid)
            started = measured = compacted = time.monotonic()
            while (now := time.monotonic()) < started + 60 * options.minutes:
                client.step()
                if now >= compacted + COMPACT_S:
                    compacted = now
                    quarry("compact", "--library", place / "library")
                if now >= measured + SAMPLE_S:
                    measured = now
                    memory.append(resident(process))
                    if options.log:
                        with options.log.open("a") as file:
                            requests = client.answers.total()
                            print(f"{now - started:.0f} s {memory[-1] / 2**20:.1f} MiB {requests} requests", file=file)
                time.sleep(options.pause)
        log = (place / "log").read_text("utf-8")
    start, end, grown = growth(memory)
    failed = {f"{name} {status}": count for (name, status), count in client.answers.items() if status >= 500}
    print(f"{client.answers.total():,} requests in {options.minutes:g} minutes; {machine.description()}\n")
    print(picture(memory))
    print(f"\n{start / 2**20:.0f} MiB, then {end / 2**20:.0f} MiB: {grown:+.1%}; failed: {failed or 'none'}")
    print("Traceback in the log" if "Traceback" in log else "", end="")
    sys.exit(1 if grown >= 0.05 or failed or "Traceback" in log else 0)


if __name__ == "__main__":
    main()
