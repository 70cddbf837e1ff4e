"""`quarry serve --together`: libraries of this machine and of other servers, each a process of its own."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from quarry.api import Library, Text
from quarry.api.federation.federation import Federation
from quarry.api.federation.forwarding import is_forwarded
from quarry.api.federation.remote import Remote
from quarry.api.routes import ROUTERS
from quarry.api.server.keys import Keys
from quarry.api.server.policy import is_reading
from quarry.search.queries.query import Response
from tests.processes import Served, served

NEAR = [Text("Stars form where clouds of gas collapse.", id="birth/place"), Text("The Sun is a star.", id="sun")]
FAR = [Text("A nursery of stars lies in Orion, where gas glows.", id="orion"), Text("Comets have tails.", id="comet")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("together")
    for name, texts in (("near", NEAR), ("far", FAR), ("locked", FAR)):
        with Library(made / name) as library:
            library.add(texts)
    return made


@pytest.fixture(scope="module")
def far(folder: Path) -> Iterator[Served]:
    with served(folder / "far", folder / "far.log") as running:
        yield running


@contextmanager
def answering(answer: Any) -> Iterator[str]:
    """A server that is none of ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def nonsense(request: BaseHTTPRequestHandler) -> None:
    hit = {"id": "1", "relevance": 7}
    body = json.dumps({"hits": [hit]}).encode()
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def slow(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(300):
        try:
            request.wfile.write(b" ")
            time.sleep(0.1)
        except OSError:
            return


@pytest.fixture
def near(folder: Path) -> Iterator[Library]:
    with Library(folder / "near") as library:
        yield library


@pytest.fixture(scope="module")
def both(folder: Path, far: Served) -> Iterator[Served]:
    other = f"far={far.client.base_url}"
    with served(folder / "near", folder / "near.log", "--together", "--library", other) as running:
        yield running


def search(running: Served, **body: Any) -> dict[str, Any]:
    answer = running.client.post("/v1/search", json={"query": "how do stars form", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def of(response: Response) -> set[str]:
    return {hit.document.library for hit in response.hits}


def names(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(hit["document"]["library"], hit["document"]["id"]) for hit in body["hits"]]


def test_one_list_has_the_hits_of_both_in_the_order_of_either(both: Served) -> None:
    found = search(both)
    assert found["degraded"] == [] and len(found["hits"]) == 4
    relevance = [hit["relevance"] for hit in found["hits"]]
    assert relevance == sorted(relevance, reverse=True)
    for name in ("near", "far"):
        own = both.client.post(f"/v1/libraries/{name}/search", json={"query": "how do stars form"}).json()
        ids = [hit["document"]["id"] for hit in own["hits"]]
        assert [id for library, id in names(found) if library == name] == ids
        assert "library" not in own["hits"][0]["document"]
    paged = [one for offset in range(4) for one in names(search(both, limit=1, offset=offset))]
    assert paged == names(found)


def test_each_hit_opens_through_this_server(both: Served, far: Served) -> None:
    for hit in search(both)["hits"]:
        document = hit["document"]
        path = f"/v1/libraries/{document['library']}/documents/{document['id'].replace('/', '%2F')}"
        assert hit["text"] in both.client.get(path).json()["text"]
        part = both.client.get(f"{path}/content", params={"start": hit["start"], "end": hit["end"]})
        assert part.json()["text"] == hit["text"]
        assert both.client.get(f"{path}/passages").json()["total"] == 1
    listed = both.client.get("/v1/libraries/far/documents", params={"filter": '{"id": "orion"}'}).json()
    assert [one["id"] for one in listed["documents"]] == ["orion"]
    assert both.client.get("/v1/libraries/far/documents/none").status_code == 404
    verified = {"citations": [hit["citation"] | {"quote": hit["text"]} for hit in search(both)["hits"][:1]]}
    where = names(search(both))[0][0]
    answer = both.client.post(f"/v1/libraries/{where}/verify", json=verified)
    assert answer.json()["verdicts"][0]["standing"] == "valid", answer.text


def test_whatever_reads_documents_is_passed_on() -> None:
    """What is left out is said here, so that no new route is forgotten."""
    own = {"libraries", "roots", "jobs", "commit"}
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path.startswith("/v1/"):
                rest = route.path.removeprefix("/v1/").replace("{id:path}", "a%2Fb").replace("{id}", "a")
                for method in route.methods or ():
                    reads = is_reading(method, route.path) and rest.partition("/")[0] not in own
                    assert is_forwarded(method, rest) == reads, (method, route.path)


def test_what_is_no_reading_is_done_in_one_library(both: Served) -> None:
    listed = both.client.get("/v1/libraries").json()
    assert [one["path"] for one in listed["libraries"]] == ["/v1/libraries/near", "/v1/libraries/far"]
    assert listed["together"] is True
    assert both.client.get("/v1/status").status_code == 422
    assert both.client.get("/v1/libraries/near/status").json()["documents"] == 2
    for path in ("duplicates", "outliers", "models", "labels", "enrichments", "map"):
        assert both.client.get(f"/v1/libraries/far/{path}").status_code == 200, path
    assert both.client.delete("/v1/libraries/far/documents/orion").status_code == 404
    for path in ("documents/../../../metrics", "documents/%2e%2e/%2e%2e/metrics", "roots", "../../readyz"):
        with httpx.Client() as client:
            url = httpx.URL(str(both.client.base_url)).copy_with(raw_path=f"/v1/libraries/far/{path}".encode())
            assert client.get(url).status_code == 404, path
    facets = both.client.get("/v1/facets", params={"field": "kind"}).json()
    assert facets["facets"]["kind"]["values"] == [{"value": "text", "count": 4}]
    assert {one["name"] for one in both.client.get("/v1/fields").json()["fields"]} >= {"title", "date"}
    assert both.client.get("/readyz").status_code == 200
    answered = both.client.post("/v1/answer", json={"query": "what lies in Orion"}).json()
    assert answered["hits"] and answered["degraded"] == []
    batch = both.client.post("/v1/search/batch", json={"searches": [{"query": "comets"}, {"query": "sun"}]}).json()
    assert [names(one)[0] for one in batch["results"]] == [("far", "comet"), ("near", "sun")]


def test_servers_that_ask_each_other_find_an_end(both: Served, near: Library) -> None:
    """One that answers for several is no library of another's."""
    with closing(Remote(str(both.client.base_url))) as remote, Federation({"near": near, "both": remote}) as joined:
        found = joined.search("stars")
        assert of(found) == {"near"}
        assert found.notes[0].code == "library_left_out" and "name one of them" in found.degraded[0]
    once_removed = {"Quarry-Together": "1"}
    assert both.client.post("/v1/libraries/far/search", json={"query": "x"}, headers=once_removed).status_code == 508


def test_one_needs_a_key_and_is_killed(folder: Path, near: Library) -> None:
    """The key is sent and never told; a server that is gone does not cost each query its timeout."""
    secret = Keys(folder / "locked").add("near", "read")
    with served(folder / "locked", folder / "locked.log") as locked:
        url = str(locked.client.base_url)
        with closing(Remote(url)) as keyless, Federation({"near": near, "locked": keyless}) as joined:
            found = joined.search("stars")
            assert "needs another key" in found.degraded[0] and of(found) == {"near"}
        with closing(Remote(url, key=secret)) as remote, Federation({"near": near, "locked": remote}) as joined:
            found = joined.search("stars")
            assert found.degraded == () and of(found) == {"near", "locked"}
            assert secret not in locked.log.read_text()
            locked.process.kill()
            locked.process.wait()
            for why in ("can't be reached", "not asked now"):
                found = joined.search("stars")
                assert of(found) == {"near"} and why in found.degraded[0]
                assert found.notes[0].values["library"] == "locked" and secret not in found.degraded[0]


def test_slow_ones_and_those_that_answer_nonsense_are_left_out(near: Library) -> None:
    with answering(slow) as dripping, answering(nonsense) as odd, socket.socket() as deaf, ExitStack() as stack:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        urls = {"dripping": dripping, "odd": odd, "deaf": f"http://127.0.0.1:{deaf.getsockname()[1]}"}
        others = {name: stack.enter_context(closing(Remote(url, timeout_s=1.0))) for name, url in urls.items()}
        near.search("stars")
        with Federation({"near": near, **others}) as joined:
            began = time.monotonic()
            found = joined.search("stars")
            assert time.monotonic() - began < 8
            assert of(found) == {"near"}
            assert {note.values["library"] for note in found.notes} == set(urls)
