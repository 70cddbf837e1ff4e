"""What a hit shows of the catalog: a passage and its document, only as they were written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.documents import DOCUMENT_COLUMNS, document_of, rows_among
from quarry.search.stores.rows.passages import CHUNK_COLUMNS, OWN_CHUNKS, chunk_of
from quarry.search.stores.spaces import LANGUAGE
from quarry.search.types import Chunk, Document
from quarry.search.values.places import Place

_BEGINS = 100  # characters that tell a script

_CHUNK, _DOCUMENT = (re.findall(r'\w\."?(\w+)', listed) for listed in (CHUNK_COLUMNS, DOCUMENT_COLUMNS))


def hydrate(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, tuple[Chunk, Document]]:
    """Return the chunks and their documents, by chunk id.

    Ids that this generation does not hold are left out, and those whose rows are not what was written.
    """
    chunks = checksums.whole(connection, "chunks", ("document_id", *_CHUNK), chunk_ids)
    owners = checksums.whole(connection, "documents", _DOCUMENT, {row[0] for row in chunks.values()})
    documents = {id: document_of(row) for id, row in owners.items()}
    return {id: (chunk_of(row[1:]), documents[row[0]]) for id, row in chunks.items() if row[0] in documents}


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


def originals(connection: Connection, spans: Mapping[int, tuple[int, int]]) -> dict[int, tuple[str, int | None]]:
    """Return what passages say in other words: the text of their documents, and the page that it begins on.

    Args:
        spans: its characters in the document's text, by chunk id.
    """
    found = {}
    for chunk_id, (start, end) in spans.items():
        rows = connection.execute(
            'SELECT o."start", o.text FROM chunks c JOIN chunks o ON o.document_id = c.document_id'
            f' AND o.{OWN_CHUNKS} WHERE c.id = ? AND o."start" < ? AND o."end" > ? ORDER BY o.ordinal',
            (chunk_id, end, start),
        ).fetchall()
        (page,) = connection.execute(
            "SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document_id"
            " JOIN json_each(d.structure, '$.pages') p WHERE c.id = ? AND p.value <= ?",
            (chunk_id, start),
        ).fetchone()
        before = rows[0][0] if rows else start
        found[chunk_id] = "".join(text for _, text in rows)[max(0, start - before) : end - before], page or None
    return found


def moments(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, tuple[tuple[int, Place], ...]]:
    """Return, for passages of what is played, where in the document parts begin that have seconds of their own."""
    found: dict[int, tuple[tuple[int, Place], ...]] = {}
    rows = rows_among(
        connection,
        "SELECT c.id, json_extract(p.value, '$[0]'), json_extract(p.value, '$[1]') FROM chunks c"
        " JOIN documents d ON d.id = c.document_id JOIN json_each(d.structure, '$.places') p"
        f" WHERE c.{OWN_CHUNKS} AND json_extract(p.value, '$[1].seconds') NOT NULL"
        " AND c.id IN ({marks}) AND json_extract(p.value, '$[0]') > c.\"start\""
        " AND json_extract(p.value, '$[0]') < c.\"end\" ORDER BY c.id, p.key",
        chunk_ids,
    )
    for chunk_id, start, written in rows:
        if place := Place.of(json.loads(written)):
            found[chunk_id] = (*found.get(chunk_id, ()), (start, place))
    return found


def owners(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, str]:
    """Return the public ids of the documents that chunks belong to, by chunk id."""
    sql = "SELECT c.id, d.public_id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id IN ({marks})"
    return dict(rows_among(connection, sql, chunk_ids))


def written(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, tuple[str, str | None]]:
    """Return how passages begin, and the language of their documents as far as it is known, by chunk id."""
    sql = f"SELECT c.id, substr(c.text, 1, {_BEGINS}), {LANGUAGE} FROM chunks c WHERE c.id IN ({{marks}})"
    return {id: (begins, language) for id, begins, language in rows_among(connection, sql, chunk_ids)}
