"""`/v1/libraries/NAME/...` of a library of another server: what reads it is passed on there, and nothing else.

Where it goes is what the server was started with; of a request only what it asks for goes with it, and not the client's
key. What comes back is taken for what a library gives: JSON, and bytes that open as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.federation.fan_out import ServedElsewhere
from quarry.api.federation.federation import TOGETHER
from quarry.api.server.errors import problem
from quarry.api.server.libraries import PREFIX
from quarry.api.server.policy import is_reading

CONNECTING_S = 5.0
TIMEOUT_S = 30.0  # between two pieces of an answer
# What is asked of a library's documents; its roots, jobs and files are its own server's.
_ASKED = re.compile(
    "answer|check|documents|duplicates|embeddings|enrichments|facets|fields|images|labels|map|models|outliers|search"
    "|status|summarize|summary|verify"
)
_SENT = ("accept", "content-type", "if-none-match", "if-range", "range")
_TAKEN = ("etag", "cache-control", "content-range", "accept-ranges", "content-disposition", "content-length")
_SHOWN = re.compile(
    r"(application/(problem\+)?json|image/(jpeg|png|gif|webp|bmp|tiff|heic)|(audio|video)/[\w.+-]+|text/event-stream)"
)


class Forwarding:
    """ASGI middleware.

    Args:
        elsewhere: the libraries of other servers, by their names here.
    """

    def __init__(self, app: ASGIApp, elsewhere: Mapping[str, ServedElsewhere]) -> None:
        self._app = app
        self._elsewhere = {name.encode(): one for name, one in elsewhere.items()}
        self._http: httpx.AsyncClient | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, to the server that has the library it is about, or to this one."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        raw = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        name, _, rest = raw.removeprefix(PREFIX.encode()).partition(b"/")
        library = self._elsewhere.get(name)
        if library is None:
            await self._app(scope, receive, send)
            return
        refusal = _refusal(scope["method"], rest, Headers(scope=scope))
        answer = refusal or await self._answer(library, rest, Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, library: ServedElsewhere, rest: bytes, request: Request) -> Response:
        if self._http is None:
            timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECTING_S)
            self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False)
        query = request.scope["query_string"]
        headers = {name: request.headers[name] for name in _SENT if name in request.headers}
        headers |= {TOGETHER: "1", "Accept-Encoding": "identity"}
        if library.key is not None:
            headers["Authorization"] = f"Bearer {library.key}"
        url = httpx.URL(library.base)
        url = url.copy_with(raw_path=url.raw_path + b"/" + rest + (b"?" + query if query else b""))
        try:
            content = await request.body() if request.method == "POST" else None
            asked = self._http.build_request(request.method, url, headers=headers, content=content)
            found = await self._http.send(asked, stream=True)
        except httpx.HTTPError:
            return problem(502, "The server that has this library can't be reached; try again later.")
        if found.status_code in (401, 403) or found.is_redirect or "content-encoding" in found.headers:
            await found.aclose()
            return problem(502, "The server that has this library refuses the key that it is asked with, or is none.")
        kept = {name: found.headers[name] for name in _TAKEN if name in found.headers}
        type = found.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not _SHOWN.fullmatch(type):
            type = "application/octet-stream"
            kept.setdefault("content-disposition", "attachment")
        return _Streamed(found, kept, type)


class _Streamed(StreamingResponse):
    """What another server sends, as it comes."""

    def __init__(self, found: httpx.Response, headers: Mapping[str, str], type: str) -> None:
        self._found = found
        super().__init__(found.aiter_raw(), found.status_code, headers, type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and take no more where the client goes away."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._found.aclose()


def is_forwarded(method: str, rest: str) -> bool:
    """Whether a request reads documents, by its method and what its path has after the library's name."""
    return method != "OPTIONS" and bool(_ASKED.fullmatch(rest.partition("/")[0])) and is_reading(method, f"/v1/{rest}")


def _refusal(method: str, rest: bytes, headers: Headers) -> Response | None:
    if TOGETHER in headers:
        return problem(508, "This library is another server's, which is to be asked itself: so no question goes round.")
    parts = rest.replace(b"%2e", b".").replace(b"%2E", b".").split(b"/")
    if b"." in parts or b".." in parts or b"\\" in rest:
        return problem(404, "There is nothing at this path.")
    if is_forwarded(method, rest.decode("latin-1")):
        return None
    return problem(404, "This library is another server's: here it is searched and read, and all else is done there.")
