"""What each request came to: told to whoever watches the server, when its answer has ended."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST = 64 << 10  # bytes of a body that a query is looked for in


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; nothing in it was written by the client but its method, unless queries are told.

    Args:
        id: what the answer names it by, in `X-Request-ID`.
        route: the path of the route, such as `/v1/documents/{id}`, "" where it came to none.
        status: 0 where the client went away first.
        key: the name of its key.
        seconds: from when its head was there to when its answer had been handed over.
        bytes: of the answer's body.
        query: what was searched for, None where that is not told.
    """

    id: str
    method: str
    route: str
    status: int
    key: str
    seconds: float
    bytes: int
    query: str | None = None


Watcher = Callable[[Exchange], None]


class Observed:
    """ASGI middleware around everything else.

    Args:
        watchers: are told of each exchange; they must not wait for anything.
        queries: tell what was searched for.
    """

    def __init__(self, app: ASGIApp, watchers: Sequence[Watcher], queries: bool = False) -> None:
        self._app = app
        self._watchers = watchers
        self._queries = queries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, id = time.perf_counter(), secrets.token_hex(8)
        status = size = 0
        scope["observed"] = {}
        body = bytearray()

        async def sent(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = id
            else:
                size += len(message.get("body", b""))
            await send(message)

        async def received() -> Message:
            message = await receive()
            if len(body) < _MOST:
                body.extend(message.get("body", b"")[:_MOST])
            return message

        try:
            await self._app(scope, received if self._queries else receive, sent)
        finally:
            if not scope["observed"].get("handed_on"):  # else another process tells of it
                self._tell(scope, id, status, time.perf_counter() - began, size, body)

    def _tell(self, scope: Scope, id: str, status: int, seconds: float, size: int, body: bytearray) -> None:
        query = _query(scope, body) if self._queries else None
        route, key, method = scope["observed"].get("route", ""), scope.get("key", ""), _known(scope["method"])
        exchange = Exchange(id, method, route, status, key, seconds, size, query)
        for watcher in self._watchers:
            watcher(exchange)


class TellsRoute:
    """ASGI middleware next to the routes: tells `Observed` which one it was, though what is between may copy scopes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        try:
            await self._app(scope, receive, send)
        finally:
            if "observed" in scope and "route" in scope:
                scope["observed"]["route"] = getattr(scope["route"], "path_format", "")


def _known(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"


def _query(scope: Scope, body: bytearray) -> str | None:
    """Return the `query` of a JSON body, or `q` or `text` of the address."""
    address: dict[str, list[str]] = parse_qs(scope["query_string"].decode("latin-1"))
    for name in ("q", "text"):
        if name in address:
            return address[name][0]
    if not Headers(scope=scope).get("content-type", "").startswith("application/json"):
        return None
    try:
        asked: object = json.loads(bytes(body))
    except ValueError:
        return None
    query: object = asked.get("query") if isinstance(asked, dict) else None
    return query if isinstance(query, str) else None
