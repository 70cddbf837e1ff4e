"""Labels that documents of a library are given by their vectors, as it remembers them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from quarry.search.stores.database.sqlite import Connection

_LABELS = "labels"  # in `meta`


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels of which documents may bear several, or none.

    Args:
        field: that they are in.
        kind: of the documents that get them, "" for all.
        labels: (name, description), "" where there is none.
    """

    field: str
    kind: str
    labels: tuple[tuple[str, str], ...]


def label_sets(connection: Connection) -> list[LabelSet]:
    """Return the sets of a library, in the order they were chosen."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_LABELS,)).fetchone()
    found = json.loads(row[0]) if row else []
    return [LabelSet(field, kind, tuple((name, words) for name, words in labels)) for field, kind, labels in found]


def label_counts(connection: Connection, labels: LabelSet) -> dict[str, int]:
    """Return how many documents have each label of a set, in the order of the set."""
    sql = f"SELECT e.value, count(*) FROM documents d, json_each(d.enriched, ?) e WHERE {_of(labels)} GROUP BY 1"
    found = dict(connection.execute(sql, (_path(labels),)).fetchall())
    return {name: int(found.get(name, 0)) for name, _ in labels.labels}


def with_any(connection: Connection, labels: LabelSet, identity: str) -> int:
    """Return how many of the documents that an enrichment has looked at have a label of its set."""
    sql = (
        f"SELECT count(*) FROM documents d JOIN enrichments e ON e.identity = ? AND e.key = d.hash WHERE {_of(labels)}"
        " AND json_extract(d.enriched, ?) NOT NULL"
    )
    return int(connection.execute(sql, (identity, _path(labels))).fetchone()[0])


def _of(labels: LabelSet) -> str:
    return "d.kind = " + (f"'{labels.kind}'" if labels.kind else "d.kind")


def _path(labels: LabelSet) -> str:
    return f'$."{labels.field}"'


def keep_label_sets(connection: Connection, sets: Sequence[LabelSet]) -> None:
    """Have documents get just these from now on."""
    connection.execute("DELETE FROM meta WHERE key = ?", (_LABELS,))
    if sets:
        written = json.dumps([[one.field, one.kind, one.labels] for one in sets], ensure_ascii=False)
        connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (_LABELS, written))
