"""What fields of documents hold, for many at once: what facets count, and what hits are put in order by."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from quarry.search.stores.database.sqlite import Connection

_AMONG = "(SELECT value FROM json_each(?))"  # any number of ids as one parameter


def owners(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """Return the row ids of the documents that chunks belong to, by chunk id."""
    rows = connection.execute(f"SELECT id, document_id FROM chunks WHERE id IN {_AMONG}", (json.dumps(chunk_ids),))
    return dict(rows.fetchall())


def values(
    connection: Connection, fields: Sequence[tuple[str, str]], document_ids: Collection[int]
) -> Iterator[tuple[Any, ...]]:
    """Yield the row ids of documents, each with what it holds in some fields: the JSON type, None for nothing, and it.

    Args:
        fields: expressions over `documents d` for the type and the value (`FilterField.read`); a list's value is its
            JSON.
    """
    columns = ", ".join(f"{kind}, {value}" for kind, value in fields)
    yield from connection.execute(
        f"SELECT d.id, {columns} FROM documents d WHERE d.id IN {_AMONG}", (json.dumps(list(document_ids)),)
    )
