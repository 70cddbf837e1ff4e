"""Pictures as rows of the catalog: chunks of the medium `image`, which have no text."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups.hit_rows import hydrate
from quarry.search.stores.rows.documents import rows_among
from quarry.search.types import KINDS, Chunk


def kinds_held(connection: Connection) -> frozenset[str]:
    """Return of which kinds there are documents."""
    sql = "SELECT EXISTS (SELECT 1 FROM documents WHERE kind = ?)"
    return frozenset(kind for kind in KINDS if connection.execute(sql, (kind,)).fetchone()[0])


def picture_key(connection: Connection, document_id: int) -> bytes | None:
    """Return the key of a picture by its document's row id, None of what is no picture."""
    row = connection.execute(
        "SELECT key FROM chunks WHERE document_id = ? AND medium = 'image' ORDER BY ordinal", (document_id,)
    ).fetchone()
    return row[0] if row else None


def picture_keys(connection: Connection) -> list[bytes]:
    """Return the keys of the library's pictures, each once."""
    rows = connection.execute("SELECT DISTINCT key FROM chunks WHERE medium = 'image'")
    return [key for (key,) in rows]


def whole_documents(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """Return, of the chunks that belong to documents which are one hit whatever of them is found, their row ids."""
    sql = (
        "SELECT c.id, c.document_id FROM chunks c JOIN documents d ON d.id = c.document_id"
        " WHERE d.kind <> 'text' AND c.id IN ({marks})"
    )
    return dict(rows_among(connection, sql, chunk_ids))


def said_about(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, Chunk]:
    """Return, for chunks that are no texts themselves, the first passage of what is said about each, if anything is.

    One that is not what was written is left out.
    """
    sql = (
        "SELECT p.id, c.id, min(c.ordinal) FROM chunks p JOIN chunks c ON c.document_id = p.document_id"
        " WHERE p.medium <> 'text' AND c.medium = 'text' AND p.id IN ({marks}) GROUP BY p.id"
    )
    first: dict[int, int] = {picture: said for picture, said, _ in rows_among(connection, sql, chunk_ids)}
    said = hydrate(connection, list(first.values()))
    return {picture: said[own][0] for picture, own in first.items() if own in said}
