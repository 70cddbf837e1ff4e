"""What a server logs."""

from __future__ import annotations

import json
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
