"""Vector spaces: which models made the vectors of a catalog."""

from __future__ import annotations

from dataclasses import dataclass

from quarry.search.errors import ModelMismatch
from quarry.search.stores import checksums
from quarry.search.stores.sqlite import Connection


@dataclass(frozen=True, slots=True)
class Space:
    """A vector space: the vectors of one model. `name` is `text` or `image`; one space of a name is active."""

    id: int
    name: str
    identity: str
    model: str
    dimension: int


def active_space(connection: Connection, name: str) -> Space | None:
    """Return the active space of that name, seen through `connection`."""
    checksums.require(connection, "spaces")
    row = connection.execute(
        "SELECT id, name, identity, model, dimension FROM spaces WHERE name = ? AND active = 1", (name,)
    ).fetchone()
    return Space(*row) if row else None


def active_spaces(connection: Connection) -> list[Space]:
    """Return the active spaces, seen through `connection`."""
    checksums.require(connection, "spaces")
    rows = connection.execute("SELECT id, name, identity, model, dimension FROM spaces WHERE active = 1 ORDER BY id")
    return [Space(*row) for row in rows]


def add_space(
    connection: Connection, name: str, identity: str, model: str, dimension: int, *, active: bool = True
) -> Space:
    """Add a space, or return the one of that identity."""
    connection.execute(
        "INSERT INTO spaces (name, identity, model, dimension, active) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (name, identity, model, dimension, int(active)),
    )
    row = connection.execute(
        "SELECT id, name, identity, model, dimension FROM spaces WHERE name = ? AND identity = ?", (name, identity)
    ).fetchone()
    return Space(*row)


def check_identity(space: Space, identity: str, model: str) -> None:
    """Refuse a model that did not make the space's vectors.

    Raises:
        ModelMismatch: names both, and the command that embeds anew.
    """
    if space.identity != identity:
        raise ModelMismatch(
            f"This library's {space.name} was embedded by {space.model} ({space.identity[:24]}), not by {model} "
            f"({identity[:24]}). Search it with {space.model}, or embed it anew: "
            f"`quarry reembed --{space.name}-model {model}`."
        )
