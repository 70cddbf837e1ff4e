"""What of a library is boilerplate (`search.alike.boilerplate`), kept in its catalog; of most libraries, nothing."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from quarry.search.alike.boilerplate import Boilerplate
from quarry.search.alike.fingerprints import IDENTITY, Fingerprints
from quarry.search.alike.sketches import IDENTITIES
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.documents import batches
from quarry.search.stores.rows.passages import generation_of

# In `meta`: what is boilerplate, what is another whenever that is, and of what it was told, which is so at each run.
_KEY, _STAMP, _UNTIL = "boilerplate", "boilerplate:of", "boilerplate:until"
_COUNTS = ("documents", "contents", "told", "marked")
_STEPS = 100  # of a share, in which it is kept


@dataclass(frozen=True, slots=True)
class Told:
    """What was told, and from what.

    Args:
        documents: how many there were.
        contents: of how many contents fingerprints were known.
        told: the generation of which they were.
        marked: that up to which passages are marked.
    """

    found: Boilerplate
    documents: int = 0
    contents: int = 0
    told: int = -1
    marked: int = -1


@dataclass(frozen=True, slots=True)
class Printed:
    """The fingerprints of a content, and what copies of it are told by, "" where that is not known."""

    hash: bytes
    prints: Fingerprints
    sketch: str


def stamp(connection: Connection) -> str:
    """Return what is another whenever something else is told; "" before anything is."""
    return _value(connection, _STAMP)


def read(connection: Connection) -> Told:
    """Return what was told; what can't be read is told anew."""
    try:
        value, until = (json.loads(_value(connection, key) or "{}") for key in (_KEY, _UNTIL))
        prints, documents = _array(value["prints"], "<u4"), _array(value["in"], "<i4")
        ids, frames = _array(value["ids"], "<i8"), _array(value["frames"], "<u4")
        shares = _array(value["shares"], "u1").astype(np.float32) / _STEPS
        if len(prints) != len(documents) or not len(ids) == len(frames) == len(shares):
            raise ValueError("of other lengths")
        found = Boilerplate(prints, documents, ids, shares, frames)
        return Told(found, *(int(until[name]) for name in _COUNTS))
    except (KeyError, TypeError, ValueError):
        return Told(Boilerplate.none())


def keep(connection: Connection, told: Told) -> None:
    """Record what was told in place of what was; what is the same is not written, nor read anew by searches."""
    found = told.found
    arrays = {
        "prints": found.prints.astype("<u4"),
        "in": found.documents.astype("<i4"),
        "ids": found.ids.astype("<i8"),
        "frames": found.frames.astype("<u4"),
        "shares": np.round(found.shares * _STEPS).astype("u1"),
    }
    value = {name: base64.b64encode(array.tobytes()).decode("ascii") for name, array in arrays.items()}
    if _set(connection, _KEY, json.dumps(value)):
        _set(connection, _STAMP, secrets.token_hex(8))
    _set(connection, _UNTIL, json.dumps({name: getattr(told, name) for name in _COUNTS}))


def counts(connection: Connection, since: int) -> tuple[int, int, int]:
    """Return how many documents there are, those written after a generation, and contents with fingerprints."""
    (every,) = connection.execute("SELECT count(*) FROM documents").fetchone()
    (newer,) = connection.execute("SELECT count(*) FROM documents WHERE generation > ?", (since,)).fetchone()
    (printed,) = connection.execute("SELECT count(*) FROM enrichments WHERE identity = ?", (IDENTITY,)).fetchone()
    return int(every), int(newer), int(printed)


def contents(connection: Connection, since: int = -1) -> Iterator[Printed]:
    """Yield each content once that documents written after a generation have, of those that have fingerprints."""
    sketch = "coalesce(json_extract({}.result, '$.sketch'), '')"
    rows = connection.execute(
        f"SELECT d.hash, {sketch.format('e')}, {sketch.format('s')} FROM (SELECT DISTINCT hash FROM documents"
        " WHERE generation > ?) d JOIN enrichments e ON e.identity = ? AND e.key = d.hash"
        " LEFT JOIN enrichments s ON s.identity = ? AND s.key = d.hash",
        (since, IDENTITY, IDENTITIES["text"]),
    )
    for hash, written, other in rows:
        if len(prints := _array(written, "<u4")):
            yield Printed(hash, prints, other)


def passages_with(connection: Connection, hashes: list[bytes]) -> Iterator[tuple[int, str]]:
    """Yield the passages of the documents that have these contents: ids and texts, in no order."""
    for batch in batches(hashes):
        marks = ",".join("?" * len(batch))
        yield from connection.execute(
            'SELECT c.id, substr(c.text, 1, c."end" - c."start") FROM documents d JOIN chunks c ON c.document_id = d.id'
            f" WHERE c.medium = 'text' AND d.hash IN ({marks})",
            batch,
        )


def renew(connection: Connection, chunk_ids: list[int]) -> None:
    """Have the words of passages looked at again: the lexical index learns of it by replay."""
    generation = generation_of(connection)
    for batch in batches(chunk_ids):
        marks = ",".join("?" * len(batch))
        connection.execute(
            f"UPDATE documents SET generation = ? WHERE id IN (SELECT document_id FROM chunks WHERE id IN ({marks}))",
            (generation, *batch),
        )


def _value(connection: Connection, key: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""


def _set(connection: Connection, key: str, value: str) -> bool:
    """Write a value, and say whether it is another."""
    written = connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        " WHERE value <> excluded.value",
        (key, value),
    )
    return written.rowcount > 0


def _array(text: str, type_: str) -> Any:
    return np.frombuffer(base64.b64decode(text), type_)
