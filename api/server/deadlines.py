"""A deadline for every request, and room for the others when requests that take long hold all threads."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.to_thread import current_default_thread_limiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quarry.search.requests.deadline import Deadline

DEADLINE_S = 30.0
GIVE_WAY_S = 5.0  # after which a request gives way to others that wait for a thread
_LOOK_S = 0.5


class Running:
    """The requests that a server works for."""

    def __init__(self) -> None:
        self._deadlines: set[Deadline] = set()

    def add(self, deadline: Deadline) -> None:
        """Count a request in."""
        self._deadlines.add(deadline)

    def remove(self, deadline: Deadline) -> None:
        """Count it out."""
        self._deadlines.discard(deadline)

    def stop(self, why: str, count: int | None = None, least_s: float = 0.0) -> None:
        """Stop those that have been worked for longest, and for longer than `least_s`; all of them for None."""
        now = time.monotonic()
        long = [one for one in self._deadlines if one.began is not None and now - one.began > least_s]
        for one in sorted(long, key=lambda one: one.began or now)[:count]:
            one.stop(why)

    @asynccontextmanager
    async def making_room(self) -> AsyncIterator[None]:
        """In the block, stop the longest requests while others wait for a thread; at its end, stop all."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._make_room)
            yield
            tasks.cancel_scope.cancel()
        self.stop("the server is shutting down")

    async def _make_room(self) -> None:
        limiter = current_default_thread_limiter()
        while True:
            await anyio.sleep(_LOOK_S)
            if waiting := limiter.statistics().tasks_waiting:
                self.stop("it held up other requests", waiting, GIVE_WAY_S)


class Deadlines:
    """ASGI middleware: what a request's threads do ends with its time, which begins when its body is there.

    Args:
        seconds: how long it may take.
    """

    def __init__(self, app: ASGIApp, seconds: float, running: Running) -> None:
        self._app = app
        self._seconds = seconds
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline = Deadline(self._seconds)
        is_gone = False

        async def received() -> Message:
            nonlocal is_gone
            message = await receive()
            if message["type"] == "http.request":
                deadline.restart()
            is_gone |= message["type"] == "http.disconnect"
            return message

        async def sending(message: Message) -> None:
            if not is_gone:
                await send(message)

        self._running.add(deadline)
        try:
            with deadline.current():
                await self._app(scope, received, sending)
        finally:
            self._running.remove(deadline)
