"""What is refused before a request is read: pages of other sites, and bodies that are too large."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.errors import problem
from quarry.api.intake import too_large

_LOCAL = r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
_HOST = re.compile(_LOCAL, re.IGNORECASE)
_ORIGIN = re.compile(rf"https?://{_LOCAL}", re.IGNORECASE)


class Limits:
    """ASGI middleware around everything.

    A browser lets any page send requests to this machine. One that names another host is a page whose name was made
    to point here (DNS rebinding), and could read the library; one from another origin could write to it.

    Args:
        max_body: bytes of a request's body, where it tells its length; `api.intake` counts what comes.
    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # the server leaves out the body
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Response | None:
        if not _HOST.fullmatch(headers.get("host", "")):
            return problem(421, "This server answers as localhost, 127.0.0.1 or [::1] only.")
        if "origin" in headers and not _ORIGIN.fullmatch(headers["origin"]):
            return problem(403, "Requests of pages from other sites are not answered.")
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > self._max_body):
            return problem(413, too_large(self._max_body))
        return None
