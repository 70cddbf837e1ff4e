"""What `/metrics` tells: it rises with what was done since, and is for those who have a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from quarry.api.server.keys import Keys
from tests.processes import Served, served

COUNT = 'quarry_request_seconds_count{method="%s",route="%s",status="%s"}'
SEARCHED = COUNT % ("POST", "/v1/search", "200")
CACHED, ENCODED = (f'quarry_query_vectors_total{{source="{source}"}}' for source in ("cached", "encoded"))
GENERATION, PASSAGES = (f'quarry_{name}{{library="default"}}' for name in ("generation", "passages"))


def told(client: httpx.Client, headers: Mapping[str, str] | None = None) -> dict[str, float]:
    """Return the samples of `/metrics` by name and labels; one that is not there yet is 0."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", answer.text, re.MULTILINE)
    assert len(samples) == len(dict(samples)) == sum(not line.startswith("#") for line in answer.text.splitlines())
    return {name: float(value) for name, value in samples}


def search(client: httpx.Client, query: str, mode: str = "hybrid") -> None:
    client.post("/v1/search", json={"query": query, "mode": mode}).raise_for_status()


@pytest.fixture
def server(own_library: Path, tmp_path: Path) -> Iterator[Served]:
    with served(own_library, tmp_path / "log") as running:
        yield running


def test_what_is_told_rises_with_what_is_done(server: Served, own_library: Path) -> None:
    client = server.client
    search(client, "what was asked before")
    before = told(client)

    def since(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    for query in ("how do stars form", "how do stars form", "why is the sea salty"):
        search(client, query)
    search(client, "stars", mode="lexical")
    client.get("/v1/documents/nothing")
    assert client.post("/v1/search", json={"query": ""}).status_code == 422
    after = told(client)
    assert since(SEARCHED) == 4
    assert since('quarry_request_seconds_bucket{le="+Inf",method="POST",route="/v1/search",status="200"}') == 4
    assert since(COUNT % ("POST", "/v1/search", "422")) == since(COUNT % ("GET", "/v1/documents/{id}", "404")) == 1
    assert (since(ENCODED), since(CACHED)) == (4, 2)  # for two models each, and none for words alone
    stages = {name: since(name) for name in after if name.startswith("quarry_stage_seconds_count")}
    assert set(stages.values()) <= {1, 3, 4} and max(stages.values()) == 4
    assert since("quarry_queue_seconds_count") == 5
    assert after["quarry_requests_running"] == after["quarry_requests_waiting"] == since("quarry_shed_total") == 0
    assert (since(GENERATION), since(PASSAGES)) == (0, 0)
    assert (
        after['quarry_query_vector_bytes{library="default"}'] > before['quarry_query_vector_bytes{library="default"}']
    )

    before = after
    body = {"documents": [{"id": "one", "text": "Ferrets sleep all day."}]}
    client.post("/v1/documents", json=body).raise_for_status()
    after = told(client)
    assert since(GENERATION) >= 1 and since(PASSAGES) == 1
    assert since(COUNT % ("POST", "/v1/documents", "201")) == 1

    before, key = after, {"Authorization": f"Bearer {Keys(own_library).add('prometheus', 'read')}"}
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert client.get("/metrics", headers=headers).status_code == 401
    after = told(client, key)
    assert since(COUNT % ("GET", "", "401")) == 2  # who has no key comes to no route
    assert since(SEARCHED) == 0
