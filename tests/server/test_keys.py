"""Keys: what is kept of them, what they open, and how often a minute."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from quarry.api.server.keys import Keys, KeyUses
from quarry.api.server.policy import is_public, is_reading
from quarry.api.server.rates import Rates
from quarry.search.errors import Conflict, InvalidRequest, LibraryError, NotFound
from tests.processes import Served, quarry, served

SEARCH = {"query": "ferrets"}
ADD = {"documents": [{"id": "one", "text": "Ferrets sleep all day."}]}


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


# --- the file -------------------------------------------------------------------------------------------------------


def test_a_key_is_kept_as_a_hash_for_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        secret = Keys(tmp_path / "library").add("laptop", "read")
    finally:
        os.umask(old)
    file = tmp_path / "library.keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text() and sha256(secret.encode()).hexdigest() in file.read_text()
    assert len(secret) > 43
    assert not list(tmp_path.glob(".*"))


def test_keys_are_found_listed_and_removed(tmp_path: Path) -> None:
    keys, others = Keys(tmp_path / "library"), Keys(tmp_path / "library")
    assert keys.all() == () and keys.find("") is None
    read, write = keys.add("한국어 laptop", "read"), keys.add("scanner", "write")
    assert [(key.name, key.scope, key.used) for key in others.all()] == [
        ("한국어 laptop", "read", None),
        ("scanner", "write", None),
    ]
    found = others.find(write)
    assert found is not None and found.name == "scanner"
    for wrong in ("", read[:-1], read + "x", read.upper(), found.sha256, "\ud800", "ключ"):
        assert others.find(wrong) is None
    uses = KeyUses(keys)
    uses.add(found)
    uses.keep()
    assert others.all()[1].used is not None
    keys.remove("scanner")
    assert others.find(write) is None and others.find(read) is not None


def test_what_can_not_be_a_key_is_refused(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "library")
    keys.add("laptop", "read")
    for name in ("", " ", "a\nb", "x" * 65, " x", "\x1b[31m"):
        with pytest.raises(InvalidRequest, match="name"):
            keys.add(name, "read")
    with pytest.raises(Conflict, match="laptop"):
        keys.add("laptop", "write")
    with pytest.raises(NotFound, match="phone"):
        keys.remove("phone")


def test_keys_that_are_made_at_once_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(lambda at: Keys(tmp_path / "library").add(f"key {at}", "read"), range(24)))
    keys = Keys(tmp_path / "library")
    assert len(keys.all()) == 24 and all(keys.find(secret) for secret in secrets)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"keys": [{}]}', '{"keys": [{"name": "x", "scope": "all", "sha256": "", "made": ""}]}']
)
def test_a_file_that_is_damaged_opens_nothing(tmp_path: Path, content: str) -> None:
    keys = Keys(tmp_path / "library")
    keys.path.write_text(content)
    keys.path.chmod(0o600)
    with pytest.raises(LibraryError, match=r"library\.keys\.json"):
        keys.all()


def test_a_file_that_others_may_have_written_opens_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "library")
    keys.add("laptop", "read")
    keys.path.chmod(0o660)
    keys.path.touch()
    with pytest.raises(LibraryError, match="others may write"):
        keys.all()
    elsewhere = tmp_path / "elsewhere"
    keys.path.rename(elsewhere)
    keys.path.symlink_to(elsewhere)
    with pytest.raises(LibraryError, match="link"):
        keys.all()


# --- requests -------------------------------------------------------------------------------------------------------


def test_what_writes_is_told_by_method_and_path() -> None:
    reading = ["/v1/search", "/v1/search/batch", "/v1/search/image", "/v1/answer", "/v1/embeddings", "/v1/verify"]
    assert all(is_reading("POST", path) for path in (*reading, "/v1/libraries/notes/search"))
    assert all(is_reading("GET", path) for path in ("/v1/documents", "/metrics"))
    for path in ("/v1/documents", "/v1/roots/sync", "/v1/searches", "/v1/libraries", "/v1/documents/search", "/"):
        assert not is_reading("POST", path)
    assert not any(is_reading(method, "/v1/search") for method in ("PUT", "PATCH", "DELETE", "BREW"))
    assert is_public("/healthz") and is_public("/page/main.js") and not is_public("/pages") and not is_public("/v1")


def test_a_bucket_fills_evenly() -> None:
    now = 0.0
    rates = Rates(60, lambda: now)
    assert [rates.take("a").left for _ in range(60)] == list(range(59, -1, -1))
    refused = rates.take("a")
    assert (refused.ok, refused.wait_s) == (False, pytest.approx(1.0))
    assert rates.take("b").ok
    now = 10.0
    assert [rates.take("a").ok for _ in range(11)] == [True] * 10 + [False]
    assert rates.headers(rates.take("a"))["RateLimit"] == '"key";r=0;t=1'


def test_processes_count_together(tmp_path: Path) -> None:
    rates, others = (Rates(60, lambda: 5.0, tmp_path / "rates") for _ in range(2))
    assert [(rates if place % 2 else others).take("a").left for place in range(60)] == list(range(59, -1, -1))
    assert not rates.take("a").ok and not others.take("a").ok
    assert all(others.take(f"address {number}").left == 59 for number in range(1_000))
    assert not rates.take("a").ok


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str, str]]:
    """A server at every address of this machine, and its keys: to read with, and to write with."""
    place = tmp_path_factory.mktemp("guarded")
    said = quarry("serve", "--library", place / "library", "--host", "0.0.0.0", "--port", "0", code=1).stderr
    assert "quarry keys add NAME" in said and not (place / "library").exists()
    read, write = Keys(place / "library").add("reader", "read"), Keys(place / "library").add("writer", "write")
    options = ("--host", "0.0.0.0", "--cors-origin", "https://search.example", "--rate-limit", "120")
    with served(place / "library", place / "log", *options) as running:
        yield running, read, write


@pytest.mark.fault("38")
def test_a_key_is_needed_where_other_machines_reach_the_server(guarded: tuple[Served, str, str]) -> None:
    server, read, write = guarded
    client = server.client
    for headers in ({}, bearer("wrong"), {"Authorization": f"Basic {read}"}, {"Authorization": read}):
        for method, path in (("POST", "/v1/search"), ("GET", "/openapi.json"), ("GET", "/v1/documents"), ("PUT", "/")):
            answer = client.request(method, path, json=SEARCH, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
            assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert client.get("/readyz").status_code == client.get("/healthz").status_code == 200
    assert client.post("/v1/search", json=SEARCH, headers=bearer(read)).status_code == 200
    assert client.post("/v1/search", json=SEARCH, headers=bearer(read, Host="search.example")).status_code == 200
    refused = client.post("/v1/documents", json=ADD, headers=bearer(read))
    assert refused.status_code == 403 and "reader may only read" in refused.json()["detail"]
    assert client.post("/v1/documents", json=ADD, headers=bearer(write)).status_code == 201
    assert read not in server.log.read_text() and "reader (read)" in server.log.read_text()


def test_pages_of_origins_that_are_named_may_use_it(guarded: tuple[Served, str, str]) -> None:
    server, read, write = guarded
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    own, other = {"Origin": "https://search.example"}, {"Origin": "https://evil.example"}
    allowed = server.client.options("/v1/search", headers={**ask, **own})
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == own["Origin"]
    assert "access-control-allow-credentials" not in allowed.headers
    answer = server.client.post("/v1/search", json=SEARCH, headers=bearer(read, **own))
    assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == own["Origin"]
    assert "access-control-allow-origin" not in server.client.options("/v1/search", headers={**ask, **other}).headers
    assert server.client.post("/v1/search", json=SEARCH, headers=bearer(write, **other)).status_code == 403


def test_who_asks_too_often_is_told_when_to_ask_again(guarded: tuple[Served, str, str]) -> None:
    server, read, write = guarded
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code != 429:
        answers.append(server.client.get("/v1/fields", headers=bearer(read)))
        assert len(answers) < 200
    assert answers[0].headers["ratelimit-policy"] == '"key";q=120;w=60'
    assert answers[-1].headers["ratelimit"] == '"key";r=0;t=1'
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert server.client.get("/v1/fields", headers=bearer(write)).status_code == 200


def test_a_key_is_needed_from_the_first_one_on(tmp_path: Path) -> None:
    with served(tmp_path / "library", tmp_path / "log") as server:
        assert server.client.get("/v1/fields", headers=bearer("of another program")).status_code == 200
        listed = json.loads(quarry("keys", "add", "laptop", "--library", tmp_path / "library", "--json").stdout)
        assert server.client.get("/v1/fields").status_code == 401
        assert server.client.get("/v1/fields", headers=bearer(listed["key"])).status_code == 200
        Keys(tmp_path / "library").path.unlink()  # and never again without
        assert server.client.get("/v1/fields").status_code == 401


@pytest.mark.parametrize(
    ("headers", "search", "write"),
    [
        ({"Origin": "http://localhost:1"}, 200, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 200, 403),
        ({"Sec-Fetch-Site": "same-site"}, 200, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:1"}, 200, 404),
        ({"Sec-Fetch-Site": "none"}, 200, 404),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403, 403),
    ],
)
def test_a_page_of_another_site_writes_nothing(
    server: Served, headers: dict[str, str], search: int, write: int
) -> None:
    assert server.client.post("/v1/search", json=SEARCH, headers=headers).status_code == search
    assert server.client.delete("/v1/documents/nothing", headers=headers).status_code == write


def test_the_command_line(tmp_path: Path) -> None:
    library = ("--library", tmp_path / "library")
    assert "no keys" in quarry("keys", *library).stdout
    made = quarry("keys", "add", "scanner", "--write", *library)
    assert made.stdout.startswith("quarry_") and "not shown again" in made.stderr
    listed = quarry("keys", "list", *library).stdout
    assert listed.split()[:3] == ["scanner", "write", "made"] and made.stdout.strip() not in listed
    assert json.loads(quarry("keys", "--json", *library).stdout)["keys"][0].keys() == {"name", "scope", "made", "used"}
    quarry("keys", "remove", "scanner", *library)
    quarry("keys", "remove", "scanner", *library, code=1)
    quarry("keys", "add", *library, code=2)
    quarry("keys", "list", "scanner", *library, code=2)
    for origin in ("*", "https://search.example/", "search.example"):
        quarry("serve", *library, "--port", "0", "--cors-origin", origin, code=1)
    quarry("keys", "add", "laptop", *library)
    assert "no address of this machine" in quarry("serve", *library, "--host", "no.such.host", code=1).stderr
