"""Connections that keep the server waiting are dropped: those without a request, or with half of one, or with an answer
that nobody takes; and the server that does so.
"""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import uvicorn
from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0  # for a request to come, line and headers
ANSWER_S = 40.0  # for the client to take what is ready for it
DRAIN_S = 23  # for requests that run when the server is stopped
STUCK_S = 4  # more, for what waits in a thread, which can't be cancelled
_SWEPT_EVERY = 10  # ticks of uvicorn, a tenth of a second each
MAX_CONNECTIONS = 4_000
CLOSING_S = 10.0  # for what is left to be sent at the end
_TWO_LENGTHS = {b"content-length", b"transfer-encoding"}


class Connections:
    """Watches the connections of uvicorn, each a `Protocol`; `sweep` is to be called every second or so.

    Args:
        scale: how much shorter than usual all times are.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._since: dict[Any, tuple[tuple[str, int], float]] = {}

    def sweep(self, connections: Iterable[Any], *, draining: bool = False) -> None:
        """Drop those that have been in one phase for too long; those that have sent no whole request, when draining."""
        now, before = time.monotonic(), self._since
        self._since = {}
        for connection in list(connections):
            phase, limit = _phase(connection)
            state = (phase, id(connection.cycle))
            known, since = before.get(connection, (state, now))
            since = since if known == state else now
            self._since[connection] = (state, since)
            if now - since > limit / self._scale or (draining and phase in ("head", "body")):
                connection.transport.abort()


def _phase(connection: Any) -> tuple[str, float]:
    """Return what a connection is at, and for how many seconds it may be."""
    cycle = connection.cycle
    if connection.transport.is_closing():
        return "closing", CLOSING_S
    if connection.flow.write_paused:
        return "answer", ANSWER_S
    if cycle is None or cycle.response_complete:
        return "head", HEAD_S
    if cycle.more_body:
        return "body", float("inf")  # `api.server.intake` sees to it
    return "work", float("inf")


class Protocol(H11Protocol):
    """Uvicorn's, which doesn't stumble over what it can't answer: a HEAD, or a request that is answered by half.

    Of a request that tells its length in two ways (RFC 9112, 6.1) it is the last answer of the connection: a proxy that
    goes by the other one would take what follows for another client's.
    """

    def handle_events(self) -> None:
        """Take in what came."""
        super().handle_events()
        if self.cycle is not None and {name for name, _ in self.headers} >= _TWO_LENGTHS:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, if it can be said any more, and close."""
        try:
            super().send_400_response(msg)
        except LocalProtocolError:
            self.transport.close()


class Server(uvicorn.Server):
    """Uvicorn's, which drops who keeps it waiting, and ends within half a minute of a signal.

    Args:
        scale: how much shorter than usual clients may keep it waiting.
        draining: is called when it begins to end, before what runs is waited for.
    """

    def __init__(self, config: uvicorn.Config, scale: float = 1.0, draining: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._draining = draining
        self._connections = Connections(scale)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer. What is loaded by then stays, and is not looked over for garbage any more.

        There are 100,000 objects, and looking over all of them holds up whoever is asking by a twentieth of a second.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections once a second; return whether to end."""
        if counter % _SWEPT_EVERY == 0:
            self._connections.sweep(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what runs; who has not sent a whole request by now is not waited for."""
        self._connections.sweep(self.server_state.connections, draining=True)
        self._draining()
        await super().shutdown(sockets)
        gc.unfreeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; at the second signal, end."""
        if self.should_exit:  # the second one ends it at once; commits are atomic: nothing is left half-done
            os._exit(128 + sig)
        stuck = threading.Timer(DRAIN_S + STUCK_S, os._exit, (1,))
        stuck.daemon = True
        stuck.start()
        super().handle_exit(sig, frame)
