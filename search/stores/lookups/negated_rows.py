"""Chunks that hold what hits may not hold, as rows of the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from quarry.search.stores.database.sqlite import Connection
from quarry.search.types import Ids

_AMONG = "(SELECT value FROM json_each(?))"  # any number of ids as one parameter


def texts(connection: Connection, chunk_ids: Ids) -> Iterator[tuple[int, str]]:
    """Yield each of the texts of chunks in which words are looked for, with its id: title, path, fields and passage."""
    rows = connection.execute(
        'SELECT c.id, d.title, d.uri, c.heading, d.metadata, CAST(substr(c.text, 1, c."end" - c."start") AS BLOB)'
        f" FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id IN {_AMONG}",
        (json.dumps(chunk_ids.tolist()),),
    )
    for id, title, uri, heading, metadata, text in rows:
        # What lies between two of them is no part of a phrase.
        yield id, "\n\u2029 . \u2029\n".join([title, uri, heading, metadata, bytes(text).decode("utf-8", "replace")])


def whole(connection: Connection, chunk_ids: Ids) -> Ids:
    """Return the ids of all chunks of the documents that some are of and that are one hit whatever of them is found."""
    rows = connection.execute(
        "SELECT o.id FROM chunks o WHERE o.document_id IN (SELECT d.id FROM chunks c JOIN documents d"
        f" ON d.id = c.document_id WHERE d.kind <> 'text' AND c.id IN {_AMONG})",
        (json.dumps(chunk_ids.tolist()),),
    )
    return np.fromiter((id for (id,) in rows), np.int64)


def every(connection: Connection) -> Ids:
    """Return the ids of all chunks, ascending."""
    # One text instead of a row per chunk, as for filters.
    (ids,) = connection.execute("SELECT group_concat(id) FROM chunks").fetchone()
    return np.sort(np.fromstring(ids or "", np.int64, sep=","))
