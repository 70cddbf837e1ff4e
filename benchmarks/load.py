"""A server on one core under load from the other: hybrid search over 100,000 passages, and txtai's API beside it.

Run: python -m benchmarks.load FOLDER [--seconds 10] [--requests 10000] [--without-txtai]
(both libraries are made in FOLDER where they are missing: some minutes; then it takes about four)

1. *Capacity*: so many clients, each asking again as soon as it is answered (closed loop).
2. *Usual load*: 70% of that. When each request is sent is drawn beforehand (a Poisson process) and waits for no answer;
   a latency counts from then, so that a server that stalls pays for all who would have come meanwhile (open loop, no
   coordinated omission).
3. *Overload*: three times the capacity, and what becomes of it; then the usual load again, until it is answered as
   before.

No query comes twice, so no cache helps. The server has the first core of this process, the load the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import corpus, latency, machine, txtai_index
from quarry.api import Library
from quarry.search.models.text.embedded import embedded_folder

CLIENTS = 8
USUAL = 0.7  # of the capacity
OVER = 3.0  # times the capacity
LOST_S = 15.0  # after which a request counts as lost


@dataclass
class Outcome:
    """What became of requests: when each was due, how long after that it was answered, and by what status.

    A status of 0 is a connection that failed, or an answer that never came.
    """

    due: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)

    def add(self, due: float, took: float, status: int) -> None:
        self.due.append(due)
        self.took.append(took)
        self.status.append(status)

    def of(self, *statuses: int) -> np.ndarray:
        """Seconds that those took that were answered so."""
        return np.array([took for took, status in zip(self.took, self.status, strict=True) if status in statuses])

    def counts(self) -> str:
        return ", ".join(f"{count:,} x {status or 'lost'}" for status, count in sorted(Counter(self.status).items()))


class Connection(asyncio.Protocol):
    """One connection to a server, which is sent a request and gives the status of its answer."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._read = bytearray()
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, _ = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(
            int(line[15:]) for line in bytes(head).lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        if len(self._read) >= len(head) + 4 + length and self._answer is not None and not self._answer.done():
            self._answer.set_result(int(self._read[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    async def ask(self, request: bytes) -> int:
        """Send a request, return the status; 0 where the connection is lost."""
        if self.transport is None:
            return 0
        self._read.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


class Client:
    """Sends requests to one server, over as many connections as there are answers that are waited for."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._port = port
        self._requests = iter(requests)
        self._idle: deque[Connection] = deque()

    async def send(self, due: float, outcome: Outcome) -> None:
        """Send the next request, and note what becomes of it."""
        status, connection = 0, None
        try:
            async with asyncio.timeout(LOST_S):
                connection = await self._connection()
                status = await connection.ask(next(self._requests))
        except (TimeoutError, OSError):
            pass
        outcome.add(due, time.perf_counter() - due, status)
        if connection is not None and connection.transport is not None:
            if status:
                self._idle.append(connection)
            else:
                connection.transport.abort()

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, "127.0.0.1", self._port))[1]

    async def closed(self, seconds: float, clients: int = CLIENTS) -> Outcome:
        """Have so many ask one thing after another."""
        outcome, end = Outcome(), time.perf_counter() + seconds

        async def one() -> None:
            while (now := time.perf_counter()) < end:
                await self.send(now, outcome)

        await asyncio.gather(*(one() for _ in range(clients)))
        return outcome

    async def open(self, rate: float, count: int, rng: np.random.Generator) -> Outcome:
        """Send so many at times that were drawn beforehand, whatever becomes of those before."""
        outcome, sent = Outcome(), []
        due = time.perf_counter() + 0.1 + np.cumsum(rng.exponential(1 / rate, count))
        for at in due.tolist():
            if (wait := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            sent.append(asyncio.create_task(self.send(at, outcome)))
        await asyncio.gather(*sent)
        return outcome


def queries(seed: int) -> list[str]:
    """Return some 20,000 different questions, in any order."""
    asked = sorted(set(corpus.questions(10**9)))
    bare = [question.rstrip("? ") for question in asked]
    found = [*asked, *bare, *(f"{one} please" for one in bare), *(f"tell me {one}" for one in bare)]
    found = list(dict.fromkeys(found))
    random.Random(seed).shuffle(found)
    return found


def posted(query: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    head = (
        f"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


def got(query: str) -> bytes:
    from urllib.parse import quote

    return f"GET /search?query={quote(query)}&limit=10 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str | Path], port: int, core: int, **env: str) -> Iterator[None]:
    """Run a server on one core until the block ends."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], stdout=log, stderr=log, env={**os.environ, **env}
        )
        try:
            asyncio.run(_answering(port, process))
            yield
            assert process.poll() is None, f"the server ended with {process.returncode}"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(35)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.seek(0)
            said = log.read()
            if b"Traceback" in said or sys.exc_info()[0] is not None:
                print(said.decode("utf-8", "replace"), file=sys.stderr)


async def _answering(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.1)
    sys.exit(f"The server ended with {process.returncode}.")


def recovered(outcome: Outcome, began: float) -> float:
    """Return after how many seconds every later second was answered in full, 99 of 100 requests within 100 ms."""
    late = [
        due - began + took
        for due, took, status in zip(outcome.due, outcome.took, outcome.status, strict=True)
        if status != 200 or took > 0.1
    ]
    kept = sorted(late)[: max(0, len(late) - len(outcome.due) // 100)]  # one in a hundred is late at any time
    return kept[-1] if kept else 0.0


def build_txtai(folder: Path) -> Path:
    """Make txtai's index of the passages of Quarry's library, and its configuration, where they are missing."""
    index, config = folder / "txtai", folder / "txtai.yml"
    if not config.exists():
        with Library(folder / "library") as library:
            vectors = latency.passages(library)
        embeddings = txtai_index.with_vectors(vectors, list(vectors))
        for name in ("method", "transform"):
            embeddings.config.pop(name, None)
        embeddings.config["path"] = str(embedded_folder())
        embeddings.save(str(index))
        model = json.dumps(str(embedded_folder()))
        config.write_text(f"path: {index}\nembeddings: {{path: {model}, content: true, hybrid: true}}\n")
    return config


def quarry_rows(folder: Path, options: argparse.Namespace, server: int) -> tuple[float, list[tuple[str, str, str]]]:
    """Load Quarry's server; return its capacity and what is to be said."""
    rng, port = np.random.default_rng(options.seed), free_port()
    command = [sys.executable, "-m", "quarry.api.cli", "serve", "--library", folder / "library", "--port", str(port)]
    with running(command, port, server):
        client = Client(port, [posted(query) for query in queries(options.seed)] * 3)

        async def load() -> tuple[float, list[tuple[str, str, str]]]:
            await client.closed(2)
            most = await client.closed(options.seconds)
            capacity = len(most.of(200)) / options.seconds
            usual = await client.open(USUAL * capacity, options.requests, rng)
            p50, p99 = np.percentile(usual.of(200) * 1e3, [50, 99])
            over = await client.open(OVER * capacity, round(OVER * capacity * options.seconds), rng)
            span = max(due + took for due, took in zip(over.due, over.took, strict=True)) - over.due[0]
            good = len(over.of(200)) / max(span, over.due[-1] - over.due[0])
            refused = over.of(429, 503)
            began = time.perf_counter()
            after = await client.open(USUAL * capacity, round(USUAL * capacity * 12), rng)
            faults = sum(status >= 500 or not status for status in usual.status)
            slowest = f"{max(refused) * 1e3:.0f} ms" if len(refused) else "none"
            p99_over = f"{np.percentile(over.of(200), 99) * 1e3:.0f} ms"
            return capacity, [
                ("capacity, closed loop", f"{capacity:.0f} requests/s", "200"),
                (f"at 70%: p50, p99 of {len(usual.status):,}", f"{p50:.1f} ms, {p99:.1f} ms", "15 ms, 60 ms"),
                ("at 70%: lost, or 5xx", f"{faults}", "0"),
                ("at 3x: answered", f"{good:.0f} requests/s, {good / capacity:.0%}; p99 {p99_over}", "80%"),
                ("at 3x: refused (429, 503) within", f"{slowest} ({over.counts()})", "1 s"),
                ("then, until it is as before", f"{recovered(after, began):.1f} s", "10 s"),
            ]

        return asyncio.run(load())


def txtai_capacity(folder: Path, options: argparse.Namespace, server: int) -> float:
    """Return the requests a second that txtai's API answers."""
    port = free_port()
    environment = {"CONFIG": str(build_txtai(folder)), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "uvicorn", "txtai.api:app", "--port", str(port), "--log-level", "warning"]
    with running(command, port, server, **environment):
        client = Client(port, [got(query) for query in queries(options.seed)])

        async def load() -> float:
            await client.closed(2)
            most = await client.closed(options.seconds)
            assert len(most.of(200)) == len(most.status), most.counts()
            return len(most.status) / options.seconds

        return asyncio.run(load())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="for capacity and overload, each")
    parser.add_argument("--requests", type=int, default=10_000, help="at the usual load")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-txtai", action="store_true")
    options = parser.parse_args()
    latency.build(options.folder)
    if not options.without_txtai:
        build_txtai(options.folder)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    about = machine.description()
    capacity, rows = quarry_rows(options.folder, options, cores[0])
    if not options.without_txtai:
        reference = txtai_capacity(options.folder, options, cores[0])
        rows.append(("txtai's API, closed loop", f"{reference:.1f} requests/s", ""))
        rows.append(("Quarry answers", f"{capacity / reference:.1f} times as many", "5 times"))
    print(f"{about}\n\n{machine.table(('load', 'measured', 'target'), rows)}")


if __name__ == "__main__":
    main()
