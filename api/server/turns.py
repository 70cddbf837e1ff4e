"""How many searches are worked on at once; the others wait in line, and where that would be long they are refused.

A search is work for the processor. More at once than it has cores make none of them quicker, and whoever waits too long
has gone before the answer comes, while the work for it was done. So a line that can't be worked off in time is not
joined: who is refused knows it at once, and all that is worked on is answered in time.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.server.errors import problem
from quarry.api.server.metrics import Metrics

LONGEST_S = 1.0  # that a request may wait by what those before it take
HELD_S = 0.5
_FIRST_S = 0.02  # a search takes, before any is known
_SHARE = 0.05  # of the latest in what a search takes
_SEARCHING = re.compile(r"/v1(/libraries/[^/]+)?/(search(/batch)?|images|embeddings|mcp|documents/.+/similar)/?|/mcp/?")


class Turns:
    """ASGI middleware; what is no search has no turn to wait for.

    Args:
        at_once: searches that are worked on: as many as there are cores, in all processes together. One more answered
            fewer: they take turns at the interpreter then (`benchmarks.load`).
        longest_s: that a request may wait.
        held_s: for which a search holds its turn; one that takes longer goes on beside the others.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        at_once: int,
        longest_s: float = LONGEST_S,
        held_s: float = HELD_S,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._at_once = at_once
        self._longest_s = longest_s
        self._held_s = held_s
        self._working = 0
        self._took_s = _FIRST_S  # what a search takes of a turn, lately
        self._line: deque[anyio.Event] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on in its turn, or refuse it."""
        if scope["type"] != "http" or not _SEARCHING.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        wait_s = (len(self._line) + 1) * self._took_s / self._at_once
        if self._working >= self._at_once and wait_s > self._longest_s:
            self._metrics.shed()
            refusal = problem(503, "More is being searched for than can be; try again.", headers={"Retry-After": "1"})
            await refusal(scope, receive, send)
            return
        began = time.perf_counter()
        if self._working >= self._at_once:
            await self._wait()
        else:
            self._working += 1
        started = time.perf_counter()
        self._metrics.waited(started - began)
        self._metrics.queue(self._working, len(self._line))
        has_turn = True

        def give_up() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                self._took_s += _SHARE * (time.perf_counter() - started - self._took_s)
                self._next()

        later = asyncio.get_running_loop().call_later(self._held_s, give_up)
        try:
            await self._app(scope, receive, send)
        finally:
            later.cancel()
            give_up()

    def _next(self) -> None:
        if self._line:
            self._line.popleft().set()  # who waits longest has the turn
        else:
            self._working -= 1
        self._metrics.queue(self._working, len(self._line))

    async def _wait(self) -> None:
        turn = anyio.Event()
        self._line.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # it came, and is not wanted any more
                self._next()
            else:
                self._line.remove(turn)
            raise
