"""What a search costs from a cold process, and what a server weighs, over a library made by `benchmarks.latency`.

Run: python -m benchmarks.cold FOLDER
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks import corpus, machine

RUNS = 7


@dataclass(frozen=True)
class Cost:
    """What a process took; `megabytes` are its peak resident memory."""

    seconds: float
    cpu_s: float
    megabytes: float


# A process begins with the peak memory of the one that starts it, so that a small one must.
_SMALL = """
import os, sys, time
nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def spent(command: list[str]) -> Cost:
    """Run a command to its end."""
    small = [sys.executable, "-I", "-S", "-c", _SMALL, *command]
    told = subprocess.run(small, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Cost(*map(float, told.split()))


def server_memory(library: Path) -> tuple[float, float]:
    """Return the resident MB of a server after its first search, and after 300."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "quarry.api.cli", "serve", "--library", library, "--port", str(port)]
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(200):
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.1)
            memory = []
            for question in corpus.questions(300):
                client.post("/v1/search", json={"query": question}).raise_for_status()
                memory.append(psutil.Process(process.pid).memory_info().rss / 1e6)
            return memory[0], memory[-1]
    finally:
        process.terminate()
        process.wait(30)


def main(folder: str) -> None:
    """Print the tables."""
    library = Path(folder, "library")
    quarry = [sys.executable, "-m", "quarry.api.cli", "search", "--library", str(library), "how do stars form"]
    imported = [sys.executable, "-c", "import sentence_transformers"]
    runs: dict[str, list[Cost]] = {"ours": [], "reference": []}
    for _ in range(RUNS):
        runs["reference"].append(spent(imported))
        runs["ours"].append(spent(quarry))
    seconds = {name: statistics.median(run.seconds for run in found) for name, found in runs.items()}
    memory = {name: max(run.megabytes for run in found) for name, found in runs.items()}
    first, last = server_memory(library)
    print(f"{RUNS} runs each, in turn, medians; {machine.description()}\n")
    print(
        machine.table(
            ("process", "seconds", "of the import", "peak MB"),
            [
                ("`import sentence_transformers`", f"{seconds['reference']:.2f}", "1", f"{memory['reference']:.0f}"),
                (
                    "`quarry search`, cold",
                    f"{seconds['ours']:.2f}",
                    f"{seconds['ours'] / seconds['reference']:.3f}",
                    f"{memory['ours']:.0f}",
                ),
            ],
        )
    )
    print(f"\nA server over the library: {first:.0f} MB resident after its first search, {last:.0f} MB after 300.")


if __name__ == "__main__":
    main(*sys.argv[1:])
