"""Documents with what copies of them are told by, as rows of the catalog."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quarry.search.alike.sketches import IDENTITIES
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.documents import batches, rows_among
from quarry.search.types import Kind

_STEP = math.log(1.1)  # what one text is to be longer than another by, to be kept rather than an older one


@dataclass(frozen=True, slots=True)
class Sketched:
    """A document by its row id.

    Args:
        sketch: "" of what has nothing to tell it by, None of what was not looked at yet.
        size: characters, or the pixels of a picture.
        modified: ISO 8601, None where that is not known.
    """

    row: int
    sketch: str | None
    size: float
    modified: str | None

    @property
    def order(self) -> tuple[float, bool, str, float, int]:
        """What comes first is rather kept: the longer one, of about as long ones the older one."""
        size = max(self.size, 1)
        return -int(math.log(size) / _STEP), self.modified is None, self.modified or "", -size, self.row


def sketches(connection: Connection, kind: Kind, where: str, params: Sequence[Any]) -> list[Sketched]:
    """Return the documents of a kind that meet a condition, what is rather kept first."""
    pixels = "json_extract(d.metadata, '$.width') * json_extract(d.metadata, '$.height')"
    rows = connection.execute(
        "WITH some AS (SELECT d.id, d.hash, d.modified, d.kind,"  # first, since its parameters may be numbered
        f" coalesce(iif(d.kind = 'text', d.characters, {pixels}), 0) AS size FROM documents d WHERE {where})"
        " SELECT s.id, iif(e.key IS NULL, NULL, coalesce(json_extract(e.result, '$.sketch'), '')), s.size, s.modified"
        " FROM some s LEFT JOIN enrichments e ON e.identity = ? AND e.key = s.hash WHERE s.kind = ?",
        (*params, IDENTITIES[kind], kind),
    )
    return sorted((Sketched(*row) for row in rows), key=lambda one: one.order)


def of_chunks(connection: Connection, kind: Kind, chunk_ids: Sequence[int]) -> dict[int, str]:
    """Return the sketches of the documents of a kind that chunks belong to, by chunk id.

    Those of documents that have one, and in which OCR read nothing.
    """
    found: dict[int, str] = {}
    for batch in batches(list(chunk_ids)):
        rows = connection.execute(
            "SELECT c.id, json_extract(e.result, '$.sketch') FROM chunks c JOIN documents d ON d.id = c.document_id"
            " JOIN enrichments e ON e.identity = ? AND e.key = d.hash"
            f" WHERE d.kind = ? AND c.id IN ({','.join('?' * len(batch))})"
            " AND NOT EXISTS (SELECT 1 FROM chunks r WHERE r.document_id = d.id AND r.said_by = 'ocr')",
            (IDENTITIES[kind], kind, *batch),
        )
        found.update((id, sketch) for id, sketch in rows if sketch)
    return found


def file_sizes(connection: Connection, document_ids: Sequence[int]) -> dict[int, int]:
    """Return the sizes in bytes of the files that documents are all of, by row id of the document."""
    sql = (
        "SELECT d.id, f.size FROM documents d JOIN files f ON f.id = d.file_id AND f.path = d.uri"
        " WHERE d.id IN ({marks})"
    )
    return dict(rows_among(connection, sql, document_ids))
