"""Which pages in a browser are answered: those of this server, and those that it was told of."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.server.admission import Door
from quarry.api.server.errors import problem
from quarry.api.server.policy import is_reading

_LOCAL = r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
_HOST = re.compile(_LOCAL, re.IGNORECASE)
_ORIGIN = re.compile(rf"https?://{_LOCAL}", re.IGNORECASE)


class Sites:
    """ASGI middleware around everything.

    A browser lets any page send requests to this machine. Where no key is asked for, one that names another host is a
    page whose name was made to point here (DNS rebinding), and could read the library. One from another origin could
    write to it; of pages of this machine, only the server's own may.

    Args:
        door: knows whether keys are asked for.
        origins: whose pages may do what the server's own may.
    """

    def __init__(self, app: ASGIApp, door: Door, origins: tuple[str, ...] = ()) -> None:
        self._app = app
        self._door = door
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._door.needs_key and not _HOST.fullmatch(host):
            return problem(421, "This server answers as localhost, 127.0.0.1 or [::1] only.")
        if origin in self._origins:
            return None
        site = headers.get("sec-fetch-site", "same-origin" if origin is None or _host(origin) == host else "cross-site")
        if site in ("same-origin", "none"):
            return None
        reading = is_reading(scope["method"], scope["path"])
        if reading and (origin is None or _ORIGIN.fullmatch(origin)):
            return None
        return problem(403, "Requests of pages from other sites are not answered; --cors-origin names those that are.")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
