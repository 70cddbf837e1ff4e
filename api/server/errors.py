"""The error tree as HTTP: each class has one status, each answer is `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from quarry.search import errors

MEDIA_TYPE = "application/problem+json"
BLANK = "about:blank"

_STATUS: tuple[tuple[type[errors.QuarryError], int, str], ...] = (
    (errors.Conflict, 409, "Name is taken"),
    (errors.InvalidRequest, 422, "Invalid request"),
    (errors.NotFound, 404, "Not found"),
    (errors.UnsupportedType, 415, "Unsupported type"),
    (errors.LoadError, 422, "File can't be read"),
    (errors.LibraryLocked, 503, "Library is being written"),
    (errors.LibraryError, 503, "Library unavailable"),
    (errors.DeadlineExceeded, 503, "Deadline exceeded"),
    (errors.ModelError, 503, "Model unavailable"),
    (errors.Busy, 503, "Too much at once"),
    (errors.MissingExtra, 503, "Package missing"),
)
_SHOWN = 5  # faults of one request
_NO_JSON = "The body can't be read as JSON: is it UTF-8, and not nested hundreds of levels deep?"


def type_of(kind: type[errors.QuarryError]) -> str:
    """Return what a problem of that kind says as its `type`: `urn:quarry:not-found`."""
    return "urn:quarry:" + re.sub(r"(?<=.)(?=[A-Z])", "-", kind.__name__).lower()


TYPES = {type_of(kind): kind for kind, _, _ in _STATUS}  # by which a client tells them apart


def problem_body(error: errors.QuarryError) -> dict[str, Any]:
    """Return an error as a problem: the kind of the table that it is of, and what it says."""
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            return {"type": type_of(kind), "title": title, "status": status, "detail": str(error)}
    return {"type": BLANK, "title": HTTPStatus(500).phrase, "status": 500, "detail": str(error)}


def problem(status: int, detail: str, title: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a problem that is no error of ours; `type` says no more than the status."""
    return answer(
        {"type": BLANK, "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail}, headers
    )


def answer(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a problem; what `detail` quotes of the request may be no valid Unicode."""
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, body["status"], dict(headers or {}), MEDIA_TYPE)


def problem_response(error: errors.QuarryError, path: str = "") -> Response:
    """Return the answer that an error is to a request for `path`; it says when to try again where that may help."""
    again = isinstance(error, errors.LibraryLocked | errors.Busy | errors.DeadlineExceeded)
    body = problem_body(error)
    if path.endswith("/embeddings"):  # what OpenAI's clients look for is a member of the problem
        kind = "invalid_request_error" if body["status"] < 500 else "server_error"
        code = "model_not_found" if body["status"] == 404 else None
        body["error"] = {"message": body["detail"], "type": kind, "param": None, "code": code}
    return answer(body, {"Retry-After": "5"} if again else None)


def install(app: FastAPI) -> None:
    """Answer every error with a problem body. The text of one that was not foreseen is logged and never sent."""

    @app.exception_handler(errors.QuarryError)
    async def ours(request: Request, error: errors.QuarryError) -> Response:
        return problem_response(error, request.url.path)

    @app.exception_handler(MemoryError)
    async def memory(request: Request, error: MemoryError) -> Response:
        return problem(503, "There is not enough memory for this now: try again later, or ask for less.")

    @app.exception_handler(OSError)
    async def machine(request: Request, error: OSError) -> Response:
        return problem(503, f"This machine can't do it now: {error.strerror or 'a file or a connection failed'}.")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        said = "; ".join(map(_sentence, error.errors()[:_SHOWN]))
        return problem_response(errors.InvalidRequest(said), request.url.path)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        status, detail, headers = error.status_code, str(error.detail), error.headers
        if status == 400:  # FastAPI's for what the JSON parser fails at: no UTF-8, nested too deep, a number too long
            return problem_response(errors.InvalidRequest(_NO_JSON), request.url.path)
        if status == 404:
            detail = f"There is nothing at {request.url.path}; /openapi.json lists what there is."
        if status == 405:
            allowed = ", ".join(_methods(request))
            detail, headers = (
                f"{request.method} can't be used on {request.url.path}; it takes {allowed}.",
                {"Allow": allowed},
            )
        return problem(status, detail, headers=headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:  # in the middle of the body: nobody's fault
        return problem(400, "The client went away before it had sent the whole body.")

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        return problem(500, "Something went wrong here; the server's log says what.")


def _methods(request: Request) -> list[str]:
    """Return what a path takes; the router itself names the methods of one route only."""
    return [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


_KINDS = {
    "model_attributes_type": "give an object",
    "dict_type": "give an object",
    "list_type": "give a list",
    "string_type": "give a text",
    "bool_type": "give true or false",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "float_type": "give a number",
    "float_parsing": "give a number",
}


def _sentence(fault: Mapping[str, object]) -> str:
    """Say where in the request something is wrong, and what, without quoting it."""
    place = fault["loc"]
    where = ".".join(str(part) for part in place[1:]) if isinstance(place, tuple) else ""
    if fault["type"] == "json_invalid":
        return f"The body is not JSON (at character {where})."
    if fault["type"] == "missing" and not where:
        return "A JSON body is needed."
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such field."
    said = _KINDS.get(str(fault["type"]), fault["msg"])
    return f"{where}: {said}" if where else f"The body can't be read: {said}, as application/json."
