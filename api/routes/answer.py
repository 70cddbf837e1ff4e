"""`POST /v1/answer`."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any

from anyio import CancelScope
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from quarry.api.bodies.answers import written_body
from quarry.api.bodies.responses import ask_body
from quarry.api.routes.library import SearchedDependency
from quarry.api.routes.problems import INVALID, TOO_LARGE
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.results import AnswerBody, CitedBody, HitBody, NoteBody
from quarry.search.errors import InvalidRequest, QuarryError
from quarry.search.generation.answers import Event, Piece, last_of

router = APIRouter(prefix="/v1", tags=["search"])


class AnswerRequest(RequestBody):
    """What to answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "when was the Panama Canal opened"},
                {"query": "which ocean did Magellan name", "choices": ["Atlantic", "Pacific"]},
            ]
        }
    )

    query: str = Field(description="A question; 1 to 10,000 characters.")
    limit: int = Field(5, description="How many of the nearest passages to return with it, 1 to 1,000.")
    filter: dict[str, Any] | None = Field(None, description="Only documents that match, as in a search.")
    choices: list[str] = Field(
        default_factory=list, description="Answers to choose from, 2 to 20; none for an open question."
    )
    write: bool = Field(False, description="Have the server's generator write an answer from the passages.")
    stream: bool = Field(False, description="With `write`: send what is written as server-sent events, as it comes.")


class ChoiceBody(BaseModel):
    """One of the choices, and where the documents speak for it."""

    text: str
    confidence: float
    support: AnswerBody | None


class WrittenBody(BaseModel):
    """What a model wrote from the hits; `refused` says why it did not."""

    text: str | None
    model: str | None
    sentences: list[CitedBody]
    passages: list[str] = Field(description="Ids of the hits it was given, in the order of the numbers that it cites.")
    refused: str | None


class AnswerResponse(BaseModel):
    """Answers, best first; none where the library holds none, and then the nearest passages are in `hits`."""

    query: str
    answers: list[AnswerBody]
    choices: list[ChoiceBody]
    written: WrittenBody | None
    hits: list[HitBody]
    took_ms: float
    generation: int
    degraded: list[str] = Field(description="As in a search.")
    notes: list[NoteBody] = Field([], description="The same, each with its code.")


@router.post(
    "/answer",
    response_model=AnswerResponse,
    responses=INVALID | TOO_LARGE,
    summary="Answer a question",
)
def answer(request: AnswerRequest, library: SearchedDependency) -> Response:
    """Answer by exact spans of documents, choose among given answers, or have the server's generator write one.

    With `stream`, server-sent events follow each other: `answers` (the body of a plain answer), `piece`s of what is
    written, and at last `written`; or `error`, a problem's detail.
    """
    if request.stream and not request.write:
        raise InvalidRequest("stream is for what a generator writes: set write as well.")
    if request.choices:
        if request.write:
            raise InvalidRequest("write can't be combined with choices: ask for one of them.")
        choices = library.choose(request.query, request.choices, filter=request.filter)
        response = library.ask(request.query, limit=request.limit, filter=request.filter)
        return JSONResponse(ask_body(response, choices))
    if not request.write:
        return JSONResponse(ask_body(library.ask(request.query, limit=request.limit, filter=request.filter)))
    response, events = library.write(request.query, limit=request.limit, filter=request.filter)
    body = ask_body(response)
    if request.stream:
        return _Events(body, events)
    return JSONResponse(body | {"written": written_body(last_of(events))})


class _Events(StreamingResponse):
    """Server-sent events. The first piece is waited for: what is wrong before it is refused as anything else is."""

    def __init__(self, body: dict[str, object], events: Generator[Event, None, None]) -> None:
        self._events = events
        super().__init__(_sent(body, chain([next(events)], events)), media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them, until the writing ends or the client goes away, which ends the writing."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await run_in_threadpool(self._events.close)


def _sent(body: dict[str, object], events: Iterator[Event]) -> Iterator[str]:
    yield _event("answers", body)
    try:
        for event in events:
            if isinstance(event, Piece):
                yield _event("piece", {"text": event.text})
            else:
                yield _event("written", written_body(event))
    except QuarryError as error:
        yield _event("error", {"detail": str(error)})


def _event(name: str, data: dict[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
