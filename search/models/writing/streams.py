"""Streams: what a model writes in its thread, read piece by piece in another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from quarry.search.errors import ModelError
from quarry.search.requests import deadline


class Closed(Exception):
    """Nobody reads the stream any more."""


class Stream:
    """What `generate` hands tokens to in its thread, and what is read from in another."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self.closed = threading.Event()
        self._decode = decode
        self._queue: SimpleQueue[str | Exception | None] = SimpleQueue()
        self._ids: list[int] | None = None
        self._sent = 0

    def put(self, tokens: Any) -> None:
        """Take the prompt's tokens, which come first and are dropped, or the next one."""
        if self.closed.is_set():
            raise Closed
        if self._ids is None:
            self._ids = []
            return
        self._ids += tokens.flatten().tolist()
        text = self._decode(self._ids)
        if not text.endswith("\ufffd"):  # the rest of a character is still to come
            self._send(text)

    def end(self) -> None:
        """Send what was held back, without the character that broke off."""
        self._send(self._decode(self._ids or []).rstrip("\ufffd"))
        self._queue.put(None)

    def fail(self, error: Exception) -> None:
        """End with an error."""
        self._queue.put(error)

    def _send(self, text: str) -> None:
        self._queue.put(text[self._sent :])
        self._sent = max(self._sent, len(text))

    def pieces(self, name: str) -> Iterator[str]:
        """Read what is written, until it ends; ModelError where the model fails."""
        while (piece := self._next()) is not None:
            if isinstance(piece, Exception):
                reason = " ".join(str(piece).split())[:300] or type(piece).__name__
                raise ModelError(f"{name} failed while it wrote: {reason}.") from piece
            if piece:
                yield piece

    def _next(self) -> str | Exception | None:
        """Wait for what comes next, no longer than the request may take."""
        while True:
            deadline.check()
            try:
                return self._queue.get(timeout=min(1.0, deadline.left()))
            except Empty:
                pass


def until(stops: tuple[str, ...], pieces: Iterable[str]) -> Iterator[str]:
    """Pass pieces on up to the first of `stops`, without white space before the first word."""
    held, begun = "", False
    for piece in pieces:
        held = held + piece if begun else (held + piece).lstrip()
        begun = begun or bool(held)
        at = min((place for stop in stops if (place := held.find(stop)) >= 0), default=-1)
        if at >= 0:
            held = held[:at]
            break
        kept = max((n for stop in stops for n in range(1, len(stop)) if held.endswith(stop[:n])), default=0)
        if ready := held[: len(held) - kept]:
            yield ready
        held = held[len(ready) :]
    if held:
        yield held
