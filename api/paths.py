"""A slash at the end of a path."""

from __future__ import annotations

from collections.abc import Set

from starlette.types import ASGIApp, Receive, Scope, Send


class WithoutSlash:
    """ASGI middleware: `/v1/documents/` is `/v1/documents`, not the document whose id is empty.

    A redirection would cost the client a second request, and some clients the body of the first.

    Args:
        paths: those without parameters, as they are routed.
    """

    def __init__(self, app: ASGIApp, paths: Set[str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, to the path that is meant."""
        if scope["type"] == "http" and (path := scope["path"].rstrip("/")) != scope["path"] and path in self._paths:
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
