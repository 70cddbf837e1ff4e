"""The MCP server over HTTP, guarded as the server of the API is: by hosts, sites, keys and rates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.library import Library
from quarry.api.mcp.server import create_server
from quarry.api.server.admission import Admission, Door
from quarry.api.server.inert import Inert
from quarry.api.server.keys import KeyUses
from quarry.api.server.libraries import Libraries
from quarry.api.server.policy import LOCAL, Policy
from quarry.api.server.rates import Rates
from quarry.api.server.sites import Sites

MAX_BODY = 1 << 20  # bytes of one request; a question is short
PATH = "/mcp"


def create_http_app(library: Library, policy: Policy = LOCAL) -> ASGIApp:
    """Return the server of a library over streamable HTTP. It keeps no sessions: each request is answered by itself."""
    app = _app(library)
    uses = KeyUses(policy.keys) if policy.keys is not None else None
    if uses is not None:
        app.router.lifespan_context = _keeping(uses, app.router.lifespan_context)
    door = Door(policy)
    admitted = Admission(app, door, uses, Rates(policy.rate) if policy.rate else None)
    return Inert(Sites(admitted, door, policy.origins))


class Mounted:
    """The MCP servers of all libraries that `quarry serve` serves, as a route of that server, which guards them."""

    def __init__(self, libraries: Libraries) -> None:
        self._libraries = libraries
        self._apps = {one.name: _app(one.library) for one in libraries}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer in the block."""
        async with AsyncExitStack() as stack:
            for app in self._apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer about the library that the path names."""
        await self._apps[self._libraries.of(scope).name]({**scope, "path": PATH}, receive, send)


def _app(library: Library) -> Starlette:
    return create_server(library).streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MAX_BODY,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # `Sites` sees to it
    )


def _keeping(uses: KeyUses, inner: Any) -> Any:
    """Return the life of an app, in which it is kept when keys were used."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with inner(app), anyio.create_task_group() as tasks:
            tasks.start_soon(uses.keep_on)
            yield
            tasks.cancel_scope.cancel()
        await run_in_threadpool(uses.keep)

    return lifespan
