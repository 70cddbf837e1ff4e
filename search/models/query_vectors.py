"""The vectors of what was looked for lately: a query that comes again, or by several at once, is encoded once.

Each text is encoded alone: a quantised graph scales what it computes by the largest value in it, so that among others a
text would get another vector than alone, and the same search other hits from one time to the next. What concurrent
queries share is therefore the work for equal ones; different ones run beside each other, a thread each.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Protocol

from quarry.search.errors import DeadlineExceeded
from quarry.search.requests import deadline
from quarry.search.types import Vectors

ROOM = 16 << 20  # bytes of vectors and texts: some 8,000 queries
_OVERHEAD = 300  # bytes of an entry beside them
_LOOK_S = 0.25

Told = Callable[[str], None]


class EncodesQueries(Protocol):
    """What is asked of an encoder here."""

    @property
    def identity(self) -> str:
        """What changes when a vector would."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode what is looked for."""
        ...


class QueryVectors:
    """A cache by the encoder's identity and the text, for many threads; what was asked for longest ago makes room.

    Args:
        room: bytes.
        tell: is told where a vector came from: `encoded`, `cached`, or `shared` with who asked for it just then.
    """

    def __init__(self, room: int = ROOM, tell: Told = lambda source: None) -> None:
        self._room = room
        self._tell = tell
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
        self._coming: dict[tuple[str, str], Future[Vectors]] = {}
        self.bytes = 0

    def of(self, encoder: EncodesQueries, text: str) -> Vectors:
        """Return the (d,) unit vector of a query, to be read only; raise as `encode_queries` does."""
        key = (encoder.identity, text)
        while True:
            with self._lock:
                kept, coming = self._kept.get(key), self._coming.get(key)
                if kept is not None:
                    self._kept.move_to_end(key)
                elif coming is None:
                    mine = self._coming[key] = Future[Vectors]()
                    break
            found = kept if coming is None else _awaited(coming)
            if found is not None:
                self._tell("cached" if coming is None else "shared")
                return found
        try:
            vector: Vectors = encoder.encode_queries([text])[0]
            vector.flags.writeable = False
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._coming[key]
            self._keep(key, vector)
        mine.set_result(vector)
        self._tell("encoded")
        return vector

    def _keep(self, key: tuple[str, str], vector: Vectors) -> None:
        self._kept[key] = vector
        self.bytes += _size(key, vector)
        while self.bytes > self._room:
            self.bytes -= _size(*self._kept.popitem(last=False))


def _awaited(coming: Future[Vectors]) -> Vectors | None:
    """Return what another thread encodes; None where that thread's time was over, and it is to be tried anew."""
    while True:
        try:
            return coming.result(deadline.left(_LOOK_S))
        except NotYet:
            deadline.check()
        except DeadlineExceeded:
            deadline.check()
            return None


def _size(key: tuple[str, str], vector: Vectors) -> int:
    return _OVERHEAD + 4 * len(key[1]) + vector.nbytes
