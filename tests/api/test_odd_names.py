"""Names of files that are bytes: each has one spelling as text, which every command and the server take back."""

from __future__ import annotations

import asyncio
import json
import os
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from click.testing import CliRunner

from quarry.api.cli import cli
from quarry.api.library import Library, Text
from quarry.api.server.app import create_app
from quarry.search.errors import InvalidRequest
from quarry.search.files.uris import path_of
from quarry.search.models.fake import FakeModels

NAMES = {
    "no UTF-8": b"\xff\xfe.txt",
    "half a letter": "ä".encode()[:1] + b".txt",
    "line ends": b"a\nb\r.txt",
    "escapes": b"\x1b[2J\x9b.txt",
    "a dash": b"-n.txt",
    "percent": b"%41%FF.txt",
    "signs of a URL": b"a#b?c&d=e.txt",
    "decomposed": unicodedata.normalize("NFD", "가나é.txt").encode(),
    "composed": unicodedata.normalize("NFC", "다라é.txt").encode(),
    "long": b"x" * 251 + b".txt",
    "quotes and commas": b"a, \"b\" 'c' \\d.txt",
    "a pattern": b"[a]*.txt",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library of these files in a folder whose name is no UTF-8."""
    top = tmp_path_factory.mktemp("odd")
    folder = path_of(f"file://{top}/folder%FE")
    folder.mkdir()
    with Library(top / "library", models=FakeModels()) as opened:
        for label, name in NAMES.items():
            (folder / os.fsdecode(name)).write_text(f"This is {label}.")
        assert opened.index(folder).complete
        yield opened


def run(library: Library, command: str, *arguments: str) -> dict[str, Any]:
    where = ["--library", str(library.settings.library), "--json"]
    done = CliRunner().invoke(cli, [command, *where, *arguments], obj=FakeModels())
    assert done.exit_code == 0, (done.output, done.exception)
    body = json.loads(done.stdout_bytes.decode("utf-8"))
    json.dumps(body, ensure_ascii=False).encode()  # no half of a surrogate pair, which is no Unicode
    assert isinstance(body, dict)
    return body


def ask(library: Library, method: str, path: str) -> httpx.Response:
    """Send a request as it is: Starlette's own client decodes a path twice."""

    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(library))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    return asyncio.run(sent())


@pytest.mark.fault("16")
@pytest.mark.parametrize("label", NAMES)
def test_a_name_leads_back_to_its_file(library: Library, label: str) -> None:
    text = f"This is {label}."
    (document,) = (one for one in library.documents()[0] if library.text(one.id) == text)
    path = path_of(document.uri)
    assert path.read_text() == text and os.fsencode(path.name) == NAMES[label]
    assert library.get(path) == library.get(str(path)) == library.get(document.uri) == document
    for reference in (document.uri, str(path)):
        assert run(library, "show", "--", reference)["uri"] == document.uri
        assert run(library, "similar", "--", reference)["hits"]
        found = run(library, "list", "--filter", json.dumps({"uri": document.uri}))["documents"]
        assert [one["id"] for one in found] == [document.id]  # type: ignore[attr-defined]
    folder = run(library, "list", "--filter", f"path='{path.parent}'")
    assert folder["total"] == len(NAMES)
    for name in (document.id, document.uri):
        answer = ask(library, "GET", f"/v1/documents/{quote(name, safe='')}")
        assert (answer.status_code, answer.json().get("text")) == (200, text), answer.text
    assert ask(library, "DELETE", f"/v1/documents/{quote(document.uri, safe='')}").json() == {"deleted": 1}
    assert library.undelete([document.uri]) == [document.id]
    assert run(library, "delete", "--", str(path)) == {"deleted": 1}
    assert run(library, "undelete", "--", str(path)) == {"ids": [document.id]}


def test_a_uri_may_be_encoded_otherwise(library: Library) -> None:
    uri = next(one.uri for one in library.documents()[0] if one.uri.endswith("%FF%FE.txt"))
    document = library.get(uri)
    for spelling in (uri.replace("%FF", "%ff"), uri.replace("folder", "%66older"), uri.replace(".txt", "%2etxt")):
        assert library.get(spelling) == document
    plain = path_of(uri).parent.parent / "plain é.txt"
    plain.write_text("A plain name.")
    library.index(plain)
    assert library.get(f"file://{quote(str(plain))}").uri == str(plain)
    assert library.forget(plain) == 1


def test_status_and_reports_are_unicode(library: Library) -> None:
    (root,) = run(library, "status", "--skipped")["roots"]
    assert root["path"].endswith("/folder%FE")
    assert run(library, "index")["failed"] == {}
    assert run(library, "index")["unchanged_files"] == len(NAMES)
    with pytest.raises(InvalidRequest, match="/lib%FD: its path must be UTF-8"):
        Library(path_of("file:///tmp/lib%FD"), models=FakeModels())


def test_nothing_of_a_library_runs_in_a_browser(library: Library) -> None:
    """A page that was stored is text within JSON; whatever is answered, a browser takes it for what it says it is."""
    id = library.add(Text("<html><script>alert(1)</script></html>", id="page", type="text/html"))[0]
    for path in (f"/v1/documents/{id}", "/v1/documents", "/nowhere", "/openapi.json", f"/v1/images/{id}/original"):
        answer = ask(library, "GET", path)
        assert answer.headers["content-type"].split(";")[0] in ("application/json", "application/problem+json")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "sandbox" in answer.headers["content-security-policy"]
    assert library.delete(id) == 1


def test_a_name_is_found_by_either_normal_form(library: Library) -> None:
    for name, label in (("가나é", "decomposed"), ("다라é", "composed")):
        found = [
            library.search(unicodedata.normalize(form, name), mode="lexical").hits[0].text for form in ("NFC", "NFD")
        ]
        assert found == [f"This is {label}."] * 2
