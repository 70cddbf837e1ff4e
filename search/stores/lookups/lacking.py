"""Chunks that lack a vector in a space, with what embedding them anew takes. Each function works inside the caller's
transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.documents import rows_among
from quarry.search.stores.rows.passages import CHUNK_COLUMNS, chunk_of
from quarry.search.stores.spaces import LANGUAGE, Space


@dataclass(frozen=True, slots=True)
class Lacking:
    """A chunk, and where else there may be something of what it was cut from.

    Args:
        ordinal: its place among the chunks of its document.
        text: of a passage, without what follows up to the next one.
        title: that the content itself gives.
        path, hash: a URI, and the digest of the content, of the document's file; None of what was handed over.
    """

    chunk_id: int
    key: bytes
    ordinal: int
    text: str
    title: str
    uri: str
    file_id: int | None
    path: str | None
    hash: bytes | None
    size: int


def lacking(connection: Connection, space: Space, after: int = -1) -> list[int]:
    """Return the ids of the chunks written after a generation that a space takes, and has no vector of."""
    rows = connection.execute(
        f"SELECT c.id FROM chunks c WHERE c.generation > ?1 AND {_TAKEN}"
        " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.space_id = ?4 AND v.key = c.key) ORDER BY c.id",
        (after, space.medium, _rules(space), space.id),
    )
    return [id_ for (id_,) in rows]


def keys_beyond(connection: Connection, space: Space, rules: Mapping[str, Any]) -> list[bytes]:
    """Return the keys of the chunks that a space has vectors of, and would not take by some rules."""
    rows = connection.execute(
        "SELECT DISTINCT c.key FROM chunks c JOIN vectors v ON v.space_id = ? AND v.key = c.key"
        f" WHERE c.medium = ? AND NOT admits(?, c.text, {LANGUAGE})",
        (space.id, space.medium, json.dumps(dict(rules), sort_keys=True)),
    )
    return [key for (key,) in rows]


def count_taken(connection: Connection, space: Space) -> tuple[int, int]:
    """Return how many chunks a space takes, and of how many it has a vector."""
    has = "EXISTS (SELECT 1 FROM vectors v WHERE v.space_id = ?4 AND v.key = c.key)"
    row = connection.execute(
        f"SELECT count(*), coalesce(sum({has}), 0) FROM chunks c WHERE c.generation > ?1 AND {_TAKEN}",
        (-1, space.medium, _rules(space), space.id),
    ).fetchone()
    return int(row[0]), int(row[1])


def described(connection: Connection, chunk_ids: Sequence[int]) -> Iterator[Lacking]:
    """Yield chunks by id, but for those that are gone, or not what was written."""
    damaged = checksums.damaged(connection, "chunks", chunk_ids)
    yield from _described(connection, "c.id IN ({marks})", [id_ for id_ in chunk_ids if id_ not in damaged])


def with_keys(connection: Connection, keys: Collection[bytes]) -> list[Lacking]:
    """Return the chunks that have some keys."""
    return list(_described(connection, "c.key IN ({marks})", list(keys)))


_TAKEN = f"c.medium = ?2 AND (?3 = '{{}}' OR admits(?3, c.text, {LANGUAGE}))"


def _rules(space: Space) -> str:
    return json.dumps(dict(space.takes), sort_keys=True)


def _described(connection: Connection, where: str, values: Sequence[bytes | int]) -> Iterator[Lacking]:
    for row in rows_among(
        connection,
        "SELECT c.id, c.key, json_extract(d.structure, '$.title'), d.uri, f.id, f.path, f.hash, coalesce(f.size, 0),"
        f" {CHUNK_COLUMNS} FROM chunks c JOIN documents d ON d.id = c.document_id"
        f" LEFT JOIN files f ON f.id = d.file_id WHERE {where} ORDER BY c.id",
        values,
    ):
        id_, key, title, uri, file_id, path, digest, size = row[:8]
        chunk = chunk_of(row[8:])
        yield Lacking(id_, key, chunk.ordinal, chunk.text, title or "", uri, file_id, path, digest, size)
