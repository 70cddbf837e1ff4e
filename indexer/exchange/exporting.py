"""The catalog -> rows that any program reads, one document after another (`indexer.exchange.dump` has the columns)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal

from quarry.indexer.exchange.dump import numbers
from quarry.indexer.report import Progress
from quarry.search.errors import LibraryDamaged
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered, picture_rows, vector_rows
from quarry.search.stores.rows import documents
from quarry.search.stores.spaces import Space, active_space
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Document

Format = Literal["jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("jsonl", "parquet")
_BATCH = 100  # documents whose rows are looked up at once


def export(
    catalog: Catalog,
    stream: BinaryIO,
    format: Format,
    where: str,
    params: Sequence[Any],
    *,
    vectors: bool,
    progress: Progress,
) -> int:
    """Write the documents that satisfy `where` (compiled from a filter) as of one commit; return how many there are.

    Raises:
        MissingExtra: Parquet was asked for, and pyarrow is not installed.
        LibraryDamaged: a row is not what was written.
    """
    with catalog.snapshot() as snapshot:
        total = filtered.count(snapshot.connection, where, params)
        progress.start(total, total)
        rows = _rows(snapshot.connection, catalog, where, params, vectors, lambda: progress.advance(1, 1, 0))
        if format == "parquet":
            from quarry.indexer.exchange.parquet import write_parquet

            write_parquet(stream, rows)
        else:
            for row in rows:
                row["thumbnail"] = base64.b64encode(row["thumbnail"]).decode() if row["thumbnail"] else None
                stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
    return total


def _rows(
    connection: Connection, catalog: Catalog, where: str, params: Sequence[Any], vectors: bool, done: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    spaces = {name: active_space(connection, name) for name in ("text", "image")}
    last = 0
    while True:
        ids = filtered.after(connection, last, _BATCH, where, params)
        for _, public_id in ids:
            found = documents.find(connection, public_id)
            assert found is not None
            yield _row(connection, catalog, *found, spaces if vectors else None)
            done()
        if not ids:
            return
        last = ids[-1][0]


def _row(
    connection: Connection,
    catalog: Catalog,
    row_id: int,
    document: Document,
    spaces: Mapping[str, Space | None] | None,
) -> dict[str, Any]:
    if documents.is_damaged(connection, row_id):
        raise LibraryDamaged(f"{document.uri} is not what was written; run `quarry doctor --repair` before an export.")
    structure = documents.structure_of(connection, row_id)
    row: dict[str, Any] = {
        "id": document.id,
        "uri": document.uri,
        "kind": document.kind,
        "type": document.type,
        "title": document.title,
        "own_title": structure["title"] or None,
        "metadata": dict(document.metadata),
        "modified": document.modified,
        "indexed": document.indexed,
        "text": documents.text_of(connection, row_id),
        "pages": structure["pages"],
        "headings": [{"start": start, "level": level, "text": text} for start, level, text in structure["headings"]],
        "thumbnail": None,
    }
    key = picture_rows.picture_key(connection, row_id)
    if key is not None:
        try:
            row["thumbnail"] = Thumbnails(catalog.directory).get(key)
        except LibraryDamaged:  # the document goes without
            pass
    if spaces is None:
        return row
    text, image = spaces["text"], spaces["image"]
    row["text_model"] = text.identity if text else None
    row["passages"] = _passages(connection, row_id, text.id) if text else []
    row["picture_key"] = key.hex() if key else None
    vector = vector_rows.stored(connection, image.id, key) if key and image else None
    row["picture_vector"] = numbers(vector) if vector else None
    row["image_model"] = image.identity if vector and image else None
    return row


def _passages(connection: Connection, row_id: int, space_id: int) -> list[dict[str, Any]]:
    return [
        {
            "start": chunk.start,
            "end": chunk.end,
            "page": chunk.page,
            "heading": chunk.heading,
            "key": key.hex(),
            "vector": numbers(vector) if vector else None,
        }
        for key, vector, chunk in vector_rows.passages(connection, row_id, space_id)
    ]
