"""What can be heard in a document, beside its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recording:
    """What can be heard in a document: how many parts of a minute it has, and a digest of it."""

    parts: int
    digest: str

    @classmethod
    def of(cls, values: list[Any] | None) -> Recording | None:
        """Return what `json` wrote; None for none."""
        return cls(*values) if values else None

    @property
    def json(self) -> list[Any]:
        """Both in a list."""
        return [self.parts, self.digest]
