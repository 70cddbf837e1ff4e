"""What a hit shows of the catalog: a passage and its document, only as they were written."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.search.stores import checksums
from quarry.search.stores.documents import DOCUMENT_COLUMNS, DOCUMENT_WIDTH, batches, document_of, rows_among
from quarry.search.stores.passages import CHUNK_COLUMNS, OWN_CHUNKS, chunk_of
from quarry.search.stores.sqlite import Connection
from quarry.search.types import Chunk, Document


def hydrate(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, tuple[Chunk, Document]]:
    """Return the chunks and their documents, by chunk id.

    Ids that this generation does not hold are left out, and those whose rows are not what was written.
    """
    found = {}
    for batch in batches(_sound(connection, chunk_ids)):
        marks = ",".join("?" * len(batch))
        for row in connection.execute(
            f"SELECT c.id, {DOCUMENT_COLUMNS}, {CHUNK_COLUMNS} FROM chunks c"
            f" JOIN documents d ON d.id = c.document_id WHERE c.id IN ({marks})",
            batch,
        ):
            found[row[0]] = (chunk_of(row[1 + DOCUMENT_WIDTH :]), document_of(row[1 : 1 + DOCUMENT_WIDTH]))
    return found


def _sound(connection: Connection, chunk_ids: Sequence[int]) -> list[int]:
    """Return those of some chunks that are what was written, and so is the document that they belong to."""
    damaged = checksums.damaged(connection, "chunks", chunk_ids)
    owner: dict[int, int] = {}
    for batch in batches([id_ for id_ in chunk_ids if id_ not in damaged]):
        marks = ",".join("?" * len(batch))
        owner.update(connection.execute(f"SELECT id, document_id FROM chunks WHERE id IN ({marks})", batch))
    wrong = checksums.damaged(connection, "documents", set(owner.values()))
    return [id_ for id_ in chunk_ids if id_ in owner and owner[id_] not in wrong]


def page_starts(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Return, for chunks that go on over the end of a page, where in the document the pages after their first begin."""
    found: dict[int, tuple[int, ...]] = {}
    rows = rows_among(
        connection,
        "SELECT c.id, p.value FROM chunks c JOIN documents d ON d.id = c.document_id"
        " JOIN json_each(d.structure, '$.pages') p"
        f" WHERE c.{OWN_CHUNKS}"
        ' AND c.id IN ({marks}) AND p.value > c."start" AND p.value < c."end" ORDER BY c.id, p.key',
        chunk_ids,
    )
    for chunk_id, start in rows:
        found[chunk_id] = (*found.get(chunk_id, ()), start)
    return found


def owners(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, str]:
    """Return the public ids of the documents that chunks belong to, by chunk id."""
    sql = "SELECT c.id, d.public_id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id IN ({marks})"
    return dict(rows_among(connection, sql, chunk_ids))
