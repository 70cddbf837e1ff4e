"""Which of some passages say the same, and which belong together, looked up in the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quarry.search.stores.database.sqlite import Connection

_BATCH = 500  # bound parameters a statement


def repeats(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """Return, by chunk id, the first of `chunk_ids` that has the same text, for those that are not the first.

    A picture, and what is said about one, repeats nothing.
    """
    by_text: dict[bytes, list[int]] = {}
    # As bytes: one that is damaged must not keep the others from being compared.
    sql = 'SELECT id, CAST(substr(text, 1, "end" - "start") AS BLOB) FROM chunks WHERE id IN'
    for id, text in _rows(connection, sql, chunk_ids):
        by_text.setdefault(text, []).append(id)
    alike = [ids for text, ids in by_text.items() if text and len(ids) > 1]
    if not alike:  # as most often: the kind of a document takes as long to look up as a text
        return {}
    sql = "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.kind = 'text' AND c.id IN"
    texts = {id for (id,) in _rows(connection, sql, [id for ids in alike for id in ids])}
    rank = {id: place for place, id in enumerate(chunk_ids)}
    ordered = [sorted(texts.intersection(ids), key=rank.__getitem__) for ids in alike]
    return {id: ids[0] for ids in ordered for id in ids[1:]}


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
