"""How long the stages of a search take, in milliseconds: known for every search, at a microsecond a stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

_timings: ContextVar[dict[str, float] | None] = ContextVar("timings", default=None)


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Give what the stages within the block took by then, in the order that they began in."""
    found: dict[str, float] = {}
    token = _timings.set(found)
    try:
        yield found
    finally:
        _timings.reset(token)


class Stage:
    """`with Stage("encode"): ...` adds what the block takes to that stage, but for what stages within it take."""

    __slots__ = ("_before", "_name", "_started")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._before = sum((_timings.get() or {}).values())
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        timings = _timings.get()
        if timings is not None:
            took = (time.perf_counter() - self._started) * 1e3 - (sum(timings.values()) - self._before)
            timings[self._name] = timings.get(self._name, 0.0) + took
