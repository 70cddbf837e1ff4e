"""The nulls of a library's spaces (see `search.relevance`), kept in its catalog once there are items to fit them on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from quarry.search.relevance import PRIORS, UNKNOWN, Null
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.spaces import Space

_KEY = "nulls"


def nulls(connection: Connection, spaces: Iterable[Space]) -> Mapping[str, Null]:
    """Return the nulls of spaces, by their names: what was fitted, else the prior of the model."""
    fitted = _stored(connection)
    found = {}
    for space in spaces:
        if (values := fitted.get(str(space.id))) is not None:
            found[space.name] = Null(values[0], values[1])
        else:
            found[space.name] = PRIORS.get(space.model, UNKNOWN)
    return found


def fitted_on(connection: Connection, space: Space) -> int:
    """Return how many items the null of a space was fitted on, 0 where it was not."""
    return int(_stored(connection).get(str(space.id), (0.0, 0.0, 0))[2])


def keep_null(connection: Connection, space: Space, null: Null, items: int) -> None:
    """Record the null of a space in place of an older one."""
    kept = {str(id_) for (id_,) in connection.execute("SELECT id FROM spaces")}  # a retired one may come back
    stored = {id_: values for id_, values in _stored(connection).items() if id_ in kept}
    stored[str(space.id)] = (round(null.mean, 5), round(null.spread, 5), items)
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_KEY, json.dumps(stored)),
    )


def _stored(connection: Connection) -> dict[str, tuple[float, float, int]]:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    return {} if row is None else {name: tuple(values) for name, values in json.loads(row[0]).items()}
