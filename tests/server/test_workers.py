"""Several processes behind one address: all read, one writes, and they end as one."""

from __future__ import annotations

import signal
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from quarry.api.server.workers import SHARED, run
from quarry.search.errors import LibraryError
from tests.folders import TESTS
from tests.processes import quarry, served


def test_workers_read_and_one_of_them_writes(tmp_path: Path) -> None:
    with served(tmp_path / "library", tmp_path / "log", "--workers", "3") as server:
        workers = psutil.Process(server.process.pid).children()
        assert len(workers) == 3
        address = server.client.base_url

        def add(number: int) -> tuple[int, int]:
            # A connection of its own each: whichever worker is quickest takes it.
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                body = {"documents": [{"id": f"n{number}", "text": f"Ferret number {number} sleeps."}]}
                added = client.post("/v1/documents", json=body).status_code
                found = client.post("/v1/search", json={"query": f"ferret number {number}"}).json()["hits"]
                return added, sum(hit["document"]["id"] == f"n{number}" for hit in found)

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(add, range(24))) == {(201, 1)}
        assert server.client.get("/v1/documents").json()["total"] == 24
        wrong = server.client.post("/v1/documents", content=b"{", headers={"content-type": "application/json"})
        assert wrong.status_code == 422 and wrong.headers["content-type"] == "application/problem+json"
        told = server.client.get("/metrics").text
        counted = [line for line in told.splitlines() if 'route="/v1/search"' in line and "seconds_count" in line]
        assert counted and counted[0].endswith(" 24.0")
        workers[1].kill()  # it is replaced
        while len(alive := psutil.Process(server.process.pid).children()) < 3 or workers[1] in alive:
            time.sleep(0.05)
        alive = psutil.Process(server.process.pid).children()
        assert server.stop(signal.SIGTERM) == 0
        assert not [one for one in alive if one.is_running()]
        assert "Traceback" not in server.log.read_text("utf-8")


def test_workers_count_the_requests_of_a_key_together(tmp_path: Path) -> None:
    library = tmp_path / "library"
    quarry("index", "--library", library, TESTS / "toys")
    secret = quarry("keys", "add", "ann", "--write", "--library", library).stdout.strip()
    with served(library, tmp_path / "log", "--workers", "2", "--rate-limit", "30") as server:
        codes, address = list[int](), server.client.base_url
        began = time.monotonic()
        while codes.count(429) < 5:
            # A connection of its own each: whichever worker is quickest takes it. What writes is handed on to one.
            headers, number = {"authorization": f"Bearer {secret}"}, len(codes)
            with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
                answer = client.delete(f"/v1/jobs/{number}") if number % 2 else client.get("/v1/fields")
                codes.append(answer.status_code)
        flowed = (time.monotonic() - began) / 2
        assert 30 <= len(codes) - 5 <= 30 + flowed + 1, codes  # a bucket of 30, and what flowed in meanwhile
        assert answer.headers["ratelimit-policy"] == '"key";q=30;w=60'


def test_a_place_too_far_for_the_path_of_a_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / ("far" * 30)
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setenv(SHARED, "")  # which it sets
    with socket.socket() as listener, pytest.raises(LibraryError, match=f"{place}/.* too long.*; .* TMPDIR"):
        run(2, listener, lambda sockets, writer: None)
    assert not list(place.iterdir())


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with served(tmp_path / "library", tmp_path / "log", "--workers", "2") as server:
        workers = psutil.Process(server.process.pid).children()
        server.process.kill()
        server.process.wait(20)
        assert not psutil.wait_procs(workers, timeout=40)[1]
