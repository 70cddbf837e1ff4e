"""The contract, on a real Milvus: the one that the package `milvus` carries, in an environment of its own.

python -m venv /tmp/milvus && /tmp/milvus/bin/pip install milvus==2.3.5 'setuptools<70' 'marshmallow<4'
QUARRY_MILVUS_SERVER=/tmp/milvus/bin/milvus-server pytest tests/engines/test_milvus_server.py
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from quarry.search.engines.contract import CHECKS, Check
from quarry.search.engines.following import vectors as following
from quarry.search.engines.following import view
from quarry.search.engines.following.vectors import FollowingVectors
from quarry.search.engines.milvus import MilvusStore
from quarry.search.engines.trial import DIMENSION, Trial
from quarry.search.errors import EngineUnavailable
from tests.engines.stores import lose_a_commit

SERVER = os.environ.get("QUARRY_MILVUS_SERVER")
pytestmark = [
    pytest.mark.skipif(not SERVER, reason="no Milvus server: QUARRY_MILVUS_SERVER names the program of the package"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a Milvus of this test's own listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = tmp_path_factory.mktemp("milvus")
    command = [str(SERVER), "--data", str(data), "--proxy-port", str(port)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 180
    while True:
        try:
            MilvusStore(address, "quarry_test", DIMENSION)
            break
        except EngineUnavailable:
            assert time.monotonic() < end and running.poll() is None, "the server does not come up"
    yield address
    os.killpg(running.pid, signal.SIGTERM)
    running.wait(60)
    with suppress(ProcessLookupError):  # Milvus itself outlives the program that started it
        os.killpg(running.pid, signal.SIGKILL)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(uri: str, tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WORTH_WHILE", 1)
    monkeypatch.setattr(view, "FEW", 20)
    opened = partial(FollowingVectors, label="Milvus", open_store=partial(MilvusStore, uri))
    with closing(Trial(tmp_path / "library", opened, lose_a_commit)) as trial:
        check(trial)
        trial.engine.leave()
