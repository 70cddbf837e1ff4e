"""What a part of the torture tells of itself."""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Tally:
    """How often something was tried, and what failed, each with what repeats it.

    Args:
        until: when to stop, by `time.monotonic()`.
        most: after how many tries to stop.
        is_loud: print each failure when it happens, and how far it has come now and then.
    """

    part: str
    seed: int
    until: float = math.inf
    most: float = math.inf
    is_loud: bool = False
    tried: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: str = ""
    _told: float = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether there is time for another try."""
        return time.monotonic() < self.until and self.tried < self.most and len(self.failed) < 20

    @contextmanager
    def trying(self, step: str) -> Iterator[None]:
        """Count one try; what it raises is a failure, and the next one can be tried."""
        self.tried += 1
        try:
            yield
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
            self.fail(step, f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno}){notes}")
        if self.is_loud and time.monotonic() - self._told > 20:
            self._told = time.monotonic()
            print(f"{self.part}: {self.tried} tried, {len(self.failed)} failed, at {step}", flush=True)

    def fail(self, step: str, why: str) -> None:
        self.failed.append(f"{self.part}, seed {self.seed}, {step}: {why}")
        if self.is_loud:
            print(f"FAILED {self.failed[-1]}", file=sys.stderr, flush=True)
