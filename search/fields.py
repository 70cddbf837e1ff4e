"""The fields of a library: what its documents' metadata holds, counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from search.dates import is_ambiguous, start_of
from search.filter_fields import BUILT_IN, COLUMNS, DATES, METADATA
from search.stores.sqlite import Connection
from search.texts import nfc

_KEPT = 10_000  # distinct values of a field that are counted one by one
_EXAMPLES = 5
_LONGEST = 60  # characters of a value that is shown
_UNIQUE = ("id", "uri", "path")  # of the fields that every document has: no two have the same value


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a filter can name.

    Args:
        name: as it is written in a filter.
        documents: how many have it.
        types: how many values are `text`, `number`, `date` or `boolean`; a list has several values.
        values: the most frequent values and their counts, a few of them.
        distinct: how many different values there are, at least.
        unclear: values that look like a date but could be two, such as 03/04/2021; a few of them.
    """

    name: str
    documents: int
    types: Mapping[str, int]
    values: tuple[tuple[str | float | bool, int], ...]
    distinct: int
    unclear: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    documents: int = 0
    types: Counter[str] = field(default_factory=Counter)
    values: Counter[tuple[str, str | float | bool]] = field(default_factory=Counter)
    unclear: list[str] = field(default_factory=list)

    def add(self, value: Any) -> None:
        kind, shown = _kind(value), nfc(value) if isinstance(value, str) else value
        self.types[kind] += 1
        if len(self.values) < _KEPT or (kind, shown) in self.values:
            self.values[kind, shown] += 1
        if kind == "text" and len(self.unclear) < _EXAMPLES and is_ambiguous(value) and value not in self.unclear:
            self.unclear.append(value)

    def field(self, name: str) -> Field:
        top = sorted(self.values.items(), key=lambda one: (-one[1], str(one[0][1])))[:_EXAMPLES]
        values = tuple((_short(value), count) for (_, value), count in top)
        return Field(
            name, self.documents, dict(self.types.most_common()), values, len(self.values), tuple(self.unclear)
        )


def fields(connection: Connection) -> list[Field]:
    """Return what filters can name: what every document has, then its own metadata, the most frequent first.

    A field of the metadata that has the name of one that every document has is called `metadata.type`.
    """
    own: dict[str, _Tally] = {}
    for (text,) in connection.execute("SELECT metadata FROM documents"):
        held: dict[str, list[Any]] = {}
        for name, value in _walk(json.loads(text), ""):
            held.setdefault(nfc(name), []).append(value)
        for name, values in held.items():
            tally = own.setdefault(name, _Tally())
            tally.documents += 1
            for value in values:
                tally.add(value)
    found = [tally.field(METADATA + name if name in BUILT_IN else name) for name, tally in own.items()]
    return [*_built_in(connection), *sorted(found, key=lambda one: (-one.documents, one.name))]


def _built_in(connection: Connection) -> Iterator[Field]:
    for name in BUILT_IN:
        kind = "date" if name in DATES else "text"
        value = f"substr({DATES[name]}, 1, 4)" if name in DATES else COLUMNS[name]  # of dates, the years
        counts = f"SELECT count({value}), count(DISTINCT {value}) FROM documents d"
        total, distinct = connection.execute(counts).fetchone()
        grouped = f"count({value}) FROM documents d GROUP BY 1 HAVING count({value}) ORDER BY 2 DESC, 1"
        rest = "1 FROM documents d ORDER BY d.id" if name in _UNIQUE else grouped
        rows = connection.execute(f"SELECT {value}, {rest} LIMIT {_EXAMPLES}")
        values = tuple((_short(one), count) for one, count in rows)
        yield Field(name, total, {kind: total} if total else {}, values, distinct)


def _walk(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the values of an object with their dotted names, of a list each element."""
    for key, inner in value.items():
        name = prefix + key
        if isinstance(inner, dict):
            yield from _walk(inner, f"{name}.")
        else:
            yield from ((name, item) for item in (inner if isinstance(inner, list) else [inner]) if _is_scalar(item))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _kind(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "boolean"
    if not isinstance(value, str):
        return "number"
    return "date" if start_of(value, coarse=False) else "text"


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: _LONGEST - 1] + "…"
    return value
