"""Paths of requests: what they hold, and a slash at their end."""

from __future__ import annotations

from collections.abc import Set

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send


class _Name(Convertor[str]):
    """What a document goes by: an id or a URI, with slashes, and with line ends where the name of its file has some."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _Name())
ID = "{id:name}"  # in the path of a route


class WithoutSlash:
    """ASGI middleware: `/v1/documents/` is `/v1/documents`, not the document whose id is empty.

    A redirection would cost the client a second request, and some clients the body of the first.

    Args:
        paths: as they are routed; one that ends in a parameter may have a slash there that belongs to it.
    """

    def __init__(self, app: ASGIApp, paths: Set[str]) -> None:
        self._app = app
        self._paths = {path for path in paths if "{" not in path}
        parted = (path.rpartition("}") for path in paths - self._paths)
        self._around = {(before.partition("{")[0], after) for before, _, after in parted if after}

    def _is_whole(self, path: str) -> bool:
        return path in self._paths or any(path.startswith(start) and path.endswith(end) for start, end in self._around)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, to the path that is meant."""
        if scope["type"] == "http" and (path := scope["path"].rstrip("/")) != scope["path"] and self._is_whole(path):
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
