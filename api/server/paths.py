"""Paths of requests: the names that they hold, with slashes of their own, and a slash at their end."""

from __future__ import annotations

import re
from collections.abc import Set
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

_SENT = re.compile(rb"%2[fF]")
_OWN = "\udc2f"  # a slash that was sent as %2F; no path that is decoded holds half a surrogate pair


class _Name(Convertor[str]):
    """What a document goes by: an id or a URI, with slashes, and with line ends where the name of its file has some."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value.replace(_OWN, "/")

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _Name())
ID = "{id:name}"  # in the path of a route


class OwnSlashes:
    """ASGI middleware: a slash that is sent as %2F belongs to a name, and parts no path.

    So `/v1/documents/a%2Fcontent` is the document `a/content`, whatever `/v1/documents/a/content` is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with such slashes told from others."""
        if scope["type"] == "http" and len(parts := _SENT.split(scope.get("raw_path") or b"")) > 1:
            scope = {**scope, "path": _OWN.join(unquote(part.decode("latin-1")) for part in parts)}
        await self._app(scope, receive, send)


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
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)
