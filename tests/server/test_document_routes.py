"""Documents over HTTP, from a real server: listed by a cursor, told in parts, put, deleted; their files given out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quarry.api import Library
from quarry.api.routes.documents import ContentBody, DocumentList, DocumentWithText, PassagesBody
from quarry.api.routes.results import SearchResponse
from quarry.api.routes.writing import AddResponse, DeleteResponse
from tests.folders import SAMPLE
from tests.mail_files import zipped
from tests.processes import Served, served
from tests.replies import described, refused

PAGE = "<html><head><title>Ada</title><script>steal()</script></head><body><p>Ada wrote of engines.</p></body></html>"
WITHIN = PAGE.replace("Ada", "Bo").encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a few files of several kinds."""
    place = tmp_path_factory.mktemp("shelf") / "files"
    shutil.copytree(SAMPLE / "astronomy", place / "astronomy")
    (place / "page.html").write_text(PAGE)
    (place / "animals.csv").write_text("name,weight\nquoll,1.5\nnumbat,0.6\n")
    (place / "box.zip").write_bytes(zipped({"in/own.html": WITHIN}))
    (place / "가 b.md").write_text("# Korean name\n\nA file with a name of its own.\n")
    return place


@pytest.fixture(scope="module")
def shelf(folder: Path) -> Iterator[httpx.Client]:
    """A server over that folder; each test has documents of its own."""
    with Library(folder.parent / "library") as library:
        assert library.index(folder).complete
    with served(folder.parent / "library", folder.parent / "log") as running:
        yield running.client


def add(client: httpx.Client, *texts: str, **metadata: Any) -> list[str]:
    """Add documents, each titled as its text; return their ids."""
    documents = [{"title": text, "text": f"{text} is a text.", "metadata": metadata} for text in texts]
    ids: list[str] = described(client.post("/v1/documents", json={"documents": documents}), AddResponse, 201)["ids"]
    return ids


def listed(client: httpx.Client, **params: Any) -> dict[str, Any]:
    return described(client.get("/v1/documents", params=params), DocumentList)


def titled(client: httpx.Client, title: str) -> str:
    (one,) = listed(client, filter=json.dumps({"title": title}))["documents"]
    return str(one["id"])


# --- listed ---------------------------------------------------------------------------------------------------------


def test_a_cursor_stays_right_while_documents_come_and_go(shelf: httpx.Client) -> None:
    ids = add(shelf, *"abcdefgh", box="cursor")
    filter = json.dumps({"box": "cursor"})
    first = listed(shelf, filter=filter, limit=3)
    assert ([one["id"] for one in first["documents"]], first["total"]) == (ids[:3], 8)
    for gone in (ids[1], ids[2], ids[4]):  # before it, the very place it names, and after it
        assert shelf.delete(f"/v1/documents/{gone}").status_code == 200
    second = listed(shelf, filter=filter, limit=3, cursor=first["next"])
    assert [one["id"] for one in second["documents"]] == [ids[3], ids[5], ids[6]]
    (new,) = add(shelf, "i", box="cursor")
    third = listed(shelf, filter=filter, limit=3, cursor=second["next"])
    assert ([one["id"] for one in third["documents"]], third["next"]) == ([ids[7], new], None)


@pytest.mark.parametrize(
    ("sort", "order"),
    [("added", "bCaD"), ("-added", "DaCb"), ("title", "abCD"), ("-title", "DCba"), ("rank", "CaDb"), ("-rank", "aCDb")],
)
def test_an_order_is_kept_over_pages(shelf: httpx.Client, sort: str, order: str) -> None:
    box = f"order {sort}"
    ranks: dict[str, dict[str, Any]] = {"b": {}, "C": {"rank": 1}, "a": {"rank": 2.5}, "D": {"rank": None}}
    for title, rank in ranks.items():
        add(shelf, title, box=box, **rank)
    found, cursor = "", dict[str, Any]()
    for _ in order:
        page = listed(shelf, filter=json.dumps({"box": box}), sort=sort, limit=1, **cursor)
        found += page["documents"][0]["title"]
        cursor = {"cursor": page["next"]}
    if "rank" in sort:  # what has none comes last, in the order it was added
        order = order.replace("Db", "bD")
    assert (found, cursor) == (order, {"cursor": None})


def test_a_path_a_type_and_a_filter_hold_together(shelf: httpx.Client, folder: Path) -> None:
    below = listed(shelf, path=str(folder / "astronomy"))
    assert 0 < below["total"] < listed(shelf)["total"]
    assert listed(shelf, path=str(folder / "astronomy"), type="html")["total"] < below["total"]
    assert listed(shelf, path=str(folder), type="html", filter='{"title": "Ada"}')["total"] == 1


@pytest.mark.parametrize(
    "params",
    [{"cursor": "x"}, {"cursor": ""}, {"cursor": "WyJhZGRlZCIsMSwxXQ", "sort": "title"}, {"sort": '"'}, {"sort": ""},
     {"cursor": "WyJhZGRlZCIsWzFdLDFd"}, {"cursor": "WyJhZGRlZCIsMSwxZTQwMF0"}, {"cursor": "é"}, {"sort": "-"},
     {"cursor": "W" * 9_000}],
)  # fmt: skip
def test_what_is_no_order_or_cursor_is_refused(shelf: httpx.Client, params: dict[str, str]) -> None:
    assert next(iter(params)) in refused(shelf.get("/v1/documents", params=params), 422)


# --- told in parts --------------------------------------------------------------------------------------------------


def test_a_text_is_told_by_offsets(shelf: httpx.Client) -> None:
    (id,) = add(shelf, "가나다 😀 offsets")
    whole = described(shelf.get(f"/v1/documents/{id}"), DocumentWithText)
    text = whole["text"]
    part = described(shelf.get(f"/v1/documents/{id}/content", params={"start": 2, "end": 5}), ContentBody)
    assert part == {"id": id, "text": text[2:5], "start": 2, "end": 5, "characters": len(text), "hash": whole["hash"]}
    assert shelf.get(f"/v1/documents/{id}/content").json()["text"] == text
    beyond = shelf.get(f"/v1/documents/{id}/content", params={"start": 10**20}).json()
    assert (beyond["text"], beyond["start"], beyond["end"]) == ("", len(text), len(text))
    for params in ({"start": -1}, {"start": 5, "end": 4}, {"end": "x"}):
        refused(shelf.get(f"/v1/documents/{id}/content", params=params), 422)
    refused(shelf.get("/v1/documents/nothing/content"), 404)


def test_passages_around_a_place(shelf: httpx.Client) -> None:
    text = "\n\n".join(f"Paragraph {n} tells of the number {n}. " * 12 for n in range(40))
    (id,) = described(shelf.post("/v1/documents", json={"documents": [{"text": text}]}), AddResponse, 201)["ids"]
    whole = described(shelf.get(f"/v1/documents/{id}/passages", params={"count": 200}), PassagesBody)
    text = shelf.get(f"/v1/documents/{id}").json()["text"]
    every = whole["passages"]
    assert (whole["first"], whole["total"]) == (0, len(every)) and len(every) > 10
    assert all(one["text"] == text[one["start"] : one["end"]] for one in every)
    middle = every[len(every) // 2]
    for at in (middle["start"], middle["end"] - 1):
        around = shelf.get(f"/v1/documents/{id}/passages", params={"around": at, "count": 5}).json()
        assert around["passages"] == every[len(every) // 2 - 2 :][:5]
        assert around["first"] == len(every) // 2 - 2
    last = shelf.get(f"/v1/documents/{id}/passages", params={"around": 10**12, "count": 3}).json()
    assert last["passages"] == every[-3:]
    hit = shelf.post("/v1/search", json={"query": "paragraph 7", "filter": {"id": id}, "limit": 1}).json()["hits"][0]
    assert hit["id"] in {one["id"] for one in every}
    for params in ({"count": 0}, {"count": 201}, {"around": 1, "page": 1}, {"around": "x"}):
        refused(shelf.get(f"/v1/documents/{id}/passages", params=params), 422)
    assert "no page 1" in refused(shelf.get(f"/v1/documents/{id}/passages", params={"page": 1}), 404)


def test_passages_of_a_page(server: Served) -> None:
    documents = listed(server.client, type="application/pdf")["documents"]
    for one in documents:
        every = server.client.get(f"/v1/documents/{one['id']}/passages", params={"count": 200}).json()["passages"]
        last = every[-1]["page"]
        page = server.client.get(f"/v1/documents/{one['id']}/passages", params={"page": last}).json()["passages"]
        assert page[-1] == every[-1] and page[0]["page"] <= last
    assert documents


def test_what_is_like_a_document(shelf: httpx.Client) -> None:
    stars = titled(shelf, "How stars are born")
    body = described(shelf.get(f"/v1/documents/{stars}/similar", params={"limit": 3}), SearchResponse)
    assert len(body["hits"]) == 3 and all(hit["document"]["id"] != stars for hit in body["hits"])
    passage = described(
        shelf.get(f"/v1/documents/{body['hits'][0]['id']}/similar", params={"limit": 3}), SearchResponse
    )
    assert body["hits"][0]["id"] not in {hit["id"] for hit in passage["hits"]}
    refused(shelf.get("/v1/documents/nothing/similar"), 404)


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.fault("33")
def test_a_file_is_given_out_inert(shelf: httpx.Client, folder: Path) -> None:
    """Row 33: what a page holds is saved, not run."""
    response = shelf.get(f"/v1/documents/{titled(shelf, 'Ada')}/original")
    assert (response.status_code, response.content) == (200, (folder / "page.html").read_bytes())
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith('attachment; filename="page.html"')
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    named = shelf.get(f"/v1/documents/{titled(shelf, 'Korean name')}/original").headers["content-disposition"]
    assert named.endswith("filename*=UTF-8''%EA%B0%80%20b.md") and named.isascii()
    row = listed(shelf, path=str(folder / "animals.csv"))["documents"][0]
    assert shelf.get(f"/v1/documents/{row['id']}/original").content == (folder / "animals.csv").read_bytes()
    (id,) = add(shelf, "handed over")
    assert "no file" in refused(shelf.get(f"/v1/documents/{id}/original"), 404)


def test_a_file_within_another_is_given_out_inert(shelf: httpx.Client) -> None:
    """By what it is itself, whatever holds it; a range of it, too."""
    (page,) = [one for one in listed(shelf, limit=1000)["documents"] if one["uri"].endswith("box.zip#in/own.html")]
    response = shelf.get(f"/v1/documents/{page['id']}/original")
    assert (response.status_code, response.content) == (200, WITHIN)
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith('attachment; filename="own.html"')
    assert "default-src 'none'" in response.headers["content-security-policy"]
    tag = {"range": "bytes=1-4", "if-range": response.headers["etag"]}
    assert shelf.get(f"/v1/documents/{page['id']}/original", headers=tag).content == WITHIN[1:5]


def test_a_range_of_a_file(shelf: httpx.Client, folder: Path) -> None:
    path, content = f"/v1/documents/{titled(shelf, 'Ada')}/original", (folder / "page.html").read_bytes()
    tag = shelf.get(path).headers["etag"]
    for asked, begin, end in (("0-4", 0, 5), ("5-", 5, None), ("-7", len(content) - 7, None), ("3-99999", 3, None)):
        response = shelf.get(path, headers={"range": f"bytes={asked}", "if-range": tag})
        assert (response.status_code, response.content) == (206, content[begin:end])
        assert response.headers["content-range"].endswith(f"/{len(content)}")
    for asked in ("bytes=99999-", "bytes=5-2", "bytes=-0"):
        assert "bytes" in refused(shelf.get(path, headers={"range": asked}), 416)
    for asked in ("bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=a-b"):  # what isn't understood is passed by
        assert shelf.get(path, headers={"range": asked}).content == content
    assert shelf.get(path, headers={"range": "bytes=0-4", "if-range": '"other"'}).content == content
    unchanged = shelf.get(path, headers={"if-none-match": f'"other", W/{tag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)


@pytest.mark.fault("33")
def test_a_file_of_another_place_is_not_given_out(shelf: httpx.Client, folder: Path) -> None:
    """Row 33: changed, or a link swapped in."""
    path, file = f"/v1/documents/{titled(shelf, 'Korean name')}/original", folder / "가 b.md"
    kept = file.read_bytes()
    file.write_text("# Korean name\n\nA secret.")
    assert "changed" in refused(shelf.get(path), 404)
    away = folder.parent / "away.md"
    away.write_bytes(kept)
    file.unlink()
    for target in (away, Path("/etc/passwd"), folder / "nothing"):
        file.symlink_to(target)
        refused(shelf.get(path), 404)
        file.unlink()
    file.write_bytes(kept)
    assert shelf.get(path).content == kept
    for odd in ("..", "%2e%2e/%2e%2e/etc/passwd", str(away), "%2Fetc%2Fpasswd", "file:///etc/passwd", "%00"):
        refused(shelf.get(f"/v1/documents/{odd}/original"), 404)


def test_a_thumbnail_is_kept_by_its_tag(picture_server: Served) -> None:
    client = picture_server.client
    id = listed(client, type="image/*")["documents"][0]["id"]
    response = client.get(f"/v1/documents/{id}/thumbnail")
    assert (response.headers["content-type"], response.headers["cache-control"]) == (
        "image/jpeg",
        "private, max-age=300",
    )
    again = client.get(f"/v1/documents/{id}/thumbnail", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# --- written --------------------------------------------------------------------------------------------------------


def test_a_document_is_put_under_an_id(shelf: httpx.Client) -> None:
    path, put = "/v1/documents/put/one", {"ids": ["put/one"], "job": None}
    body = {"text": "Okapis eat leaves.", "title": "Okapis", "metadata": {"n": 1}}
    assert described(shelf.put(path, json=body), AddResponse, 201) == put
    assert described(shelf.put(path, json={**body, "text": "Okapis hide."}), AddResponse) == put
    assert shelf.get(path).json()["text"] == "Okapis hide."
    file = {"file": ("okapi.md", b"# Okapi\n\nOf the Congo.", "text/markdown")}
    assert described(shelf.put(path, files=file, data={"metadata": '{"n": 2}'}), AddResponse) == put
    document = shelf.get(path).json()
    assert (document["title"], document["type"], document["metadata"]["n"]) == ("Okapi", "text/markdown", 2)
    raw = shelf.put(path, params={"name": "a.txt"}, content=b"Plain now.")
    assert described(raw, AddResponse) == put and shelf.get(path).json()["text"] == "Plain now."
    rows = shelf.put(path, params={"name": "a.csv"}, content=b"name,weight\nquoll,1.5\nnumbat,0.6\n")
    assert "more than one" in refused(rows, 422)
    assert "name" in refused(shelf.put(path, content=b"x"), 422)
    assert "text" in refused(shelf.put(path, json={"title": "x"}), 422)
    assert "JSON" in refused(shelf.put(path, content=b"{", headers={"content-type": "application/json"}), 422)
    refused(shelf.put(path, params={"name": "a.exe"}, content=b"MZ"), 415)
    refused(shelf.put("/v1/documents/%00", json=body), 422)
    synced = titled(shelf, "How stars are born")
    assert "kept in sync" in refused(shelf.put(f"/v1/documents/{synced}", json=body), 409)


def test_documents_are_deleted_by_a_filter(shelf: httpx.Client) -> None:
    add(shelf, "one", "two", "three", box="delete")
    keep = add(shelf, "four", box="keep")
    filter = json.dumps({"box": "delete"})
    for _ in range(2):
        dry = shelf.delete("/v1/documents", params={"filter": filter, "dry_run": True})
        assert described(dry, DeleteResponse) == {"deleted": 3}
    assert described(shelf.delete("/v1/documents", params={"filter": filter}), DeleteResponse) == {"deleted": 3}
    assert described(shelf.delete("/v1/documents", params={"filter": filter}), DeleteResponse) == {"deleted": 0}
    assert shelf.get(f"/v1/documents/{keep[0]}").status_code == 200
    assert len(described(shelf.post("/v1/documents/undelete"), AddResponse)["ids"]) == 3
    uploaded = shelf.post("/v1/documents/file", params={"name": "box/a.csv"}, content=b"name,weight\nquoll,1\nkea,2\n")
    assert len(uploaded.json()["ids"]) == 2
    gone = shelf.delete("/v1/documents", params={"path": "quarry:file/box/a.csv"})
    assert described(gone, DeleteResponse) == {"deleted": 2}
    before = listed(shelf)["total"]
    for params in ({}, {"dry_run": "true"}, {"filter": "{}"}, {"filter": "null"}, {"ids": "x"}):
        refused(shelf.delete("/v1/documents", params=params), 422)
    assert listed(shelf)["total"] == before


# --- what is too much -----------------------------------------------------------------------------------------------


@pytest.mark.fault("30")
@pytest.mark.parametrize("number", ["-1", str(10**9), str(10**30), "1e3", "0x1", "NaN", ""])
def test_no_number_is_too_much(shelf: httpx.Client, number: str) -> None:
    """Row 30, of what is listed and told in parts."""
    id = titled(shelf, "Ada")
    for path, name in (("", "limit"), (f"/{id}/passages", "count"), (f"/{id}/similar", "limit")):
        assert name in refused(shelf.get(f"/v1/documents{path}", params={name: number}), 422)
    for path, name in (("", "offset"), (f"/{id}/passages", "around"), (f"/{id}/content", "start")):
        assert shelf.get(f"/v1/documents{path}", params={name: number}).status_code in (200, 422)


@pytest.mark.fault("28")
@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", "\\u202e", "\\ud83d\\ude00", ""])
def test_odd_texts_are_stored_or_refused(shelf: httpx.Client, text: str) -> None:
    """Row 28, of what is written and verified."""
    json_type = {"content-type": "application/json"}
    put = shelf.put("/v1/documents/odd", content=f'{{"text": "odd {text}", "title": "{text}"}}', headers=json_type)
    assert put.status_code in (200, 201, 422)
    cited = f'{{"document": "{text}", "start": 0, "end": 1, "quote_hash": "{text}", "quote": "{text}"}}'
    response = shelf.post("/v1/verify", content=f'{{"citations": [{cited}]}}', headers=json_type)
    assert response.status_code in (200, 422)
    embedded = shelf.post("/v1/embeddings", content=f'{{"model": "text", "input": "{text}"}}', headers=json_type)
    assert embedded.status_code in (200, 422)
