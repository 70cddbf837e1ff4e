"""The real programs, in processes of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import warm

QUARRY = Path(sys.executable).with_name("quarry")


def quarry(
    *arguments: str | bytes | Path, input: bytes | None = None, env: Mapping[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run `quarry` to its end, which must be with that exit code."""
    whole = {**os.environ, **(env or {})}
    run = warm.run([os.fsdecode(argument) for argument in arguments], whole, 120) if input is None else None
    if run is None:
        run = subprocess.run([QUARRY, *arguments], input=input, capture_output=True, timeout=120, env=whole)
    done = subprocess.CompletedProcess(run.args, run.returncode, run.stdout.decode(), run.stderr.decode())
    assert done.returncode == code, f"exit code {done.returncode}:\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def unprivileged() -> list[str]:
    """What runs Python so that it may not read and write what file modes forbid, as root may."""
    if os.geteuid() != 0:
        return [sys.executable]
    capabilities = "-dac_override,-dac_read_search"
    command = ["setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}", sys.executable]
    if shutil.which("setpriv") is None or subprocess.run([*command, "-c", ""], capture_output=True).returncode:
        pytest.skip("root may read and write anything, and setpriv can't take that away here")
    return command


@dataclass(frozen=True)
class Served:
    """A server that runs: `client` knows its address, `log` is what it writes to standard error."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path

    def stop(self, signal: int, timeout_s: float = 30) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(signal)
        return self.process.wait(timeout_s)


@contextmanager
def served(library: Path, log: Path, *options: str, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Run `quarry serve` on a free port, until the block ends."""
    with log.open("wb") as file:
        command: list[str | Path] = [QUARRY, "serve", "--library", library, "--port", "0", *options]
        process = subprocess.Popen(command, stderr=file, env={**os.environ, **(env or {})})
    try:
        address = _address(process, log)
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            assert client.get("/healthz").status_code == 200
            yield Served(process, client, log)
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://[\d.:]+", log.read_text("utf-8")):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"the server did not start (exit code {process.poll()}):\n{log.read_text('utf-8')}")
