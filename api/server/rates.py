"""How many requests a minute each client may send: a bucket for each that fills evenly and holds a minute's worth."""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

WINDOW_S = 60
_SETS, _WAYS = 2_048, 8  # a client has one of eight places; who would be the ninth takes the fullest bucket's
_ROW = struct.Struct("=8sd")  # who, and when the bucket would be full again


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a request to take one.

    Args:
        left: how many more may be taken at once.
        wait_s: for how long none may be taken; 0 where one was.
    """

    left: int
    wait_s: float

    @property
    def ok(self) -> bool:
        """Whether one was taken."""
        return not self.wait_s


class Rates:
    """The buckets of all clients.

    Args:
        limit: requests in a minute.
        clock: seconds that only grow, the same in all processes.
        path: of the file in which several processes count together; None for one that counts by itself.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic, path: Path | None = None) -> None:
        self.limit = limit
        self._clock = clock
        size = _SETS * _WAYS * _ROW.size
        self._file = -1 if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if path is not None:
            os.ftruncate(self._file, size)
        self._table = mmap.mmap(self._file, size)

    def take(self, who: str) -> Taken:
        """Take one for a client."""
        now, each = self._clock(), WINDOW_S / self.limit
        name = blake2b(who.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        with self._held():
            place, known = self._find(name)
            full_at = max(now, known) + each
            wait_s = full_at - now - WINDOW_S
            if wait_s > 1e-9:
                return Taken(0, wait_s)
            _ROW.pack_into(self._table, place, name, full_at)
        return Taken(int((WINDOW_S - (full_at - now)) / each + 1e-6), 0.0)

    def headers(self, taken: Taken) -> dict[str, str]:
        """Return what tells a client where it stands (draft-ietf-httpapi-ratelimit-headers-10)."""
        wait = math.ceil(taken.wait_s) if not taken.ok else math.ceil(WINDOW_S / self.limit)
        return {
            "RateLimit-Policy": f'"key";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"key";r={taken.left};t={wait}',
        }

    def _find(self, name: bytes) -> tuple[int, float]:
        """Return the place of a client in the table, and when its bucket would be full again."""
        first = int.from_bytes(name, "little") % _SETS * _WAYS
        places = range(first * _ROW.size, (first + _WAYS) * _ROW.size, _ROW.size)
        rows = [(place, *_ROW.unpack_from(self._table, place)) for place in places]
        for place, who, full_at in rows:
            if who == name:
                return place, full_at
        return min(rows, key=lambda row: row[2])[0], 0.0

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other processes out; the kernel lets them in where this one dies."""
        if self._file < 0:
            yield
            return
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
