"""What documents hold in a field, as facets count it and hits are ordered by it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from quarry.search.fields.named import COLUMNS, METADATA, FilterField
from quarry.search.language import dates
from quarry.search.language.texts import nfc
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import field_rows
from quarry.search.types import Document

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


def held_by(document: Document, name: str) -> tuple[Value, ...]:
    """Return what a document of a hit holds in a field, as `read` does, as far as the hit tells; () for nothing."""
    columns = {"path": "uri", "indexed": "indexed", "modified": "modified"} | {one: one for one in COLUMNS}
    if name == "date":
        own = document.metadata.get("date")
        held = own if isinstance(own, str) and dates.start_of(own) else document.modified
    elif name in columns:
        held = getattr(document, columns[name], None)
    else:
        key = nfc(name.removeprefix(METADATA))
        held = next((one for of in (document.metadata, document.enriched) if (one := _at(of, key)) is not None), None)
    each = held if isinstance(held, list) else [held]
    return tuple(one for one in map(_plain, each) if one is not None)


def _at(held: Mapping[str, Any], key: str) -> Any:
    """Return what stands under a key, with a dot for each step into an object; None for nothing."""
    if key in held:
        return held[key]
    first, dot, rest = key.partition(".")
    inner = held.get(first)
    return _at(inner, rest) if dot and isinstance(inner, Mapping) else None


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
