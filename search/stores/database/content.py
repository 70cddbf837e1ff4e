"""What a document's content and a vector tell of themselves: whether they are what was stored, without a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from quarry.search.stores.database.checksums import Row, rows
from quarry.search.stores.database.sqlite import Connection
from quarry.search.types import OWN_WORDS

_BATCH = 4_096
_LENGTH_TOLERANCE = 0.02  # of a unit vector in float16


def content_digest(type: str, text: str, metadata: Mapping[str, Any], structure: Mapping[str, Any]) -> bytes:
    """Return the 16 bytes that tell one content of a document from another, as `NewDocument.hash` keeps them.

    Where it is and what it is called for want of a title of its own are not part of it.

    Raises:
        ValueError, TypeError: there are lone surrogates in it, or what is no JSON.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (type, sorted_json(metadata), sorted_json(structure), text):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.digest()


def sorted_json(value: Mapping[str, Any]) -> str:
    """Return an object as JSON that is the same for equal ones; refuse what is no JSON by ValueError or TypeError."""
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False, sort_keys=True)


def altered(connection: Connection) -> Iterator[int]:
    """Yield the row ids of the documents whose text and metadata have not the digest that was stored with them."""
    for row in rows(connection, "documents"):
        texts = rows(connection, "chunks", "document_id = ? ORDER BY ordinal", (row.rowid,))
        type_, metadata, structure = (row.values[name] for name in ("type", "metadata", "structure"))
        try:
            text = b"".join(chunk.values["text"] for chunk in texts if _is_own(chunk)).decode()
            now = content_digest(type_.decode(), text, json.loads(metadata), json.loads(structure))
        except (ValueError, TypeError, AttributeError, RecursionError):
            now = b""
        if now != row.values["hash"]:
            yield row.rowid


def _is_own(chunk: Row) -> bool:
    """Whether a passage is of the document's own text, as all were before there was anything else."""
    return chunk.values.get("said_by", b"") in [said.encode() for said in OWN_WORDS]


def spoilt_vectors(connection: Connection) -> Iterator[int]:
    """Yield the row ids of the vectors that are not of length 1, or have the wrong dimension."""
    for space_id, dimension in connection.execute("SELECT id, dimension FROM spaces").fetchall():
        cursor = connection.execute("SELECT id, vector FROM vectors WHERE space_id = ?", (space_id,))
        while found := cursor.fetchmany(_BATCH):
            yield from (id_ for id_, vector in found if len(vector) != 2 * dimension)
            whole = [(id_, vector) for id_, vector in found if len(vector) == 2 * dimension]
            values = np.frombuffer(b"".join(vector for _, vector in whole), "<f2").reshape(len(whole), dimension)
            lengths = np.linalg.norm(values.astype(np.float32), axis=1)
            bad = ~(np.abs(lengths - 1) < _LENGTH_TOLERANCE)
            yield from (whole[place][0] for place in np.flatnonzero(bad))
