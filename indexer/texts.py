"""Documents that are handed over rather than read from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """A document that is handed over rather than read from a file.

    `id` and `uri` are made where they are not given; giving one that exists replaces that document;
    one that belongs to a synced file is refused (`Conflict`).
    """

    text: str
    title: str = ""
    uri: str | None = None
    id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    type: str = "text/plain"
