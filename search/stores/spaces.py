"""Vector spaces: which models made the vectors of a catalog, and of what.

A chunk meets its vectors by its key: it has one in each space of its medium that takes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from quarry.search.errors import ModelMismatch
from quarry.search.stores import checksums
from quarry.search.stores.sqlite import Connection
from quarry.search.types import Medium

State = Literal["staged", "active", "retired"]  # no search sees it yet, all do, none does any more


@dataclass(frozen=True, slots=True)
class Space:
    """A vector space: the vectors that one model made of one medium. No two active ones have the same name.

    `takes` says which chunks of its medium it takes: all where it is empty.
    """

    id: int
    name: str
    medium: Medium
    identity: str
    model: str
    dimension: int
    takes: Mapping[str, Any] = field(default_factory=dict)


_COLUMNS = "id, name, medium, identity, model, dimension, takes"

# Whether a chunk `c` has no vector in an active space that takes it.
LACKS_VECTOR = (
    "EXISTS (SELECT 1 FROM spaces s WHERE s.state = 'active' AND s.medium = c.medium"
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


def add_space(
    connection: Connection,
    name: str,
    medium: Medium,
    identity: str,
    model: str,
    dimension: int,
    *,
    state: State = "active",
) -> Space:
    """Add a space, or return the one of that name and identity."""
    connection.execute(
        "INSERT INTO spaces (name, medium, identity, model, dimension, state) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name, identity) DO NOTHING",
        (name, medium, identity, model, dimension, state),
    )
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM spaces WHERE name = ? AND identity = ?", (name, identity)
    ).fetchone()
    return _space(row)


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
    id, name, medium, identity, model, dimension, takes = row
    return Space(id, name, medium, identity, model, dimension, json.loads(takes))
