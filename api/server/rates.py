"""How many requests a minute each client may send: a bucket for each that fills evenly and holds a minute's worth."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_S = 60
_MOST = 10_000  # clients that are remembered; one that is forgotten begins anew


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
        clock: seconds that only grow.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()  # when the bucket of a client would be full again

    def take(self, who: str) -> Taken:
        """Take one for a client."""
        now, each = self._clock(), WINDOW_S / self.limit
        full_at = max(now, self._full_at.get(who, now)) + each
        wait_s = full_at - now - WINDOW_S
        if wait_s > 1e-9:
            return Taken(0, wait_s)
        self._full_at[who] = full_at
        self._full_at.move_to_end(who)
        if len(self._full_at) > _MOST:
            self._full_at.popitem(last=False)
        return Taken(int((WINDOW_S - (full_at - now)) / each + 1e-6), 0.0)

    def headers(self, taken: Taken) -> dict[str, str]:
        """Return what tells a client where it stands (draft-ietf-httpapi-ratelimit-headers-10)."""
        wait = math.ceil(taken.wait_s) if not taken.ok else math.ceil(WINDOW_S / self.limit)
        return {
            "RateLimit-Policy": f'"key";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"key";r={taken.left};t={wait}',
        }
