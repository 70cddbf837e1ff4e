"""The HTTP server as a real process: every route, and what happens around it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from quarry.api import Library
from quarry.api.routes.answer import AnswerRequest, AnswerResponse
from quarry.api.routes.documents import DocumentBody, DocumentList, DocumentWithText
from quarry.api.routes.fields import FieldList
from quarry.api.routes.health import Health
from quarry.api.routes.jobs import JobBody
from quarry.api.routes.problems import Problem
from quarry.api.routes.results import SearchResponse
from quarry.api.routes.search import SearchRequest
from quarry.api.routes.writing import AddResponse, DeleteResponse
from quarry.api.server.app import MAX_BODY, create_app
from tests.processes import Served, quarry, served
from tests.replies import described, refused


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over a new library, shared by tests that each add documents of their own."""
    directory = tmp_path_factory.mktemp("writable")
    with served(directory / "library", directory / "log") as running:
        yield running


# --- routes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["semantic", "lexical", "hybrid"])
def test_search(server: Served, mode: str) -> None:
    request = {"query": "how do stars form", "mode": mode, "limit": 3, "explain": True}
    body = described(server.client.post("/v1/search", json=request), SearchResponse)
    assert body["hits"][0]["document"]["uri"].endswith("data/sample/astronomy/star-formation.md")
    assert len(body["hits"]) == 3
    assert body["degraded"] == []
    for hit in body["hits"]:
        document = server.client.get(f"/v1/documents/{hit['document']['id']}").json()
        assert document["text"][hit["start"] : hit["end"]] == hit["text"]
        assert all(0 <= start < end <= len(hit["text"]) for start, end in hit["highlights"])
        assert hit["explanation"]


def test_null_is_the_default(server: Served) -> None:
    hits = server.client.post("/v1/search", json={"query": "water"}).json()["hits"]
    nulls = {name: None for name in SearchRequest.model_fields if name != "query"}
    assert server.client.post("/v1/search", json={"query": "water", **nulls}).json()["hits"] == hits
    nulls = {name: None for name in AnswerRequest.model_fields if name != "query"}
    assert described(server.client.post("/v1/answer", json={"query": "water", **nulls}), AnswerResponse)
    assert server.client.post("/v1/search", json={"query": "water", "nulls": None}).status_code == 422
    limit = server.client.get("/openapi.json").json()["components"]["schemas"]["SearchRequest"]["properties"]["limit"]
    assert (limit["anyOf"], limit["default"]) == ([{"type": "integer"}, {"type": "null"}], 10)


def test_fields_and_what_a_filter_may_have_been_meant_as(server: Served) -> None:
    fields = described(server.client.get("/v1/fields"), FieldList)["fields"]
    assert fields[0]["name"] == "id"
    subject = next(field for field in fields if field["name"] == "subject")
    value = subject["values"][0]
    found = server.client.get("/v1/documents", params={"filter": json.dumps({"subject": value["value"]})})
    body = described(found, DocumentList)
    assert (body["total"], body["degraded"]) == (value["count"], [])
    wrong = {"filter": json.dumps({"sujbect": value["value"]})}
    assert described(server.client.get("/v1/documents", params=wrong), DocumentList)["degraded"] == [
        "No document has the field `sujbect`; did you mean `subject`?"
    ]
    request = {"query": "water", "filter": {"sujbect": value["value"]}}
    body = described(server.client.post("/v1/search", json=request), SearchResponse)
    assert (body["hits"], body["degraded"]) == ([], ["No document has the field `sujbect`; did you mean `subject`?"])
    values = {"field": "sujbect", "near": ["subject"]}
    assert body["notes"] == [{"code": "field_unknown", "message": body["degraded"][0], "values": values}]


def test_search_with_a_filter(server: Served) -> None:
    request = {"query": "water", "filter": {"type": "text/html", "path": {"$contains": "/earth/"}}, "limit": 50}
    body = described(server.client.post("/v1/search", json=request), SearchResponse)
    assert body["hits"]
    assert {hit["document"]["type"] for hit in body["hits"]} == {"text/html"}
    assert all("/earth/" in hit["document"]["uri"] for hit in body["hits"])


def test_documents_are_listed_in_pages(server: Served) -> None:
    whole = described(server.client.get("/v1/documents", params={"limit": 1000}), DocumentList)
    assert whole["total"] == len(whole["documents"]) > 100
    pages = [server.client.get("/v1/documents", params={"limit": 7, "offset": at}).json() for at in range(0, 21, 7)]
    assert [one for page in pages for one in page["documents"]] == whole["documents"][:21]
    filter = json.dumps({"type": "application/pdf"})
    pdf = described(server.client.get("/v1/documents", params={"filter": filter}), DocumentList)
    assert [one["title"] for one in pdf["documents"]] == [
        one["title"] for one in whole["documents"] if one["type"] == "application/pdf"
    ]
    beyond = described(server.client.get("/v1/documents", params={"offset": 10**30}), DocumentList)
    assert beyond["documents"] == []


@pytest.mark.parametrize(
    ("params", "named"),
    [({"limit": "-1"}, "limit"), ({"limit": "many"}, "limit"), ({"limt": "5"}, "limt"), ({"filter": "{"}, "filter"),
     ({"filter": "[]"}, "filter"), ({"filter": '{"a":' * 2_500}, "filter"), ({"filter": '{"year": NaN}'}, "year")],
)  # fmt: skip
def test_documents_list_refuses(server: Served, params: dict[str, str], named: str) -> None:
    assert named in refused(server.client.get("/v1/documents", params=params), 422)


def test_a_document_is_added_replaced_and_deleted(writable: Served) -> None:
    client = writable.client
    new = {
        "id": "notes/가 1?.md",
        "title": "Ferrets",
        "text": "Ferrets sleep eighteen hours a day.",
        "metadata": {"n": 1},
    }
    assert described(client.post("/v1/documents", json={"documents": [new]}), AddResponse, 201) == {"ids": [new["id"]]}
    path = "/v1/documents/notes%2F%EA%B0%80%201%3F.md"
    document = described(client.get(path), DocumentWithText)
    assert (document["text"], document["title"], document["metadata"]) == (new["text"], "Ferrets", {"n": 1})

    client.post("/v1/documents", json={"documents": [{**new, "text": "Ferrets hoard shiny things."}]})
    assert client.get(path).json()["text"] == "Ferrets hoard shiny things."
    hits = client.post("/v1/search", json={"query": "ferrets", "mode": "lexical"}).json()["hits"]
    assert [hit["text"] for hit in hits] == ["Ferrets hoard shiny things."]

    assert described(client.delete(path), DeleteResponse) == {"deleted": 1}
    assert "no document" in refused(client.get(path), 404)
    assert "no document" in refused(client.delete(path), 404)
    assert client.post("/v1/search", json={"query": "ferrets", "mode": "lexical"}).json()["hits"] == []


def test_a_file_is_added(writable: Served) -> None:
    content = "# Wombats\n\nWombats leave cubes of dung.\n".encode("utf-16")
    response = writable.client.post("/v1/documents/file", params={"name": "wombats.md"}, content=content)
    (id,) = described(response, AddResponse, 201)["ids"]
    document = writable.client.get(f"/v1/documents/{id}").json()
    assert (document["title"], document["type"]) == ("Wombats", "text/markdown")
    assert "cubes of dung" in document["text"]
    csv = b"name,weight\nquoll,1.5\nnumbat,0.6\n"
    response = writable.client.post("/v1/documents/file", params={"name": "animals.csv"}, content=csv)
    assert len(described(response, AddResponse, 201)["ids"]) == 2


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [("tool.exe", b"MZ", 415), ("binary.txt", bytes(range(256)) * 8, 422), ("broken.pdf", b"%PDF-1.7 nothing", 422),
     ("", b"x", 422), ("x" * 300 + ".md", b"x", 422), ("empty.md", b"", 422)],
)  # fmt: skip
def test_a_file_is_refused(writable: Served, name: str, content: bytes, status: int) -> None:
    refused(writable.client.post("/v1/documents/file", params={"name": name}, content=content), status)


def test_health(server: Served) -> None:
    assert described(server.client.get("/healthz"), Health) == {"status": "ok", "causes": []}
    assert described(server.client.get("/readyz"), Health) == {"status": "ready", "causes": []}


# --- what describes them --------------------------------------------------------------------------------------------


OF_OTHER_TYPES = {
    "A small picture": "image/*",
    "The picture itself": "image/*",
    "Get a small picture": "image/jpeg",
    "Get a document's file": "*/*",
    "Get a file of it": "application/octet-stream",
    "Watch a job": "text/event-stream",
    "Metrics for Prometheus": "text/plain",
}


def test_openapi_describes_every_answer(server: Served) -> None:
    schema = server.client.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1")

    def resolve(node: Any) -> None:
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            resolve(value)
        if isinstance(node, dict) and "$ref" in node:
            target = schema
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]

    resolve(schema)
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 51
    for operation in operations:
        assert operation["summary"]
        assert "default" in operation["responses"]
        for status, response in operation["responses"].items():
            media = OF_OTHER_TYPES.get(operation["summary"], "application/json")
            media = media if status < "300" else "application/problem+json"
            if operation["summary"] != "Can it search":
                assert list(response["content"]) == [media], (operation["summary"], status)
            content = response["content"][next(iter(response["content"]))]
            assert content["schema"].get("$ref") or content["schema"]["type"] == "string"


def test_openapi_examples_work(writable: Served) -> None:
    client = writable.client
    components = client.get("/openapi.json").json()["components"]["schemas"]
    for name, path, status in (
        ("SearchRequest", "/v1/search", 200),
        ("AnswerRequest", "/v1/answer", 200),
        ("AddRequest", "/v1/documents", 201),
        ("BatchRequest", "/v1/search/batch", 200),
        ("VerifyRequest", "/v1/verify", 200),
        ("EmbeddingsRequest", "/v1/embeddings", 200),
    ):
        assert components[name]["examples"]
        for example in components[name]["examples"]:
            assert client.post(path, json=example).status_code == status
    shown = {"SearchResponse": SearchResponse, "DocumentBody": DocumentBody, "JobBody": JobBody, "Problem": Problem}
    for name, model in shown.items():
        for example in components[name]["examples"]:
            assert model.model_validate(example).model_dump(mode="json", exclude_unset=True) == example


# --- what is refused ------------------------------------------------------------------------------------------------


def test_unknown_routes_and_methods(server: Served) -> None:
    client = server.client
    for path in ("/nothing", "/v1", "/docs", "/v1/search/x", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"):
        refused(client.get(path), 404)
    for method, path, allowed in (
        ("PUT", "/v1/documents", "GET, POST, DELETE"),
        ("GET", "/v1/search", "POST"),
        ("OPTIONS", "/v1/search", "POST"),
        ("POST", "/healthz", "GET"),
        ("PATCH", "/v1/documents/x", "GET, PUT, DELETE"),
    ):
        response = client.request(method, path)
        refused(response, 405)
        assert response.headers["allow"] == allowed


@pytest.mark.fault("33")
def test_paths_lead_to_documents_only(server: Served) -> None:
    for path in (
        "../../../../etc/passwd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%2Fetc%2Fpasswd",
        "%00",
        "%ED%A0%80",
        "'",
    ):
        refused(server.client.get(f"/v1/documents/{path}"), 404)


def test_head_is_get_without_the_body(server: Served) -> None:
    for path in ("/healthz", "/v1/documents"):
        head, get = server.client.head(path), server.client.get(path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.fault("38")
def test_it_listens_on_this_machine_alone(server: Served) -> None:
    process = psutil.Process(server.process.pid)
    listening = [one.laddr.ip for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


@pytest.mark.fault("38")
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "10.0.0.1:80", ""]
)
def test_other_hosts_are_refused(server: Served, host: str) -> None:
    refused(server.client.get("/v1/documents", headers={"host": host}), 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7700", "127.0.0.1:1", "[::1]:7700"])
def test_this_machine_is_answered(server: Served, host: str) -> None:
    assert server.client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"])
def test_pages_of_other_sites_are_refused(server: Served, origin: str) -> None:
    response = server.client.post("/v1/search", json={"query": "x"}, headers={"origin": origin})
    refused(response, 403)
    assert "access-control-allow-origin" not in response.headers
    own = server.client.post("/v1/search", json={"query": "x"}, headers={"origin": "http://127.0.0.1:7700"})
    assert own.status_code == 200


@pytest.mark.fault("34")
def test_a_large_body_is_refused(server: Served) -> None:
    piece = b"a" * (1 << 20)
    count = (MAX_BODY >> 20) + 1

    def chunks() -> Iterator[bytes]:
        for _ in range(count):
            yield piece

    for path in ("/v1/search", "/v1/documents", "/v1/documents/file?name=a.txt"):
        for content in (piece * count, chunks()):
            response = server.client.post(path, content=content, headers={"content-type": "application/json"})
            assert f"{MAX_BODY:,}" in refused(response, 413)
    length = {"content-length": str(300 << 20)}  # refused before any of it is sent
    with socket.create_connection((server.client.base_url.host, server.client.base_url.port or 0), 5) as raw:
        head = "".join(f"{name}: {value}\r\n" for name, value in {"host": "localhost", **length}.items())
        raw.sendall(f"POST /v1/documents/file?name=a.txt HTTP/1.1\r\n{head}\r\n".encode())
        assert raw.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (RuntimeError("the secret is 1234"), 500, "log"),
        (MemoryError("the secret is 1234"), 503, "not enough memory"),
        (OSError(24, "Too many open files", "the secret"), 503, "Too many open files"),
    ],
)
def test_unforeseen_errors_leak_nothing(
    own_library: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, said: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    async def ask(library: Library) -> httpx.Response:
        transport = httpx.ASGITransport(create_app(library), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/v1/search", json={"query": "x"})

    with Library(own_library) as library:
        monkeypatch.setattr(library, "search", fail)
        response = asyncio.run(ask(library))
    assert said in refused(response, status)
    assert "secret" not in response.text
    assert type(error).__name__ not in response.text


# --- other processes ------------------------------------------------------------------------------------------------


def test_other_processes_see_what_was_committed(own_library: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "axolotl.md").write_text("# Axolotls\n\nAn axolotl regrows lost legs.\n")

    def found(client: httpx.Client) -> list[str]:
        hits = client.post("/v1/search", json={"query": "axolotl okapi", "mode": "lexical"}).json()["hits"]
        return sorted(hit["document"]["title"] for hit in hits)

    def found_by_command() -> list[str]:
        run = quarry("search", "--library", own_library, "--json", "--mode", "lexical", "axolotl okapi")
        return sorted(hit["document"]["title"] for hit in json.loads(run.stdout)["hits"])

    with served(own_library, tmp_path / "log") as one, served(own_library, tmp_path / "log2") as other:
        assert found(one.client) == []
        quarry("index", "--library", own_library, notes)
        assert found(one.client) == found(other.client) == ["Axolotls"]
        (id,) = one.client.post(
            "/v1/documents", json={"documents": [{"title": "Okapis", "text": "An okapi cleans its ears by tongue."}]}
        ).json()["ids"]
        assert found(other.client) == found_by_command() == ["Axolotls", "Okapis"]
        assert other.client.delete(f"/v1/documents/{id}").status_code == 200
        (notes / "axolotl.md").unlink()
        quarry("index", "--library", own_library, "--prune")
        assert found(one.client) == found_by_command() == []


@pytest.mark.fault("9")
def test_readers_see_one_generation_while_documents_change(own_library: Path, tmp_path: Path) -> None:
    """Row 9: 50 readers, 100 commits. Each replaces three documents at once: a response shows three of a kind."""
    readers, commits = 50, 100
    stop = threading.Event()
    faults: list[str] = []
    answers = [0] * readers

    def documents(turn: int) -> dict[str, Any]:
        text = f"The zorilla of turn {turn} sleeps in burrow"
        return {
            "documents": [{"id": f"z{n}", "text": f"{text} {n}.", "metadata": {"turn": turn}} for n in range(3)],
        }

    def read(number: int, address: httpx.URL) -> None:
        mode = ("lexical", "hybrid", "semantic")[number % 3]
        last = 0
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            while not stop.wait(0.8):  # without a pause, the readers alone keep two cores busy
                request = {"query": "zorilla burrow", "mode": mode, "filter": {"turn": {"$gte": 0}}}
                response = client.post("/v1/search", json=request)
                body = response.json()
                if response.status_code == 503 and "try again" in body["detail"]:  # on a machine that is busy
                    continue
                if response.status_code != 200 or body["degraded"]:
                    faults.append(response.text)
                    return
                turns = [hit["document"]["metadata"]["turn"] for hit in body["hits"]]
                texts = [hit["text"] for hit in body["hits"]]
                if len(turns) != 3 or len(set(turns)) != 1 or any(f"turn {turns[0]} " not in text for text in texts):
                    faults.append(f"{mode}: {texts}")
                if body["generation"] < last:
                    faults.append(f"generation {body['generation']} after {last}")
                last = body["generation"]
                answers[number] += 1

    with served(own_library, tmp_path / "log") as running:
        writer = running.client
        writer.post("/v1/documents", json=documents(0)).raise_for_status()
        threads = [threading.Thread(target=read, args=(n, running.client.base_url)) for n in range(readers)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(1, commits + 1):
                writer.post("/v1/documents", json=documents(turn)).raise_for_status()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert faults == []
        assert min(answers) > 0
        assert running.log.read_text("utf-8").count("\n") == 1  # only where it serves


@pytest.mark.fault("10")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_keeps_what_is_committed(own_library: Path, tmp_path: Path, sent: int) -> None:
    """Row 10, while serving."""
    statuses: list[int] = []

    def add(client: httpx.Client) -> None:
        texts = [{"text": f"Quokka number {n} smiles." * 20, "metadata": {"quokka": n}} for n in range(150)]
        try:
            statuses.append(client.post("/v1/documents", json={"documents": texts}).status_code)
        except httpx.TransportError:
            statuses.append(0)

    with served(own_library, tmp_path / "log") as running:
        running.client.post("/v1/documents", json={"documents": [{"text": "kept", "metadata": {"quokka": -1}}]})
        with httpx.Client(base_url=running.client.base_url, timeout=60, trust_env=False) as client:
            thread = threading.Thread(target=add, args=(client,))
            thread.start()
            thread.join(0.3)
            assert running.stop(sent) == 0
            thread.join()
        assert "Traceback" not in running.log.read_text("utf-8")
    with Library(own_library) as library:
        _, kept = library.documents(filter={"quokka": {"$exists": True}})
        assert kept == {201: 151, 0: 1}[statuses[0]]
        assert not [finding for finding in library.doctor() if finding.level == "damage"]


def test_a_port_in_use_is_told(server: Served, sample_library: Path) -> None:
    port = str(server.client.base_url.port)
    run = quarry("serve", "--library", sample_library, "--port", port, code=1)
    assert f"Port {port} can't be used (address already in use)" in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_library_that_does_not_exist_is_made_where_that_is_said(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for place in (tmp_path / "new", tmp_path):  # a folder that is there, but no library, is as mistyped
        run = quarry("serve", "--library", place, "--port", port, code=1)
        assert run.stderr.startswith(f"quarry: There is no library at {place}.")
        assert "--create" in run.stderr
        assert run.stderr.count("\n") == 1
        assert not list(tmp_path.iterdir())
    with served(tmp_path / "own", tmp_path / "log"):  # port 0: a program that starts a server of its own
        assert (tmp_path / "own" / "catalog.db").exists()
    with served(tmp_path / "new", tmp_path / "log", "--create", "--port", port) as running:
        for mode in ("semantic", "lexical", "hybrid"):
            body = running.client.post("/v1/search", json={"query": "anything", "mode": mode}).json()
            assert (body["hits"], body["degraded"]) == ([], [])
        assert running.client.get("/v1/documents").json()["total"] == 0


@pytest.mark.fault("37")
def test_a_missing_model_costs_only_what_needs_it(own_library: Path, tmp_path: Path) -> None:
    """Row 37: nothing is exported within a request, words are still found, and readiness tells the cause."""
    with served(own_library, tmp_path / "log", env={"QUARRY_CACHE": str(tmp_path / "cache")}) as running:
        client = running.client
        body = described(client.get("/readyz"), Health, 503)
        assert "quarry models --prepare" in body["causes"][0]
        assert client.get("/healthz").status_code == 200

        def search(mode: str) -> httpx.Response:
            return client.post("/v1/search", json={"query": "protostar", "mode": mode})

        words = described(search("lexical"), SearchResponse)
        assert words["hits"]
        assert words["degraded"] == []
        both = described(search("hybrid"), SearchResponse)
        assert [hit["id"] for hit in both["hits"]] == [hit["id"] for hit in words["hits"]]
        assert "quarry models --prepare" in both["degraded"][0]
        assert "quarry models --prepare" in refused(search("semantic"), 503)
        new = {"documents": [{"text": "An aye-aye taps on wood."}]}
        assert "quarry models --prepare" in refused(client.post("/v1/documents", json=new), 503)
    assert not (tmp_path / "cache" / "models").exists() or not list((tmp_path / "cache" / "models").glob("*/*.onnx"))


# --- what clients send in other ways --------------------------------------------------------------------------------


def test_a_file_is_added_by_a_form(writable: Served) -> None:
    """As `curl -F` and a browser's FormData send it."""
    client, content = writable.client, b"Pangolins roll up.\r\n--not a boundary\r\n"
    response = client.post("/v1/documents/file", files={"file": ("animals/pangolins.txt", content)})
    (id,) = described(response, AddResponse, 201)["ids"]
    document = client.get(f"/v1/documents/{id}").json()
    assert document["text"] == "Pangolins roll up.\n--not a boundary"
    assert document["uri"] == "quarry:file/animals/pangolins.txt"
    fields = {"name": "named.md", "metadata": '{"class": "mammal"}'}
    response = client.post("/v1/documents/file", files={"upload": ("x.bin", b"# Aardvarks\n\nDig.")}, data=fields)
    (id,) = described(response, AddResponse, 201)["ids"]
    document = client.get(f"/v1/documents/{id}").json()
    assert (document["title"], document["metadata"]) == ("Aardvarks", {"class": "mammal"})
    named = client.post("/v1/documents/file", params={"name": "a.txt"}, files={"file": ("b.exe", b"Anteaters.")})
    (id,) = described(named, AddResponse, 201)["ids"]
    assert client.get(f"/v1/documents/{id}").json()["uri"] == "quarry:file/a.txt"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"files": [("file", ("a.txt", b"a")), ("file", ("b.txt", b"b"))]}, "several files"),
        ({"files": [("file", ("a.txt", b"a"))] * 3}, "can't be read"),
        ({"files": {"file": ("a.txt", b"a"), "note": (None, b"a")}}, "note: there is no such field"),
        ({"files": {"name": (None, b"a.txt")}}, "no part with a filename"),
        ({"files": {"file": ("", b"a")}}, "no part with a filename"),
        ({"files": {"file": ("a.txt", b"a"), "metadata": (None, b"[1]")}}, "metadata must be a JSON object"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "can't be read"),
        ({"content": b"--b\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}}, "can't be|part"),
        ({"content": b"words"}, "name: say what the file is called"),
    ],
)  # fmt: skip
def test_a_form_that_is_none_is_refused(writable: Served, request_: dict[str, Any], reason: str) -> None:
    before = writable.client.get("/v1/documents").json()["total"]
    detail = refused(writable.client.post("/v1/documents/file", **request_), 422)
    assert re.search(reason, detail), detail
    assert writable.client.get("/v1/documents").json()["total"] == before


@pytest.mark.fault("34")
def test_a_form_that_is_too_large_is_refused(writable: Served) -> None:
    files = {"file": ("a.txt", b"x" * (MAX_BODY + 1))}
    refused(writable.client.post("/v1/documents/file", files=files), 413)


def test_the_same_name_replaces_what_it_named(writable: Served) -> None:
    client = writable.client
    first = client.post("/v1/documents/file", params={"name": "okapi.txt"}, content=b"Okapis hide.").json()["ids"]
    again = client.post("/v1/documents/file", params={"name": "okapi.txt"}, content=b"Okapis eat leaves.").json()["ids"]
    hits = client.post("/v1/search", json={"query": "okapis", "mode": "lexical"}).json()["hits"]
    assert first == again and [hit["text"] for hit in hits] == ["Okapis eat leaves."]


def test_a_deletion_is_undone(writable: Served) -> None:
    client = writable.client
    client.post("/v1/documents", json={"documents": [{"id": "kiwi", "text": "Kiwis sniff."}]})
    assert client.delete("/v1/documents/kiwi").json() == {"deleted": 1}
    assert described(client.post("/v1/documents/undelete", json={}), AddResponse) == {"ids": ["kiwi"]}
    assert client.get("/v1/documents/kiwi").json()["text"] == "Kiwis sniff."
    assert "was deleted" in refused(client.post("/v1/documents/undelete", json={"ids": ["kiwi"]}), 404)
    assert client.delete("/v1/documents/kiwi/").json() == {"deleted": 1}
    assert client.post("/v1/documents/undelete").json() == {"ids": ["kiwi"]}  # what was deleted last takes no body
    assert client.get("/v1/documents/kiwi/").json()["id"] == "kiwi"
    assert "'kea'" in refused(client.get("/v1/documents/kea/"), 404)


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/images", "/v1/fields", "/openapi.json", "/healthz", "/readyz"])
def test_a_slash_at_the_end_changes_nothing(server: Served, path: str) -> None:
    params = {"q": "a cat"} if path == "/v1/images" else {}
    plain, slashed = (server.client.get(path + slash, params=params) for slash in ("", "/"))
    assert plain.status_code == slashed.status_code == 200 and not slashed.history
    assert plain.json().keys() == slashed.json().keys()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/search"), ("POST", "/v1/answer"), ("GET", "/v1/fields"), ("GET", "/v1/documents/x")],
)
def test_parameters_that_nothing_takes_are_refused(server: Served, method: str, path: str) -> None:
    body: dict[str, Any] = {"json": {"query": "tides"}} if method == "POST" else {}
    assert "limit: " in refused(server.client.request(method, path, params={"limit": 3}, **body), 422)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"query": "x", "limit": "3"}, "limit: give a whole number"),
        ({"query": "x", "kinds": "text"}, "kinds: give a list"),
        ({"query": "x", "filter": "type=csv"}, "filter: give an object"),
        ({"query": "x", "explain": "yes"}, "explain: give true or false"),
        ({"query": ["x"]}, "query: give a text"),
        ([], "The body can't be read: give an object, as application/json."),
    ],
)
def test_wrong_types_are_told_in_words(server: Served, body: object, said: str) -> None:
    assert refused(server.client.post("/v1/search", json=body), 422) == said


def test_a_slash_at_the_end_of_what_takes_a_body(writable: Served) -> None:
    client = writable.client
    added = client.post("/v1/documents/", json={"documents": [{"id": "dodo/", "text": "Dodos are gone."}]})
    assert added.status_code == 201
    assert client.post("/v1/documents/file/", files={"file": ("d.txt", b"Dingoes.")}).status_code == 201
    assert client.post("/v1/search/", json={"query": "dodos", "mode": "lexical"}).json()["hits"]
    assert client.get("/v1/documents/dodo%2F").json()["text"] == "Dodos are gone."  # an id of that very form
