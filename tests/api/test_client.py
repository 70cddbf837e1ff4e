"""The client, sync and async, against a real server and against answers that are made up."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quarry.api import Library, Text
from quarry.api.client import calls
from quarry.client import AsyncClient, Client, HTTPProblem
from quarry.search.errors import Busy, Conflict, InvalidRequest, LibraryError, NotFound
from quarry.search.queries.query import Liked
from tests.processes import Served, served


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over a folder of two files."""
    place = tmp_path_factory.mktemp("client")
    (place / "files").mkdir()
    for name in ("stars", "bread"):
        (place / "files" / f"{name}.md").write_text(f"# On {name}\n\nThis tells of {name}.\n")
    with Library(place / "library") as library:
        library.index(place / "files")
    with served(place / "library", place / "log") as server:
        yield server


def url(running: Served) -> str:
    return str(running.client.base_url)


def test_what_a_client_can_ask(running: Served, photos: Path) -> None:
    with Client(url(running)) as client:
        hit = client.search("stars", limit=1, mode="lexical", filter={"type": "md"}).hits[0]
        assert hit.document.title == "On stars" and hit.citation
        assert client.search_batch([{"query": "stars", "limit": 1}]).results[0].hits[0].id
        assert client.verify([hit.citation], [hit.text]).verdicts[0].standing == "valid"
        assert client.similar(hit.document.id, limit=1).hits[0].document.title == "On bread"
        assert client.answer("what does it tell of?", limit=2).hits
        assert client.get(hit.document.id).text == client.content(hit.document.id).text
        assert client.passages(hit.document.id, around=3).passages[-1].text
        assert client.original(hit.document.id).startswith(b"# On stars")
        first = client.documents(limit=1, sort="title")
        assert client.documents(limit=1, sort="title", cursor=first.next).documents[0].title == "On stars"

        (id,) = client.add(Text("Okapis hide.", metadata={"n": 1})).ids
        assert client.add_file(b"# Kea\n\nKeas play.", "kea.md", {"n": 1}).ids
        assert client.put("a/b?c", Text("Put.")).ids == ["a/b?c"] and client.get("a/b?c").text == "Put."
        assert client.put_file("a/b?c", b"Put again.", "x.txt").ids and client.get("a/b?c").text == "Put again."
        assert client.delete_matching(filter={"n": 1}, dry_run=True).deleted == 2
        assert client.delete(id).deleted == 1 and client.undelete([id]).ids == [id]
        picture = (photos / "rocket.jpg").read_bytes()
        (shown,) = client.add_file(picture, "rocket.jpg").ids
        found = client.search_by_picture(picture, kinds=("image",), limit=1, filter={"n": None}, facets=["type"])
        assert found.hits[0].document.id == shown and found.facets["type"].values[0].value == "image/jpeg"
        assert not client.search(picture=photos / "rocket.jpg", unlike=[Liked(shown)], kinds=("image",)).hits
        assert client.similar(id, like=hit.document.id, facets=["type"]).facets["type"].values
        assert client.thumbnail(shown).startswith(b"\xff\xd8")

        (root,) = client.roots().roots
        job = client.sync([root.path], verify=True)
        told = list(client.watch(job.id))
        assert told[-1].state == "done" == client.job(job.id).state == client.wait(job.id).state
        assert client.cancel(job.id).state == "done" and client.jobs().jobs[0].id == job.id
        with pytest.raises(HTTPProblem) as refused:
            client.add_root("/etc")
        assert refused.value.status == 403
        assert len(client.embed(["a", "b"]).data) == 2 and client.models().data
        assert client.fields().fields and client.status().documents > 3 and client.libraries().libraries
        assert client.forget(root.path).dropped == 2


def test_the_same_awaited(running: Served) -> None:
    async def ask() -> None:
        async with AsyncClient(url(running)) as client:
            (id,) = (await client.add(Text("Numbats eat termites.", title="Numbats"))).ids
            found = await asyncio.gather(*(client.search("numbats", limit=1) for _ in range(5)))
            assert {one.hits[0].document.id for one in found} == {id}
            with pytest.raises(NotFound, match="no document"):
                await client.get("nothing")
            with pytest.raises(NotFound, match="no job"):
                await client.wait("nothing")
            if (await client.roots()).roots:
                assert (await client.wait((await client.sync()).id)).state == "done"

    asyncio.run(ask())


def test_every_id_is_reached_whatever_it_ends_in(running: Served) -> None:
    ids = [f"a/{end}" for end in ("content", "passages", "similar", "thumbnail", "original", "x/", "50%2Fcontent")]
    ids += ["a", "content", "/content", "a//content", "undelete", "file", "ä/content", "../x"]
    for library in (None, "default"):
        with Client(url(running), library=library) as client:
            for id in ids:
                client.put(id, Text(f"This is {id!r}."))
            for id in ids:
                assert (client.get(id).id, client.get(id).text) == (id, f"This is {id!r}.")
                assert client.content(id, 0, 4).id == client.passages(id).id == id
            assert all(client.delete(id).deleted == 1 for id in ids)


def test_both_can_ask_the_same() -> None:
    functions = inspect.getmembers(calls, inspect.isfunction)
    asked = {one for name, one in functions if one.__module__ == calls.__name__ and not name.startswith("_")}
    for kind in (Client, AsyncClient):
        assert asked == {one.__wrapped__ for _, one in inspect.getmembers(kind) if hasattr(one, "__wrapped__")}


def answering(*answers: httpx.Response) -> httpx.MockTransport:
    """Answer with one after the other."""
    left = list(answers)
    return httpx.MockTransport(lambda request: left.pop(0))


def problem(status: int, type: str = "about:blank", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"type": type, "title": "x", "status": status, "detail": "why"}, headers=headers)


FIELDS = httpx.Response(200, json={"fields": []})


@pytest.mark.parametrize(
    ("status", "type", "kind"),
    [
        (404, "urn:quarry:not-found", NotFound),
        (409, "urn:quarry:conflict", Conflict),
        (422, "urn:quarry:invalid-request", InvalidRequest),
        (503, "urn:quarry:busy", Busy),
        (503, "urn:quarry:library-error", LibraryError),
        (401, "about:blank", HTTPProblem),
        (418, "urn:quarry:of-another-version", HTTPProblem),
    ],
)
def test_problems_are_errors_of_their_kind(status: int, type: str, kind: type[Exception]) -> None:
    with Client(transport=answering(problem(status, type))) as client, pytest.raises(kind, match="why"):
        client.fields()


@pytest.mark.parametrize("status", [429, 503])
def test_it_comes_back_when_it_is_told_to(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    busy = [problem(status, **{"retry-after": told}) for told in ("1", "7", "9999")]
    with Client(transport=answering(*busy, FIELDS)) as client:
        assert client.fields().fields == []
    assert waits == [1, 7, 60]
    for answers in (busy, [problem(status), FIELDS]):  # as often as it may, and where it is told when
        with Client(transport=answering(*answers), retries=2) as client, pytest.raises(HTTPProblem):
            client.fields()


def test_what_is_no_answer_of_ours_is_told() -> None:
    for answer in (httpx.Response(502, text="<html>"), httpx.Response(500, json=[1])):
        with Client(transport=answering(answer)) as client, pytest.raises(HTTPProblem, match="answered"):
            client.fields()


def test_the_key_and_the_library_are_sent() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"ids": []})

    transport = httpx.MockTransport(answer)
    with Client("http://quarry.test/", library="other", key="secret", transport=transport) as client:
        client.add([Text("x")])
    assert asked[0].url == "http://quarry.test/v1/libraries/other/documents"
    assert asked[0].headers["authorization"] == "Bearer secret"
    assert json.loads(asked[0].content)["documents"][0]["text"] == "x"
