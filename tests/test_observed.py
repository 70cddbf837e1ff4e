"""What a server tells of itself: logs and metrics."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Served, served


def lines(server: Served) -> list[dict[str, Any]]:
    """What was logged, but for the line of the start."""
    return [json.loads(line) for line in server.log.read_text("utf-8").splitlines() if line.startswith("{")]


@pytest.mark.parametrize("options", [("--log",), ("--log", "--log-queries"), ()], ids=" ".join)
def test_requests_are_told_without_what_is_asked(options: tuple[str, ...], tmp_path: Path) -> None:
    with served(tmp_path / "library", tmp_path / "log", *options) as server:
        answer = server.client.post("/v1/search", json={"query": "the secret"})
        server.client.get("/v1/images", params={"q": "a secret"})
        server.client.get("/v1/documents/notes%0Aof%20a%20secret")
        server.client.get("/secret")
        server.client.get("/healthz")  # the log of what came before is written
        told = {line["id"]: line for line in lines(server)}
    if not options:
        assert told == {} and "secret" not in server.log.read_text("utf-8")
        return
    line = told[answer.headers["x-request-id"]]
    assert (line["event"], line["method"], line["route"], line["status"]) == ("request", "POST", "/v1/search", 200)
    assert line["ms"] > 0 and line["bytes"] == len(answer.content)
    routes = [one["route"] for one in told.values()]
    assert "/v1/documents/{id}" in routes and None in routes
    queries = [one["query"] for one in told.values() if one.get("query")]
    assert queries == (["the secret", "a secret"] if "--log-queries" in options else [])
    if "--log-queries" not in options:
        assert "secret" not in server.log.read_text("utf-8")


def test_metrics(own_library: Path, tmp_path: Path) -> None:
    with served(own_library, tmp_path / "log") as server:
        for _ in range(3):
            server.client.post("/v1/search", json={"query": "how do stars form"})
        server.client.get("/v1/documents/nothing")
        answer = server.client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        found = dict(re.findall(r"^(\w+(?:\{.*\})?) ([\d.e+-]+)$", answer.text, re.MULTILINE))
        assert server.stop(signal.SIGTERM) == 0
    count = 'quarry_request_seconds_count{method="%s",route="%s",status="%s"}'
    assert found[count % ("POST", "/v1/search", "200")] == "3.0"
    assert found[count % ("GET", "/v1/documents/{id}", "404")] == "1.0"
    assert float(found['quarry_query_vectors_total{source="cached"}']) >= 2
    assert (
        float(found['quarry_passages{library="default"}']) > 100
        and float(found['quarry_generation{library="default"}']) > 0
    )
    assert (
        float(found['quarry_query_vector_bytes{library="default"}']) > 0 and found["quarry_requests_running"] == "0.0"
    )
    assert float(found["quarry_queue_seconds_count"]) == 3
    assert any(name.startswith("quarry_stage_seconds_count") for name in found)
