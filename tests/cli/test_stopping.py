"""SIGINT and SIGTERM end every command, whatever it is at, and its children with it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from quarry.search.stores.database.lock import WriterLock
from tests.folders import SAMPLE
from tests.processes import QUARRY, served

SAID = "Interrupted. What was committed stays; run it again to go on from there.\n"
SIGNALS = [signal.SIGINT, signal.SIGTERM]

NATIVE = """
import sys
from quarry.api.cli import stopping
from quarry.search.stores.database.sqlite import sqlite3
stopping.GRACE_S = float(sys.argv[1])
with stopping.stoppable():
    print("ready", flush=True)
    sqlite3.connect(":memory:").execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    ).fetchall()
"""


def start(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [QUARRY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}
    )


def wait_for_child(process: subprocess.Popen[bytes], words: str) -> psutil.Process:
    """Wait until the process has a child whose command line holds `words`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                if words in " ".join(child.cmdline()):
                    return child
            except psutil.Error:
                continue
        time.sleep(0.02)
    raise AssertionError(f"no child with {words} came")


@pytest.mark.fault("10")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("grace", "times"), [("0.5", 1), ("600", 2)])
def test_native_code_that_hears_nothing_is_ended(number: signal.Signals, grace: str, times: int) -> None:
    """After a while by the first signal, at once by the second."""
    with subprocess.Popen(
        [sys.executable, "-c", NATIVE, grace], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        for _ in range(times):
            time.sleep(0.3)
            process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said.decode()) == (128 + number, SAID)


@pytest.mark.fault("10")
@pytest.mark.parametrize("number", SIGNALS)
def test_waiting_for_the_writers_lock_is_ended(own_library: Path, tmp_path: Path, number: signal.Signals) -> None:
    with WriterLock(own_library / "writer.lock").held():
        process = start("compact", "--library", own_library, "--wait", "600")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
    assert (process.returncode, said.decode()) == (128 + number, SAID)


@pytest.mark.fault("10")
@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL])
def test_preparing_a_model_ends_with_its_child(tmp_path: Path, number: signal.Signals) -> None:
    process = start("models", "--prepare", env={"QUARRY_CACHE": str(tmp_path)})
    child = wait_for_child(process, "quarry.search.models.exporting")
    time.sleep(0.2)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert (process.returncode, said.decode().endswith(SAID)) == (128 + number, True)
        assert not [path for path in (tmp_path / "models").iterdir() if path.is_dir()]
    assert psutil.wait_procs([child], timeout=10)[1] == []


@pytest.mark.fault("10")
@pytest.mark.parametrize(
    "command",
    [
        ["index", "{root}"],
        ["index", "--verify"],
        ["search", "how do stars form"],
        ["ask", "when was the canal opened"],
        ["summarize", "{root}/earth/plate-tectonics.md"],
        ["doctor", "--repair"],
        ["compact"],
        ["delete", "{root}/earth"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_signal_at_any_moment_ends_a_command(own_library: Path, command: Sequence[str]) -> None:
    seed = random.Random(command[0])
    process = start(*(part.format(root=SAMPLE) for part in command), "--library", own_library)
    time.sleep(seed.uniform(0.1, 1.5))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode in (0, 1, -signal.SIGTERM, 128 + signal.SIGTERM), said
    assert b"Traceback" not in said
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.fault("10")
@pytest.mark.parametrize("times", [1, 2])
def test_a_server_ends_whoever_is_connected(sample_library: Path, tmp_path: Path, times: int) -> None:
    """Clients that never say what they want are not waited for; by a second signal nobody is."""
    with served(sample_library, tmp_path / "log") as running:
        port = running.client.base_url.port
        assert port is not None
        half = socket.create_connection(("127.0.0.1", port))
        half.sendall(b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n")
        body = socket.create_connection(("127.0.0.1", port))
        body.sendall(b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        assert running.client.get("/healthz").status_code == 200  # which is kept alive
        for _ in range(times - 1):
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        code = running.stop(signal.SIGTERM)
        assert code in ((0,) if times == 1 else (0, 128 + signal.SIGTERM))  # 0: it was done before the second came
        half.close()
        body.close()
