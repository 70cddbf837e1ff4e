"""Which vector engine a library has its vectors kept by: a row of `meta`, so that whoever opens it uses that one.

A place elsewhere is that of one catalog file, told by its inode. A copy, a restored backup, or a library that somebody
sent is another file: it writes nothing into what the first one keeps there, and has nobody's queries sent anywhere.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from quarry.search.stores.database.sqlite import Connection

CHOSEN = "engine"


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """An engine by its name in `search.engines.table`, and where it is; "" for the default, and for its own place.

    Args:
        by: the catalog file that chose a place elsewhere; "" where it is in the library.
    """

    name: str = ""
    uri: str = ""
    by: str = ""

    def at(self, catalog: Path) -> ChosenEngine:
        """Return it as that catalog file chooses it."""
        return ChosenEngine(self.name, self.uri, str(catalog.stat().st_ino) if self.uri else "")

    @classmethod
    def read(cls, value: str | None) -> ChosenEngine:
        """Return what a row says; the default where there is none, or it is damaged: the catalog has all vectors."""
        try:
            found = json.loads(value or "{}")
            return cls(str(found.get("name", "")), str(found.get("uri", "")), str(found.get("by", "")))
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
