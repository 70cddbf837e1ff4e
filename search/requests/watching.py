"""Who watches over searches: a server counts for `/metrics` how they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Watch(Protocol):
    """Is told from any thread, and must not wait for anything."""

    def stages(self, timings: Mapping[str, float]) -> None:
        """Take in how long the stages of a search took, in milliseconds."""
        ...

    def vector(self, source: str) -> None:
        """Take in where the vector of a query came from: `encoded`, `cached` or `shared`."""
        ...


class Unwatched:
    """Nobody."""

    def stages(self, timings: Mapping[str, float]) -> None:
        """Forget it."""

    def vector(self, source: str) -> None:
        """Forget it."""
