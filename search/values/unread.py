"""What a document shows or says that is in no text of it: pictures of text, and what can be heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scan:
    """The pages of a document that show text and hold none, from 1, and a digest of the file that they are in."""

    pages: tuple[int, ...]
    digest: str

    @classmethod
    def of(cls, values: list[Any] | None) -> Scan | None:
        """Return what `json` wrote; None for none."""
        return cls(tuple(values[0]), values[1]) if values else None

    @property
    def json(self) -> list[Any]:
        """Both in a list."""
        return [list(self.pages), self.digest]


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
