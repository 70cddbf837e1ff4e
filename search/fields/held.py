"""The fields of a library: what its documents' metadata holds, and what was found out about them, counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from quarry.search.fields.named import BUILT_IN, COLUMNS, DATES, METADATA, OF_LABELS
from quarry.search.language.dates import is_ambiguous, start_of
from quarry.search.language.texts import nfc
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered

_KEPT = 10_000  # distinct values of a field that are counted one by one
_EXAMPLES = 5
_LABELS = 20  # of a field, whose confidences are fields that are listed
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
    """Counts of one field; what a value is is looked at once, however often it occurs."""

    documents: int = 0
    values: Counter[tuple[type, str | float | bool]] = field(default_factory=Counter)
    rest: Counter[str] = field(default_factory=Counter)  # types of values that are not counted one by one

    def add(self, value: str | float | bool) -> None:
        key = (type(value), value)  # True is not 1
        if key in self.values or len(self.values) < _KEPT:
            self.values[key] += 1
        else:
            self.rest["text" if isinstance(value, str) else _kind(value)] += 1

    def field(self, name: str) -> Field:
        types, values = Counter(self.rest), Counter[tuple[str, str | float | bool]]()
        unclear: dict[str, None] = {}
        for (_, value), count in self.values.items():
            kind = _kind(value)
            types[kind] += count
            values[kind, nfc(value) if isinstance(value, str) else value] += count
            if kind == "text" and len(unclear) < _EXAMPLES and is_ambiguous(str(value)):
                unclear[str(value)] = None
        top = sorted(values.items(), key=lambda one: (-one[1], str(one[0][1])))[:_EXAMPLES]
        shown = tuple((_short(value), count) for (_, value), count in top)
        return Field(name, self.documents, dict(types.most_common()), shown, len(values), tuple(unclear))


def fields(connection: Connection) -> list[Field]:
    """Return what filters can name: what every document has, then its own metadata, the most frequent first.

    A field of the metadata that has the name of one that every document has is called `metadata.type`.
    """
    own: dict[str, _Tally] = {}
    for text, enriched in filtered.metadata(connection):
        held: set[str] = set()
        for name, value in _walk(json.loads(enriched) | json.loads(text), ""):
            name = nfc(name)
            tally = own.get(name)
            if tally is None:
                tally = own[name] = _Tally()
            tally.add(value)
            if name not in held:
                held.add(name)
                tally.documents += 1
    crowds = Counter(_crowd(name) for name in own)
    shown = {name: tally for name, tally in own.items() if crowds[_crowd(name)] <= _LABELS or not _crowd(name)}
    found = [tally.field(METADATA + name if name in BUILT_IN else name) for name, tally in shown.items()]
    return [*_built_in(connection), *sorted(found, key=lambda one: (-one.documents, one.name))]


def _crowd(name: str) -> str:
    """Return whose confidences or shares one is of, "" of what is none: there are as many as documents name things."""
    kind, _, rest = name.partition(".")
    field, _, label = rest.partition(".")
    return f"{kind}.{field}" if kind in OF_LABELS and label else ""


def _built_in(connection: Connection) -> Iterator[Field]:
    total = filtered.count(connection)
    for name in BUILT_IN:
        kind = "date" if name in DATES else "text"
        value = f"substr({DATES[name]}, 1, 4)" if name in DATES else COLUMNS[name]  # of dates, the years
        if name in _UNIQUE:
            rows = [(one, 1) for one in filtered.first_values(connection, value, _EXAMPLES)]
            count = distinct = total
        else:
            rows = [row for row in filtered.value_counts(connection, value).items() if row[0] is not None]
            count, distinct = sum(row[1] for row in rows), len(rows)
        values = tuple((_short(one), times) for one, times in rows[:_EXAMPLES])
        yield Field(name, count, {kind: count} if count else {}, values, distinct)


def _walk(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the values of an object with their dotted names, of a list each element that is one."""
    for key, inner in value.items():
        name = prefix + key
        if isinstance(inner, str | int | float):
            yield name, inner
        elif isinstance(inner, dict):
            yield from _walk(inner, f"{name}.")
        elif isinstance(inner, list):
            yield from ((name, item) for item in inner if isinstance(item, str | int | float))


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
