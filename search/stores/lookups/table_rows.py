"""The rows of a table as they were indexed, a document each: the cells of every one by the names of its columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.documents import rows_among
from quarry.search.values.places import Place

# What a row of a workbook has that the whole of that says of itself.
_OF_ALL = frozenset({"author", "edited", "date", "keywords", "sheet", "subject", "lang", "description", "company"})


def records(connection: Connection, ids: Sequence[int]) -> list[tuple[dict[str, str], Place]]:
    """Return those of some documents that are rows of a table, in its order: cells by column, and where they stand."""
    sql = (
        "SELECT d.metadata, c.place, c.text FROM documents d JOIN chunks c ON c.document_id = d.id AND c.ordinal = 0"
        " WHERE d.id IN ({marks}) AND d.uri LIKE '%#%row=%'"
    )
    found = []
    for metadata, written, text in rows_among(connection, sql, ids):
        place = Place.of(json.loads(written)) if written else None
        if place is not None and (place.rows or place.cells):
            fields = {name: _cell(value) for name, value in json.loads(metadata).items()}
            lines = text.split("\n")
            own = {
                name: cell
                for name, cell in fields.items()
                if place.rows or name not in _OF_ALL or any(line.startswith(f"{name}: ") for line in lines)
            }
            found.append((own, place))
    return sorted(found, key=lambda one: _row(one[1]))


def _row(place: Place) -> tuple[str, int]:
    sheet, _, cells = (place.cells or "").rpartition("!")
    digits = "".join(filter(str.isdigit, cells.partition(":")[0]))
    return sheet, place.rows[0] if place.rows else int(digits or 0)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return json.dumps(value) if isinstance(value, bool) else str(value)
