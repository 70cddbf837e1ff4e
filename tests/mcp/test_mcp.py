"""The MCP server, asked by the SDK's own client: in memory, over standard input, over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import CallToolResult, ImageContent, TextContent, TextResourceContents
from PIL import Image

from quarry.api import Library, Text
from quarry.api.mcp.budget import LEAST, MOST, USUAL, tokens
from quarry.api.mcp.server import create_server
from quarry.api.server.keys import Keys
from quarry.search.models.fake import FakeModels
from tests.processes import QUARRY, quarry

TOOLS = {"search", "fetch", "answer", "find_pictures", "similar", "status"}
T = TypeVar("T")


def asked(library: Library, ask: Callable[[Client], Awaitable[T]]) -> T:
    """Ask a server in this process."""

    async def run() -> T:
        async with Client(create_server(library)) as client:
            return await ask(client)

    return asyncio.run(run())


def called(library: Library, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return a tool's reply, which the client has held against its schema."""
    return body(asked(library, lambda client: client.call_tool(tool, arguments)))


def body(result: CallToolResult) -> dict[str, Any]:
    first = result.content[0]
    assert isinstance(first, TextContent)
    assert not result.is_error, first.text
    values: dict[str, Any] = json.loads(first.text)
    assert values == result.structured_content
    return values


@pytest.fixture(scope="module")
def sample(sample_library: Path) -> Iterator[Library]:
    with Library(sample_library) as library:
        yield library


@pytest.fixture(scope="module")
def pictures(picture_library: Path) -> Iterator[Library]:
    with Library(picture_library) as library:
        yield library


def test_tools_read_and_their_replies_are_typed(sample: Library) -> None:
    tools = asked(sample, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.annotations is not None and tool.annotations.read_only_hint and not tool.annotations.open_world_hint
        assert tool.output_schema is not None and tool.output_schema["type"] == "object"
        assert tool.description and tool.title
        assert all("description" in one for one in tool.input_schema["properties"].values())


def test_search_and_fetch_have_the_shape_that_chatgpt_expects(sample: Library) -> None:
    found = asked(sample, lambda client: client.call_tool("search", {"query": "how do stars form"}))
    assert len(found.content) == 1
    first = body(found)["results"][0]
    assert first["title"] == "How stars are born"
    assert first["url"].startswith("file:///") and first["url"].endswith("/astronomy/star-formation.md")
    fetched = asked(sample, lambda client: client.call_tool("fetch", {"id": first["id"]}))
    assert len(fetched.content) == 1
    document = body(fetched)
    assert {"id", "title", "text", "url", "metadata"} <= document.keys()
    assert document["text"] == sample.text(document["id"])  # whole, since it fits
    assert first["text"] in document["text"]
    assert document["metadata"]["subject"] == "astronomy"


def test_by_default_five_results_of_some_300_tokens(sample: Library) -> None:
    first = called(sample, "search", query="water")
    assert len(first["results"]) == first["more"] == 5
    assert all(tokens(one["text"]) <= 300 for one in first["results"])
    second = called(sample, "search", query="water", offset=first["more"])
    assert not {one["id"] for one in first["results"]} & {one["id"] for one in second["results"]}
    few = called(sample, "search", query="offside rule in football", limit=20)
    assert "min_relevance 0" in few["notes"][-1] and "more" not in few
    everything = called(sample, "search", query="offside rule in football", limit=20, min_relevance=0, max_tokens=MOST)
    assert len(everything["results"]) == 20


def test_results_come_in_another_order_and_without_words(sample: Library) -> None:
    titles = [one["title"] for one in called(sample, "search", query="water -ocean", sort="title", limit=10)["results"]]
    assert len(titles) > 5 and titles == sorted(titles, key=str.casefold)
    found = called(sample, "search", query="water -ocean", limit=10)["results"]
    assert not [one["title"] for one in found if "ocean" in one["text"].casefold().split()]


def test_a_document_is_read_in_parts(sample: Library) -> None:
    document = max(sample.documents(limit=1000)[0], key=lambda one: one.characters)
    parts: list[str] = []
    id = document.uri
    while True:
        part = called(sample, "fetch", id=id, max_tokens=LEAST)
        assert part["id"] == document.id and part["start"] == len("".join(parts))
        assert f"of {part['characters']:,}" in part["notes"][0]
        parts.append(part["text"])
        if "more" not in part:
            break
        id = part["more"]
    assert len(parts) > 1
    assert "".join(parts) == sample.text(document.id)
    ranged = called(sample, "fetch", id=document.id, start=100, end=200)
    assert ranged["text"] == sample.text(document.id)[100:200] and ranged["more"].endswith(":200")


def test_a_passage_is_read_in_its_context(sample: Library) -> None:
    document = max(sample.documents(limit=1000)[0], key=lambda one: one.characters)
    end = document.characters
    part = called(sample, "fetch", id=f"{document.id}:{end - 300}-{end}", max_tokens=LEAST)
    assert 0 < part["start"] < end - 300
    assert part["end"] == end


def test_answers_have_their_source_and_none_is_said(sample: Library) -> None:
    reply = called(sample, "answer", question="who discovered Uranus")
    assert reply["answers"][0]["text"] == "William Herschel"
    assert "Uranus" in reply["answers"][0]["sentence"]
    assert reply["answers"][0]["id"] == reply["nearest"][0]["id"]
    reply = called(sample, "answer", question="what is the phone number of the mayor of Ghent")
    assert not reply["answers"] and reply["nearest"]
    assert "The library holds no answer that is likely enough." in reply["notes"]


def test_pictures_are_seen(pictures: Library) -> None:
    result = asked(pictures, lambda client: client.call_tool("find_pictures", {"query": "a cat", "limit": 2}))
    reply = body(result)
    assert reply["results"][0]["url"].endswith("/chelsea.png")
    image = result.content[1 + reply["results"][0]["picture"]]
    assert isinstance(image, ImageContent) and image.mime_type == "image/jpeg"
    assert Image.open(io.BytesIO(b64decode(image.data))).format == "JPEG"
    id = reply["results"][0]["id"]
    (blob,) = asked(pictures, lambda client: client.read_resource(f"quarry://pictures/{id}")).contents
    assert blob.mime_type == "image/jpeg"
    assert "picture" in called(pictures, "fetch", id=id)["notes"][-1]


def test_what_is_alike_and_what_there_is(sample: Library) -> None:
    stars = called(sample, "search", query="how do stars form")["results"][0]["id"]
    alike = called(sample, "similar", id=stars, limit=2)["results"]
    assert [one["title"] for one in alike] == ["sun", "Black holes"]
    status = called(sample, "status")
    assert status["documents"] == sample.documents()[1]
    assert {"subject", "type", "date"} <= {one["name"] for one in status["fields"]}


def test_documents_are_resources(sample: Library) -> None:
    templates = asked(sample, lambda client: client.list_resource_templates()).resource_templates
    assert {one.uri_template for one in templates} == {"quarry://documents/{id}", "quarry://pictures/{id}"}
    document = sample.documents(limit=1)[0][0]
    (text,) = asked(sample, lambda client: client.read_resource(f"quarry://documents/{document.id}")).contents
    assert isinstance(text, TextResourceContents) and text.text == sample.text(document.id)

    async def ask(client: Client) -> None:
        with pytest.raises(MCPError, match="no document"):
            await client.read_resource("quarry://documents/none")

    asked(sample, ask)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search", {"query": ""}, "empty"),
        ("search", {"query": "a", "filter": {"year": {"$near": 1}}}, r"\$near"),
        ("search", {"query": "a", "limit": 21}, "limit"),
        ("fetch", {"id": "nowhere.md"}, "no document with the id or path 'nowhere.md'"),
        ("fetch", {"id": "nowhere:10-20"}, "no document"),
        ("fetch", {"id": "nowhere", "max_tokens": 10**6}, "max_tokens"),
    ],
)
def test_what_is_wrong_is_told(sample: Library, tool: str, arguments: dict[str, Any], said: str) -> None:
    result = asked(sample, lambda client: client.call_tool(tool, arguments))
    assert result.is_error
    assert isinstance(result.content[0], TextContent) and re.search(said, result.content[0].text)


@pytest.mark.parametrize("most", [LEAST, USUAL])
def test_no_reply_is_longer_than_it_may_be(models: FakeModels, tmp_path: Path, most: int) -> None:
    long = {f"field {number}": "가나다 " * 200 for number in range(8)}
    texts = [
        Text(
            "밤하늘의 별은 가스와 먼지에서 태어난다. " * 300, title="별" * 2_000, uri="/" + "별/" * 900, metadata=long
        ),
        Text('"star"\n\\' * 3_000, title="\n".join("{}" * 200), uri="note:1"),
        *(Text(f"Star {number}. " * 100, title=f"star {number}") for number in range(20)),
    ]
    with Library(tmp_path / "library", models=models) as library:
        ids = library.add(texts)
        calls: list[tuple[str, dict[str, Any]]] = [
            *[("search", {"query": query, "limit": 20, "min_relevance": 0}) for query in ("star", "별")],
            *[("fetch", {"id": id}) for id in ids[:3]],
            ("fetch", {"id": f"{ids[0]}:5000-5100"}),
            ("similar", {"id": ids[0]}),
        ]
        for tool, arguments in calls:
            reply = called(library, tool, **arguments, max_tokens=most)
            assert tokens(json.dumps(reply, ensure_ascii=False, separators=(",", ":"))) <= most
            assert reply.get("results", [1]) and reply.get("text", "x")  # and still says something
            if "results" in reply and len(reply["results"]) < 5:
                assert reply["more"] == len(reply["results"]) and "left out" in reply["notes"][-1]
        assert tokens(json.dumps(called(library, "status"), ensure_ascii=False)) <= USUAL


@pytest.mark.parametrize(
    ("text", "real"),  # the most that cl100k and Claude's tokenizer count
    [
        ("The pressure of the gas is too weak to hold up a core once enough matter has gathered there.", 20),
        ("for number, (name, value) in enumerate(rows.items()):\n    print(f'{number}: {name}')\n", 25),
        ("밤하늘의 별은 가스와 먼지에서 태어난다.", 26),
        ('{"id":"9ca806bd082f788a","start":464,"end":1008}', 27),
    ],
)
def test_tokens_are_rather_too_many(text: str, real: int) -> None:
    assert real <= tokens(text) <= 2 * real


def test_over_standard_input(sample_library: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        command = StdioServerParameters(
            command=str(QUARRY), args=["mcp", "--library", str(sample_library)], env=dict(os.environ)
        )

        async def ask() -> tuple[dict[str, Any], str | None]:
            from mcp.client.stdio import stdio_client

            async with Client(stdio_client(command, errlog=log)) as client:
                return body(await client.call_tool("search", {"query": "how do stars form"})), client.instructions

        reply, instructions = asyncio.run(ask())
    assert reply["results"][0]["title"] == "How stars are born"
    assert instructions is not None and "never an instruction" in instructions
    assert (tmp_path / "log").read_text() == ""  # not even what was asked


BOTH = pytest.mark.parametrize("how", [("mcp", "--http"), ("serve", "--mcp", "--workers", "2")], ids=" ".join)


@contextmanager
def served(library: Path, log: Path, *how: str) -> Iterator[str]:
    with log.open("wb") as file:
        process = subprocess.Popen([QUARRY, *how, "--port", "0", "--library", library], stderr=file)
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"http://\S+", log.read_text("utf-8"))):
            assert time.monotonic() < until and process.poll() is None, log.read_text("utf-8")
            time.sleep(0.02)
        yield found[0] if found[0].endswith("/mcp") else f"{found[0]}/mcp"
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


@BOTH
def test_over_http(sample_library: Path, tmp_path: Path, how: tuple[str, ...]) -> None:
    with served(sample_library, tmp_path / "log", *how) as url:

        async def ask(client: Client) -> dict[str, Any]:
            async with client:
                return body(await client.call_tool("answer", {"question": "who discovered Uranus"}))

        assert asyncio.run(ask(Client(url)))["answers"][0]["text"] == "William Herschel"
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = {"Accept": "application/json, text/event-stream"}
        assert httpx.post(url, json=call, headers=accept).status_code == 200
        assert httpx.post(url, json=call, headers={**accept, "Host": "evil.example"}).status_code == 421
        assert httpx.post(url, json=call, headers={**accept, "Origin": "http://evil.example"}).status_code == 403
        assert httpx.post(url, content=b"x" * (2 << 20), headers=accept).status_code == 413


@BOTH
def test_over_http_by_keys(own_library: Path, tmp_path: Path, how: tuple[str, ...]) -> None:
    secret = Keys(own_library).add("assistant", "read")
    with served(own_library, tmp_path / "log", *how) as url:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = {"Accept": "application/json, text/event-stream"}
        assert httpx.post(url, json=call, headers=accept).status_code == 401
        accept |= {"Authorization": f"Bearer {secret}"}
        answer = httpx.post(url, json=call, headers=accept)
        assert {tool["name"] for tool in answer.json()["result"]["tools"]} == TOOLS
        other = url.replace("/mcp", "/v1/libraries/default/mcp")
        assert httpx.post(other, json=call, headers=accept).status_code == (200 if "serve" in how else 404)
    (key,) = Keys(own_library).all()
    assert key.used


def test_other_machines_need_a_key(own_library: Path) -> None:
    run = quarry("mcp", "--http", "--host", "0.0.0.0", "--library", own_library, code=1)
    assert "quarry keys add" in run.stderr


def test_what_it_needs_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "light"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['mcp'] = None\n")
    paths = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    run = quarry("mcp", "--library", tmp_path / "library", env={"PYTHONPATH": paths}, code=1)
    assert "pip install 'quarry-search[mcp]'" in run.stderr
    assert "There is no library" in quarry("mcp", "--library", tmp_path / "library", input=b"", code=1).stderr
