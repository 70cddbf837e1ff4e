"""What documents hold in a field, as facets count it and hits are ordered by it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from quarry.search.filter_fields import FilterField
from quarry.search.stores import field_rows
from quarry.search.stores.sqlite import Connection
from quarry.search.texts import nfc

Value = str | int | float | bool
Values = Mapping[int, tuple[Value, ...]]  # of documents, by row id; of a list each element once, () for none


def read(connection: Connection, field: FilterField, documents: Collection[int]) -> Values:
    """Return the values of documents that have the field; objects have none."""
    found: dict[int, tuple[Value, ...]] = {}
    for row_id, kind, value in field_rows.values(connection, *field.read, documents):
        if kind == "array":
            each = {(isinstance(one, bool), one): one for one in map(_plain, json.loads(value)) if one is not None}
            found[row_id] = tuple(each.values())
        elif kind in ("true", "false"):
            found[row_id] = (kind == "true",)
        elif (one := _plain(value)) is not None and kind != "object":
            found[row_id] = (one,)
    return found


def _plain(value: object) -> Value | None:
    """Return a value that can be compared, None of what is none; texts in their composed form."""
    if isinstance(value, str):
        return nfc(value)
    return value if isinstance(value, bool | int | float) else None
