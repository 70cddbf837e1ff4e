"""Which models do which tasks for a library, as it remembers them, and how far each has come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from quarry.search.stores.database.sqlite import Connection

_TASKS = "tasks"  # in `meta`
_REASONS = 20  # documents that failed, of which it is told why


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model that does a task for every document of a library.

    Args:
        name: what it says stands under, and goes by.
        task: the name of what it does.
        model: its own name, or the path of its folder.
        identity: of what it computes (`Card.identity`), when it was chosen.
        labels: that it tells apart, where its task takes some.
        template: what is asked of each of these, with `{}` in its place; "" for what the task asks by itself.
        language: that it writes, where its task is told one.
    """

    name: str
    task: str
    model: str
    identity: str
    labels: tuple[str, ...] = ()
    template: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a library an enrichment has looked at.

    Args:
        could: how many documents hold what it looks at.
        documents: how many of them it has looked at.
        failed: how many of these it failed over.
        reasons: why, by their URIs; of the first of them.
    """

    could: int
    documents: int
    failed: int
    reasons: Mapping[str, str] = field(default_factory=dict)


def chosen(connection: Connection) -> list[ChosenModel]:
    """Return the models that were chosen, in the order they were."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_TASKS,)).fetchone()
    written = json.loads(row[0]) if row else []
    return [ChosenModel(**{**values, "labels": tuple(values.get("labels", ()))}) for values in written]


def choose(connection: Connection, models: Sequence[ChosenModel]) -> None:
    """Have just these models do their tasks from now on."""
    connection.execute("DELETE FROM meta WHERE key = ?", (_TASKS,))
    if models:
        written = json.dumps([asdict(one) for one in models], ensure_ascii=False)
        connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (_TASKS, written))


def forget(connection: Connection, identity: str, *, failed: bool = False) -> int:
    """Forget what an enrichment found, or only over what it failed, so that it looks again; return of how many."""
    only = " AND json_extract(result, '$.failed') IS NOT NULL" if failed else ""
    return connection.execute(f"DELETE FROM enrichments WHERE identity = ?{only}", (identity,)).rowcount


def forget_late(connection: Connection, identity: str, limit_s: float) -> int:
    """Forget over what an enrichment failed for taking longer than another limit, so that it looks again; return of how
    many."""
    sql = "DELETE FROM enrichments WHERE identity = ? AND json_extract(result, '$.limit_s') != ?"
    return connection.execute(sql, (identity, limit_s)).rowcount


def coverage(connection: Connection, identity: str, holds: str) -> Coverage:
    """Return how far an enrichment has come.

    Args:
        holds: the condition over `documents d` that one holds what it looks at.
    """
    rows = (
        "FROM documents d LEFT JOIN enrichments e ON e.identity = ? AND e.key = d.hash"
        f" AND json_extract(e.result, '$.left') IS NULL WHERE ({holds})"
    )
    could, documents, failed = connection.execute(
        f"SELECT count(*), count(e.key), count(json_extract(e.result, '$.failed')) {rows}", (identity,)
    ).fetchone()
    return Coverage(could, documents, failed, failures(connection, identity, _REASONS) if failed else {})


def failures(connection: Connection, identity: str, most: int = -1) -> dict[str, str]:
    """Return why an enrichment failed over documents, by their URIs; of so many of them, -1 for all."""
    sql = (
        "SELECT d.uri, json_extract(e.result, '$.failed') AS why FROM enrichments e JOIN documents d ON d.hash = e.key"
        " WHERE e.identity = ? AND why IS NOT NULL LIMIT ?"
    )
    return dict(connection.execute(sql, (identity, most)).fetchall())
