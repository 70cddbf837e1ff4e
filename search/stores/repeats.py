"""Which of some passages say the same, and which belong together, looked up in the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quarry.search.stores.sqlite import Connection

_BATCH = 500  # bound parameters a statement


def repeats(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """Return, by chunk id, the first of `chunk_ids` that has the same text, for those that are not the first.

    A picture, and what is said about one, repeats nothing. Only what has the length of another is read.
    """
    by_length: dict[int, list[int]] = {}
    for id, length in _rows(connection, 'SELECT id, "end" - "start" FROM chunks WHERE id IN', chunk_ids):
        by_length.setdefault(length, []).append(id)
    suspects = [id for length, ids in by_length.items() if length and len(ids) > 1 for id in ids]
    texts = dict(
        _rows(
            connection,
            # As bytes: one that is damaged must not keep the others from being compared.
            """SELECT c.id, CAST(substr(c.text, 1, c."end" - c."start") AS BLOB) FROM chunks c JOIN documents d
            ON d.id = c.document_id WHERE d.kind = 'text' AND c.id IN""",
            suspects,
        )
    )
    first: dict[bytes, int] = {}
    found = {}
    for id in chunk_ids:
        if id in texts and (known := first.setdefault(texts[id], id)) != id:
            found[id] = known
    return found


def texts_of(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, str]:
    """Return the texts of passages that documents of text consist of, but for rows of tables, by chunk id."""
    rows = _rows(
        connection,
        """SELECT c.id, CAST(substr(c.text, 1, c."end" - c."start") AS BLOB) FROM chunks c JOIN documents d
        ON d.id = c.document_id WHERE d.kind = 'text' AND coalesce(c.place, '') NOT LIKE '%"rows"%' AND c.id IN""",
        chunk_ids,
    )
    return {id: bytes(text).decode("utf-8", "replace") for id, text in rows}


def documents_of(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """Return the row ids of the documents that chunks belong to, by chunk id."""
    return dict(_rows(connection, "SELECT id, document_id FROM chunks WHERE id IN", chunk_ids))


def _rows(connection: Connection, sql: str, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(ids), _BATCH):
        batch = list(ids[start : start + _BATCH])
        found += connection.execute(f"{sql} ({','.join('?' * len(batch))})", batch).fetchall()
    return found
