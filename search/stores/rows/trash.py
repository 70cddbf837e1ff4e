"""Deleted documents, kept whole in the catalog until the next compaction so that a deletion can be undone.

Every function works inside the caller's transaction. What was deleted together has one generation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents
from quarry.search.stores.rows.passages import OWN_CHUNKS
from quarry.search.types import Document


@dataclass(frozen=True, slots=True)
class Deleted:
    """A document as it was, with what cutting it anew needs (`NewDocument.structure`)."""

    row: int
    document: Document
    text: str
    structure: dict[str, Any]
    file_id: int | None


def keep(connection: Connection, document_ids: Sequence[int], now: str) -> None:
    """Copy documents that are about to be removed, by row id; one that was deleted before under the id is forgotten."""
    for document_id in document_ids:
        connection.execute(
            "DELETE FROM trash WHERE public_id = (SELECT public_id FROM documents WHERE id = ?)", (document_id,)
        )
        connection.execute(
            "INSERT INTO trash (generation, deleted, public_id, uri, file_id, kind, type, title, metadata, structure,"
            " modified, text) SELECT (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'generation'), ?,"
            " d.public_id, d.uri, d.file_id, d.kind, d.type, d.title, d.metadata, d.structure, d.modified,"
            " coalesce((SELECT group_concat(text, '') FROM (SELECT text FROM chunks WHERE document_id = d.id"
            f" AND {OWN_CHUNKS} ORDER BY ordinal)), '') FROM documents d WHERE d.id = ?",
            (now, document_id),
        )
        if documents.is_damaged(connection, document_id):  # and it stays so
            connection.execute(
                "UPDATE trash SET checksum = NULL WHERE public_id = (SELECT public_id FROM documents WHERE id = ?)",
                (document_id,),
            )


def find(connection: Connection, references: Sequence[str] = ()) -> list[Deleted]:
    """Return deleted documents by id, URI, or path of a file that held many, newest first.

    Where none is named: what the last deletion took. LibraryDamaged where one is not what was deleted.
    """
    if not references:
        where, params = "t.generation = (SELECT max(generation) FROM trash)", list[str]()
    else:
        one = "t.public_id = ? OR t.uri = ? OR (t.uri > ? || '#' AND t.uri < ? || '$')"
        where = " OR ".join([one] * len(references))
        params = [reference for reference in references for _ in range(4)]
    checksums.require(connection, "trash t", where, params)
    rows = connection.execute(
        "SELECT t.id, t.public_id, t.uri, t.title, t.type, t.metadata, t.kind, t.modified, t.text, t.structure,"
        " (SELECT f.id FROM files f WHERE f.id = t.file_id)"  # None once its root was forgotten
        f" FROM trash t WHERE {where} ORDER BY t.id DESC",
        params,
    )
    return [_deleted(row) for row in rows]


def _deleted(row: Sequence[Any]) -> Deleted:
    id, public_id, uri, title, type_, metadata, kind, modified, text, structure, file_id = row
    document = Document(public_id, uri, title, type_, json.loads(metadata), kind, modified, characters=len(text))
    return Deleted(id, document, text, json.loads(structure), file_id)


def drop(connection: Connection, rows: Sequence[int]) -> None:
    """Forget deleted documents by their rows here."""
    connection.executemany("DELETE FROM trash WHERE id = ?", [(row,) for row in rows])


def empty(connection: Connection) -> None:
    """Forget all that was deleted."""
    connection.execute("DELETE FROM trash")
