"""Answers, summaries and reranking over HTTP, by a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message

from quarry.api import Library
from quarry.api.routes.answer import AnswerResponse, WrittenBody
from quarry.api.routes.results import SearchResponse
from quarry.api.server.app import create_app
from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.generation.answers import Event, Piece
from tests import generation_models
from tests.processes import Served, served
from tests.replies import described, refused

CANAL = "when was the Panama Canal opened"
ELSEWHERE = {"path": {"$contains": "/food/"}}


def ask(server: Served, **request: Any) -> httpx.Response:
    return server.client.post("/v1/answer", json={"query": CANAL, **request})


# --- exact answers --------------------------------------------------------------------------------------------------


def test_answers_stand_where_they_say(server: Served) -> None:
    body = described(ask(server, limit=3), AnswerResponse)
    assert "15 August 1914" in [answer["text"] for answer in body["answers"]]
    assert (body["choices"], body["written"], body["degraded"], len(body["hits"])) == ([], None, [], 3)
    for answer in body["answers"]:
        text = server.client.get(f"/v1/documents/{answer['document']['id']}").json()["text"]
        assert text[answer["start"] : answer["end"]] == answer["text"]
        sentence = answer["sentence"]
        assert text[sentence["start"] : sentence["end"]] == sentence["text"]
        assert answer["text"] in sentence["text"]


def test_where_nothing_answers_there_are_hits(server: Served) -> None:
    body = described(ask(server, filter=ELSEWHERE), AnswerResponse)
    assert body["answers"] == [] and len(body["hits"]) == 5
    empty = described(ask(server, filter={"path": "/nowhere"}), AnswerResponse)
    assert (empty["answers"], empty["hits"]) == ([], [])


def test_choices_are_weighed(server: Served) -> None:
    body = described(ask(server, choices=["1881", "15 August 1914"]), AnswerResponse)
    assert [choice["text"] for choice in body["choices"]] == ["15 August 1914", "1881"]
    assert body["choices"][0]["support"]["document"]["title"] == "panama-canal"
    assert body["answers"]


def test_a_search_answers_summarizes_and_reranks(server: Served) -> None:
    request = {"query": CANAL, "answer": True, "summarize": True, "rerank": "reader", "explain": True, "limit": 4}
    body = described(server.client.post("/v1/search", json=request), SearchResponse)
    assert body["answers"] and len(body["hits"]) == 4
    assert "reader" in body["hits"][0]["explanation"]
    summary = body["summary"]
    assert summary["model"] is None
    assert summary["text"] == " ".join(sentence["text"] for sentence in summary["sentences"])
    for sentence in summary["sentences"]:
        (source,) = sentence["sources"]
        text = server.client.get(f"/v1/documents/{source['document']}").json()["text"]
        assert text[source["start"] : source["end"]] == sentence["text"]
    plain = server.client.post("/v1/search", json={"query": CANAL}).json()
    assert (plain["answers"], plain["summary"], plain["facets"]) == ([], None, {})


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"query": " \0"}, "query is empty"),
        ({"query": None}, "query"),
        ({"query": "why " * 600}, "too long for the model"),
        ({"qeury": "x"}, "qeury: there is no such field"),
        ({"answer": True}, "answer: there is no such field"),
        ({"mode": "lexical"}, "mode: there is no such field"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": "5"}, "limit"),
        ({"filter": {"year": {"$near": 5}}}, "filter year.$near"),
        ({"choices": ["one"]}, "2 to 20 choices"),
        ({"choices": ["one", "ONE"]}, "2 to 20 choices"),
        ({"choices": "one"}, "choices"),
        ({"choices": [1, 2]}, "choices.0"),
        ({"choices": ["a", "b"], "write": True}, "write can't be combined with choices"),
        ({"choices": ["a", "b"], "stream": True}, "set write as well"),
        ({"stream": True}, "set write as well"),
        ({"write": True}, "--generator or QUARRY_GENERATOR"),
        ({"write": True, "stream": True}, "--generator or QUARRY_GENERATOR"),
        ({"write": 1}, "write"),
    ],
)
def test_what_can_not_be_answered_is_refused(server: Served, request_: dict[str, Any], named: str) -> None:
    assert named in refused(ask(server, **request_), 422)


@pytest.mark.parametrize(
    "query",
    ["?", "the", "of the and a", "🌋", "\u202ewho\u202c", "كيف تتشكل النجوم", "e\u0301" * 200, "' OR 1=1 --", "[SEP]"],
)
def test_odd_questions_are_answered_or_not(server: Served, query: str) -> None:
    for choices in ([], ["[SEP]", "🌋"]):
        described(ask(server, query=query, choices=choices), AnswerResponse)
    request = {"query": query, "answer": True, "summarize": True, "rerank": "reader"}
    described(server.client.post("/v1/search", json=request), SearchResponse)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"query": "\xff"}', b'{"query": "why \\ud800"}'])
def test_what_is_no_body_is_refused(server: Served, body: bytes) -> None:
    refused(server.client.post("/v1/answer", content=body, headers={"content-type": "application/json"}), 422)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rerank": "magic"}, "rerank"),
        ({"rerank": True}, "rerank"),
        ({"rerank": "cross-encoder"}, "--cross-encoder or QUARRY_CROSS_ENCODER"),
        ({"answer": "yes"}, "answer"),
        ({"summarize": 1}, "summarize"),
        ({"facets": "type"}, "facets"),
        ({"answer": True, "query": "why " * 600}, "too long for the model"),
    ],
)
def test_a_search_that_asks_wrongly_is_refused(server: Served, fields: dict[str, Any], named: str) -> None:
    assert named in refused(server.client.post("/v1/search", json={"query": CANAL, **fields}), 422)


# --- what a model writes --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def writing(sample_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose generator writes nonsense."""
    folder = tmp_path_factory.mktemp("generator")
    generator = generation_models.save(folder, "llama")
    for name, values in (("config", {"max_position_embeddings": 4096}), ("generation_config", {"eos_token_id": None})):
        file = generator / f"{name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))
    with served(sample_library, folder / "log", "--generator", str(generator)) as running:
        yield running


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read server-sent events as they come."""
    lines = response.iter_lines()
    for line in lines:
        name = line.removeprefix("event: ")
        data = next(lines).removeprefix("data: ")
        assert next(lines) == ""
        yield name, json.loads(data)


def test_an_answer_is_written(writing: Served) -> None:
    body = described(ask(writing, write=True, limit=1), AnswerResponse)
    written = body["written"]
    assert written["text"]
    assert written["passages"][0] == body["answers"][0]["hit"]
    assert {hit["id"] for hit in body["hits"]} <= set(written["passages"])
    assert written["refused"] is None


def test_what_is_written_is_streamed(writing: Served) -> None:
    request = {"query": CANAL, "write": True, "stream": True, "limit": 1}
    with writing.client.stream("POST", "/v1/answer", json=request) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        (first, answers), *pieces, (last, written) = events(response)
    assert (first, last) == ("answers", "written")
    assert {name for name, _ in pieces} == {"piece"}
    assert AnswerResponse.model_validate(answers).written is None
    WrittenBody.model_validate(written)
    assert "".join(piece["text"] for _, piece in pieces) == written["text"]
    whole = ask(writing, write=True, limit=1).json()["written"]
    assert whole == written  # the same at every time


def test_without_evidence_nothing_is_written(writing: Served) -> None:
    refusal = described(ask(writing, write=True, filter=ELSEWHERE), AnswerResponse)["written"]
    assert (refusal["text"], refusal["sentences"], refusal["passages"]) == (None, [], [])
    assert "evidence" in refusal["refused"]
    request = {"query": CANAL, "write": True, "stream": True, "filter": ELSEWHERE}
    with writing.client.stream("POST", "/v1/answer", json=request) as response:
        (_, answers), (name, written) = events(response)
    assert (answers["answers"], name, written) == ([], "written", refusal)


def test_a_client_that_goes_away_costs_nothing_else(sample_library: Path, writing: Served) -> None:
    request = {"query": CANAL, "write": True, "stream": True, "limit": 1}
    with writing.client.stream("POST", "/v1/answer", json=request) as response:
        assert [name for name, _ in islice(events(response), 2)] == ["answers", "piece"]
    assert ask(writing, write=True, limit=1).json()["written"]["text"]
    assert writing.log.read_text("utf-8").count("\n") == 1  # only where it serves


# --- a stream that breaks off ---------------------------------------------------------------------------------------


class Written:
    """What an app sends when a library's generator writes `pieces`; the client leaves after `patience` of them."""

    def __init__(self, library: Library, pieces: Iterator[Event], patience: int = 1_000) -> None:
        self.closed = False
        self.sent: list[Message] = []
        self._pieces, self._patience = pieces, patience
        self._answered = library.ask(CANAL, limit=1)
        library.write = lambda *question, **options: (self._answered, self._generator())  # type: ignore[method-assign]
        asyncio.run(self._call(create_app(library)))

    def _generator(self) -> Generator[Event, None, None]:
        try:
            yield from self._pieces
        finally:
            self.closed = True

    async def _call(self, app: ASGIApp) -> None:
        self._gone = asyncio.Event()
        self._asked = iter(
            [{"type": "http.request", "body": json.dumps({"query": CANAL, "write": True, "stream": True}).encode()}]
        )
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/v1/answer", "query_string": b"", "headers": headers}
        await app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if (request := next(self._asked, None)) is not None:
            return request
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        if len(self.sent) == self._patience:
            self._gone.set()

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


@pytest.fixture
def library(sample_library: Path) -> Iterator[Library]:
    with Library(sample_library) as opened:
        yield opened


def test_the_writing_ends_when_the_client_goes_away(library: Library) -> None:
    written = Written(library, (Piece(f"{n} ") for n in count()), patience=5)
    assert written.closed
    assert "event: written" not in written.text


def test_what_is_wrong_before_the_first_word_is_refused(library: Library) -> None:
    def refusing() -> Iterator[Event]:
        raise InvalidRequest("the prompt has too many tokens")
        yield

    written = Written(library, refusing())
    assert written.sent[0]["status"] == 422
    assert json.loads(written.text)["detail"] == "the prompt has too many tokens"


def test_what_goes_wrong_later_is_told_in_the_stream(library: Library) -> None:
    def failing() -> Iterator[Event]:
        yield Piece("one ")
        raise ModelError("it failed while it wrote.")

    written = Written(library, failing())
    assert written.sent[0]["status"] == 200
    assert written.text.endswith('event: error\ndata: {"detail": "it failed while it wrote."}\n\n')
    assert written.closed
