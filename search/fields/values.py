"""What documents hold in a field, as facets count it and hits are ordered by it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from quarry.search.fields.named import FilterField
from quarry.search.language.texts import nfc
from quarry.search.stores import field_rows
from quarry.search.stores.sqlite import Connection

Value = str | int | float | bool
Values = Mapping[int, tuple[Value, ...]]  # of documents, by row id; of a list each element once, () for none


def read(connection: Connection, fields: Sequence[FilterField], documents: Collection[int]) -> Sequence[Values]:
    """Return, for each field, the values of the documents that have it; objects have none."""
    found: list[dict[int, tuple[Value, ...]]] = [{} for _ in fields]
    for row_id, *row in field_rows.values(connection, [field.read for field in fields], documents):
        for values, kind, value in zip(found, row[::2], row[1::2], strict=True):
            if kind is not None and kind != "object":
                values[row_id] = _values(kind, value)
    return list[Values](found)


def _values(kind: str, value: Any) -> tuple[Value, ...]:
    if kind == "array":
        each = {(isinstance(one, bool), one): one for one in map(_plain, json.loads(value)) if one is not None}
        return tuple(each.values())
    if kind in ("true", "false"):
        return (kind == "true",)
    one = _plain(value)
    return () if one is None else (one,)


def _plain(value: object) -> Value | None:
    """Return a value that can be compared, None of what is none; texts in their composed form."""
    if isinstance(value, str):
        return nfc(value)
    return value if isinstance(value, bool | int | float) else None
