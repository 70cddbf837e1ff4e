"""Which library a catalog is, and which commits its generations were.

A generation is a number, and a number comes again where commits were lost and others took their place. So a library
has a random id, and each commit one of its own. What is derived from a commit says which one it was, and is believed
only where the catalog has had that very commit. All of it is rows of `meta`; what was lost is written there, too.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass

from quarry.search.stores.database.sqlite import Connection

KEPT = 1_000  # commits whose ids are kept; what is derived is hardly ever more than one behind


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a library. Ids are "" where a version of Quarry that knew none made it, and for generation 0."""

    library: str = ""
    generation: int = -1
    id: str = ""


def name(connection: Connection) -> None:
    """Give a library its id, where it has none yet."""
    connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('library', ?)", (secrets.token_hex(16),))


def bump(connection: Connection) -> None:
    """Make the caller's transaction a commit of its own: the next generation, with a random id."""
    connection.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'generation'")
    generation = newest(connection).generation
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (f"commit:{generation}", secrets.token_hex(8))
    )
    connection.execute("DELETE FROM meta WHERE key = ?", (f"commit:{generation - KEPT}",))


def newest(connection: Connection) -> Commit:
    """Return the commit that the connection's transaction sees."""
    generation, library, id = connection.execute(
        "SELECT m.value, (SELECT value FROM meta WHERE key = 'library'),"
        " (SELECT value FROM meta WHERE key = 'commit:' || m.value) FROM meta m WHERE m.key = 'generation'"
    ).fetchone()
    return Commit(library or "", int(generation), id or "")


def commit_of(connection: Connection, generation: int) -> Commit:
    """Return the commit that a generation was, as far as its id is still known."""
    now = newest(connection)
    if generation == now.generation:
        return now
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (f"commit:{generation}",)).fetchone()
    return Commit(now.library, generation, row[0] if row else "")


def has_had(connection: Connection, commit: Commit) -> bool:
    """Say whether a commit is the catalog's newest, or one before it. Of one without ids, the number decides."""
    now = newest(connection)
    if commit == now:
        return True
    if commit.generation > now.generation or (commit.library and commit.library != now.library):
        return False
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (f"commit:{commit.generation}",)).fetchone()
    if row is None:  # from before commits had ids, or from before those that are kept
        return not commit.id or commit.generation <= now.generation - KEPT
    return bool(row[0] == commit.id)


def compacted(connection: Connection) -> int:
    """Return the generation that every derived index covered at the last compaction, -1 before the first."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'compacted'").fetchone()
    return int(row[0]) if row else -1


def mark_compacted(connection: Connection, generation: int) -> None:
    """Record a compaction: deletions up to the one before it may be forgotten."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('compacted', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(generation),),
    )


def forgotten(connection: Connection) -> int:
    """Return the generation up to which it is not known any more what was deleted, -1 where all is known."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'forgotten'").fetchone()
    return int(row[0]) if row else -1


def mark_forgotten(connection: Connection, generation: int) -> None:
    """Record that deletions up to a generation were forgotten: who has not followed them has to begin anew."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('forgotten', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(generation),),
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """Commits that are gone: what was known of them when it was found, and whether a repair told somebody of it."""

    found: str
    text: str
    told: bool = False


def losses(connection: Connection) -> dict[str, Loss]:
    """Return what was found to be lost, oldest first, by the names that `record_loss` was given."""
    rows = connection.execute("SELECT substr(key, 6), value FROM meta WHERE key LIKE 'loss:%' ORDER BY rowid")
    return {key: Loss(**json.loads(value)) for key, value in rows.fetchall()}


def record_loss(connection: Connection, name: str, loss: Loss) -> None:
    """Write down what is lost, once under a name."""
    connection.execute(
        "INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)",
        (f"loss:{name}", json.dumps(asdict(loss), ensure_ascii=True)),
    )


def mark_told(connection: Connection) -> None:
    """Say that somebody was told of every loss there is; it is no damage any more, and kept."""
    connection.execute("UPDATE meta SET value = json_set(value, '$.told', json('true')) WHERE key LIKE 'loss:%'")
