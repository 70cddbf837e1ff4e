"""What is refused before a request is read: a body that is too large by its own account."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.server.errors import problem
from quarry.api.server.intake import too_large


class Limits:
    """ASGI middleware.

    Args:
        max_body: bytes of a request's body, where it tells its length; `api.server.intake` counts what comes.
    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            length = Headers(scope=scope).get("content-length", "")
            if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > self._max_body):
                await problem(413, too_large(self._max_body))(scope, receive, send)
                return
            if scope["method"] == "HEAD":  # the server leaves out the body
                scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
