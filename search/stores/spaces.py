"""Vector spaces: which models made the vectors of a catalog, and of what.

A chunk meets its vectors by its key: it has one in each space of its medium that takes it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from quarry.search.errors import ModelMismatch
from quarry.search.stores.chosen_engine import CHOSEN, ChosenEngine
from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.types import Kind

State = Literal["staged", "active", "retired"]  # no search sees it yet, all do, none does any more


@dataclass(frozen=True, slots=True)
class Space:
    """A vector space: the vectors that one model made of one medium. No two active ones have the same name.

    `takes` says which chunks of its medium it takes: all where it is empty. `activation` is a random name of when it
    became active: a retired space can come back, with vectors of what it missed, and the id of a dropped one is given
    again. What was read of a space, or made of it, holds for that very activation. `engine` is the one that the library
    has chosen for its vectors.
    """

    id: int
    name: str
    medium: Kind
    identity: str
    model: str
    dimension: int
    takes: Mapping[str, Any] = field(default_factory=dict)
    activation: str = ""
    engine: ChosenEngine = field(default=ChosenEngine(), compare=False)


# The language of the document that a chunk `c` is of, as far as it is known.
LANGUAGE = "(SELECT json_extract(d.enriched, '$.language') FROM documents d WHERE d.id = c.document_id)"
_ACTIVATION = "space:"  # with the id of the space, a key of `meta`
_COLUMNS = (
    "id, name, medium, identity, model, dimension, takes,"
    f" coalesce((SELECT m.value FROM meta m WHERE m.key = '{_ACTIVATION}' || spaces.id), ''),"
    f" (SELECT m.value FROM meta m WHERE m.key = '{CHOSEN}')"
)

# Whether a chunk `c` has no vector in an active space that takes it.
LACKS_VECTOR = (
    "EXISTS (SELECT 1 FROM spaces s WHERE s.state = 'active' AND s.medium = c.medium"
    f" AND (s.takes = '{{}}' OR admits(s.takes, c.text, {LANGUAGE}))"
    " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.space_id = s.id AND v.key = c.key))"
)


def active_space(connection: Connection, name: str) -> Space | None:
    """Return the active space of that name, seen through `connection`."""
    return next((space for space in active_spaces(connection) if space.name == name), None)


def active_spaces(connection: Connection) -> list[Space]:
    """Return the active spaces, seen through `connection`."""
    checksums.require(connection, "spaces")
    rows = connection.execute(f"SELECT {_COLUMNS} FROM spaces WHERE state = 'active' ORDER BY id")
    return [_space(row) for row in rows]


def every_space(connection: Connection) -> list[Space]:
    """Return all spaces, whatever their state."""
    checksums.require(connection, "spaces")
    return [_space(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM spaces ORDER BY id")]


def has_vectors(connection: Connection, space: Space) -> bool:
    """Whether there is a vector of a space."""
    return connection.execute("SELECT 1 FROM vectors WHERE space_id = ? LIMIT 1", (space.id,)).fetchone() is not None


def named_spaces(connection: Connection, state: State) -> dict[str, Space]:
    """Return the spaces of a state by their names; of several of a name, the one that was begun last."""
    checksums.require(connection, "spaces")
    rows = connection.execute(f"SELECT {_COLUMNS} FROM spaces WHERE state = ? ORDER BY id", (state,))
    return {space.name: space for space in map(_space, rows)}


def add_space(
    connection: Connection,
    name: str,
    medium: Kind,
    identity: str,
    model: str,
    dimension: int,
    *,
    state: State = "active",
    takes: Mapping[str, Any] | None = None,
) -> Space:
    """Add a space, or return the one of that name and identity."""
    added = connection.execute(
        "INSERT INTO spaces (name, medium, identity, model, dimension, state, takes) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name, identity) DO NOTHING RETURNING id",
        (name, medium, identity, model, dimension, state, json.dumps(dict(takes or {}), sort_keys=True)),
    ).fetchone()
    if added is not None and state == "active":
        _mark(connection, added[0])
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM spaces WHERE name = ? AND identity = ?", (name, identity)
    ).fetchone()
    return _space(row)


def stage_again(connection: Connection, space: Space) -> None:
    """Have a space that was retired take what came since; its segments stay where they lack no vector of their time."""
    if connection.execute(
        "UPDATE spaces SET state = 'staged' WHERE id = ? AND state = 'retired'", (space.id,)
    ).rowcount:
        lacks = "NOT EXISTS (SELECT 1 FROM vectors v WHERE v.space_id = ?1 AND v.key = c.key) AND c.medium = ?2"
        covered = "c.generation <= (SELECT max(last_generation) FROM segments WHERE space_id = ?1)"
        if connection.execute(
            f"SELECT 1 FROM chunks c WHERE {covered} AND {lacks} LIMIT 1", (space.id, space.medium)
        ).fetchone():
            connection.execute("DELETE FROM segments WHERE space_id = ?", (space.id,))


def activate(connection: Connection, space: Space) -> None:
    """Put a space in the place of the active one of its name, which is kept until the next one takes its place."""
    is_active = active_space(connection, space.name) == space
    kept = "('active', 'retired')" if is_active else "('active')"  # what was begun and left is dropped
    others = f"SELECT id FROM spaces WHERE name = ? AND id <> ? AND state NOT IN {kept}"
    _drop(connection, [id_ for (id_,) in connection.execute(others, (space.name, space.id)).fetchall()])
    if not is_active:
        connection.execute("UPDATE spaces SET state = 'retired' WHERE name = ? AND state = 'active'", (space.name,))
        connection.execute("UPDATE spaces SET state = 'active' WHERE id = ?", (space.id,))
        _mark(connection, space.id)


def take(connection: Connection, space: Space, rules: Mapping[str, Any]) -> None:
    """Have a space take other chunks from now on; what it holds, and lacks, is the caller's affair."""
    connection.execute("UPDATE spaces SET takes = ? WHERE id = ?", (json.dumps(dict(rules), sort_keys=True), space.id))


def retire(connection: Connection, space: Space) -> None:
    """Take a space from those that are searched; it is kept until a compaction."""
    connection.execute("UPDATE spaces SET state = 'retired' WHERE id = ?", (space.id,))


def drop_retired_spaces(connection: Connection) -> None:
    """Drop the spaces that are searched no more, with their vectors and segments."""
    rows = connection.execute("SELECT id FROM spaces WHERE state = 'retired'").fetchall()
    _drop(connection, [id_ for (id_,) in rows])


def _drop(connection: Connection, ids: Sequence[int]) -> None:
    for id_ in ids:
        for table, column in (("segments", "space_id"), ("vectors", "space_id"), ("spaces", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (id_,))
        connection.execute("DELETE FROM meta WHERE key = ?", (f"{_ACTIVATION}{id_}",))


def _mark(connection: Connection, id_: int) -> None:
    """Name the activation that a space begins now."""
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (f"{_ACTIVATION}{id_}", secrets.token_hex(8))
    )


def check_identity(space: Space, identity: str, model: str) -> None:
    """Refuse a model that did not make the space's vectors.

    Raises:
        ModelMismatch: names both, and the command that embeds anew.
    """
    if space.identity != identity:
        raise ModelMismatch(
            f"This library's {space.name} was embedded by {space.model} ({space.identity[:24]}), not by {model} "
            f"({identity[:24]}). Search it with {space.model}, or embed it anew: "
            f"`quarry reembed --{space.medium}-model {model}`."
        )


def _space(row: Sequence[Any]) -> Space:
    id, name, medium, identity, model, dimension, takes, activation, engine = row
    rules, chosen = json.loads(takes), ChosenEngine.read(engine)
    return Space(id, name, medium, identity, model, dimension, rules, activation, chosen)
