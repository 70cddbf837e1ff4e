"""The description of the API, and what any request of its kind gets: an answer or a refusal, never a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarry.api import Library
from tests.folders import SAMPLE
from tests.processes import Served, served

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 4  # of each operation, beside those that go through its description one by one


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Served]:
    """A server over a few documents, which may be written to."""
    with Library(tmp_path / "library") as library:
        library.index(SAMPLE / "food")
    with served(tmp_path / "library", tmp_path / "log", "--roots", str(tmp_path)) as running:
        yield running


@pytest.mark.fault("28")
@pytest.mark.fault("30")
@pytest.mark.fault("31")
@pytest.mark.fault("32")
def test_no_request_makes_the_server_fail(small: Served, tmp_path: Path) -> None:
    """Rows 28, 30, 31, 32: what is right and wrong of each parameter and body, always the same."""
    if not SCHEMATHESIS.exists():
        pytest.skip("schemathesis is not installed")
    command: list[str | Path] = [
        SCHEMATHESIS, "run", f"{small.client.base_url}/openapi.json", "--checks", "not_a_server_error", "--seed", "7",
        "--max-examples", str(EXAMPLES), "--phases", "examples,fuzzing", "--no-shrink", "--warnings", "off",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=240, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stdout[-8_000:]
    assert "Traceback" not in small.log.read_text("utf-8")
    assert small.client.get("/healthz").status_code == 200
