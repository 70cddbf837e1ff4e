"""What a browser may do with answers: show them, since what a library holds may be a stranger's page with a program
in it; and run the page's own files."""

from __future__ import annotations

from h11 import LocalProtocolError  # what uvicorn speaks HTTP with
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Taken for what they say they are; nothing in them runs or is fetched; no other site's page can hold them.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",  # but for what says otherwise itself, such as pictures and the page's own files
}
# Of the page itself, in place of the policy above: its own files and its own server, nothing inline, nothing elsewhere.
PAGE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
}


class Inert:
    """ASGI middleware around everything that is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and say beside its answer what a browser may do with it."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            try:
                await send(message)
            except LocalProtocolError:  # uvicorn has refused the rest of the request, and can't answer twice
                pass

        await self._app(scope, receive, sent if scope["type"] == "http" else send)
