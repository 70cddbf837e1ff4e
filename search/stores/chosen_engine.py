"""Which vector engine a library has its vectors kept by: a row of `meta`, so that whoever opens it uses that one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from quarry.search.stores.sqlite import Connection

CHOSEN = "engine"


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """An engine by its name in `search.engines.table`, and where it is; "" for the default, and for its own place."""

    name: str = ""
    uri: str = ""

    @classmethod
    def read(cls, value: str | None) -> ChosenEngine:
        """Return what a row says; the default where there is none, or it is damaged: the catalog has all vectors."""
        try:
            found = json.loads(value or "{}")
            return cls(str(found.get("name", "")), str(found.get("uri", "")))
        except (ValueError, AttributeError):
            return cls()


def chosen(connection: Connection) -> ChosenEngine:
    """Return the engine that a library has chosen."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (CHOSEN,)).fetchone()
    return ChosenEngine.read(row[0] if row else None)


def choose(connection: Connection, engine: ChosenEngine) -> None:
    """Have a library's vectors kept by another engine from the next search on."""
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (CHOSEN, json.dumps(asdict(engine), sort_keys=True))
    )
