"""Whether another server is asked at all: one that does not answer is left alone for a while, longer each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FIRST_S = 1.0
LONGEST_S = 60.0


class Circuit:
    """Open after a failure, for twice as long after each further one; then one request at a time tries it again.

    A circuit breaker (Nygard 2007, "Release It!"). Many threads may share one.

    Args:
        clock: seconds that only go on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0

    def closed(self) -> bool:
        """Whether a request may be sent now; where it is the one that tries again, the others wait for what it says."""
        with self._lock:
            if not self._failures:
                return True
            now = self._clock()
            if now < self._until:
                return False
            self._until = now + self._pause_s
            return True

    def succeeded(self) -> None:
        """An answer came."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """None came."""
        with self._lock:
            self._failures += 1
            self._until = self._clock() + self._pause_s

    @property
    def _pause_s(self) -> float:
        return min(FIRST_S * 2.0 ** min(self._failures - 1, 10), LONGEST_S)
