"""How the bodies of requests come in: whole, within a time, and only so many at once in memory.

A body that is on its way waits in a temporary file, so that a slow client takes no memory, and no room from others.
What has arrived is handed on when there is room for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quarry.api.server.errors import problem
from quarry.search.errors import Busy

ARRIVAL_S = 40.0  # for a body, from its first byte to its last
RATE = 256 << 10  # bytes a second, which a body may take more for
WAIT_S = 20.0  # for room, once it is there
SMALL = 64 << 10  # bytes, up to which a body is held in memory while it comes, and never waits for a large one
ROOM = 32 << 20  # bytes of large bodies that are worked on at once; read as JSON they take thirty times as much
SMALL_ROOM = 8 << 20
ON_DISK = 1 << 30  # bytes of bodies that are on their way
_RETRY = {"Retry-After": "5"}
_LAST = {"Connection": "close"}  # what may still come of the body is not read


class Intake:
    """ASGI middleware: takes a request's body before the request is passed on.

    Args:
        max_body: bytes of a body, whether it tells its length or comes in chunks.
        arrival_s: for it to come, and longer where it is large and comes quickly.
    """

    def __init__(self, app: ASGIApp, max_body: int, arrival_s: float = ARRIVAL_S) -> None:
        self._app = app
        self._max_body = max_body
        self._arrival_s = arrival_s
        self._coming = 0
        self._room = {True: _Room(SMALL_ROOM), False: _Room(ROOM)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the body, then pass the request on, or refuse it."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        with SpooledTemporaryFile(SMALL) as file:
            refusal: Response | None
            try:
                refusal = await self._take(receive, file)
            except OSError as error:
                refusal = problem(503, f"The body can't be kept: {error.strerror}.", headers=_RETRY)
            except _Gone:
                return
            finally:
                size = file.tell()
                self._coming -= size
            if refusal is None:
                try:
                    async with self._room[size <= SMALL].taken(size):
                        await self._app(scope, _again(file, size, receive), send)
                    return
                except Busy as error:
                    refusal = problem(503, str(error), headers=_RETRY)
        await refusal(scope, receive, send)

    async def _take(self, receive: Receive, file: SpooledTemporaryFile[bytes]) -> Response | None:
        """Write the body into `file`; return why it is refused, None where it is not."""
        with anyio.move_on_after(self._arrival_s) as waiting:
            began = waiting.deadline
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                part = message.get("body", b"")
                if file.tell() + len(part) > self._max_body:
                    return problem(413, too_large(self._max_body))
                if self._coming + len(part) > ON_DISK:
                    return problem(503, "Too much is being sent at once; try again later.", headers=_RETRY)
                file.write(part)
                self._coming += len(part)
                waiting.deadline = began + file.tell() / RATE
                if not message.get("more_body", False):
                    return None
        return problem(408, "The body comes too slowly; send it faster, or less.", headers=_LAST)


def too_large(limit: int) -> str:
    """Say that a body is larger than `limit` bytes."""
    return f"The body is larger than {limit:,} bytes; send less at once."


class _Gone(Exception):
    """The client went away."""


class _Room:
    """So many bytes, taken in the order in which they are asked for."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._waiting: deque[anyio.Event] = deque()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes while the block runs.

        Raises:
            Busy: they were not left in time.
        """
        if self._waiting or self._left < size:
            await self._wait(size)
        self._left -= size
        try:
            yield
        finally:
            self._left += size
            self._call()

    async def _wait(self, size: int) -> None:
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            with anyio.fail_after(WAIT_S):
                while self._waiting[0] is not turn or self._left < size:
                    await turn.wait()
                    if self._left < size:
                        self._waiting[0] = turn = anyio.Event()
        except TimeoutError:
            raise Busy("Too much is being worked on at once; try again later.") from None
        finally:
            self._waiting.remove(turn)
            self._call()

    def _call(self) -> None:
        if self._waiting:
            self._waiting[0].set()


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"


def _again(file: SpooledTemporaryFile[bytes], size: int, receive: Receive) -> Receive:
    """Return what gives the body once more, and then what comes of the client after it."""
    file.seek(0)
    ended = False

    async def received() -> Message:
        nonlocal ended
        if ended:
            return await receive()
        part = file.read(SMALL)
        ended = file.tell() >= size
        return {"type": "http.request", "body": part, "more_body": not ended}

    return received
