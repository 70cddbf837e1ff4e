"""What the doctor has to say about one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MEND = "`quarry doctor --repair` rebuilds it"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. Only `damage` means that something is broken; `repaired` was."""

    level: Literal["ok", "warning", "damage", "repaired"]
    part: str
    text: str

    def body(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return {"level": self.level, "part": self.part, "text": self.text}
