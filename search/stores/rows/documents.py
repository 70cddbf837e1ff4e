"""Documents, chunks and vectors as rows of the catalog. Every function works inside the caller's transaction."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import mark_forgotten
from quarry.search.stores.rows.passages import (
    CHUNK_COLUMNS,
    CHUNK_WRITTEN,
    OWN_CHUNKS,
    add_chunks,
    chunk_of,
    generation_of,
    remove_chunks,
)
from quarry.search.stores.spaces import LACKS_VECTOR
from quarry.search.types import OWN_WORDS, Chunk, Document, Ids, Kind, Metadata, Vectors

_BATCH = 500  # bound parameters a statement; SQLite's limit is 32,766


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document about to be written, whole: its chunks and, for each, the key of its vector (`vector_key`).

    `text` is the whole text that `chunks` cut; `hash` changes when anything that is stored changes. `structure` is
    what else cutting it anew would need (see `indexer.prepared`). What enrichments found is in `enriched` and in the
    last of the chunks (`Chunk.said_by`), and in neither `text` nor `hash`.
    """

    uri: str
    type: str
    title: str
    text: str
    hash: bytes
    chunks: Sequence[Chunk]
    keys: Sequence[bytes]
    metadata: Metadata = field(default_factory=dict)
    structure: Mapping[str, Any] = field(default_factory=dict)
    modified: str | None = None
    kind: Kind = "text"
    file_id: int | None = None
    id: str | None = None
    enriched: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk with what the lexical index and a hit need of its document."""

    id: int
    chunk: Chunk
    document_id: int
    title: str
    uri: str
    metadata: Metadata


def put(connection: Connection, new: NewDocument, indexed: str) -> str:
    """Write a document, in place of the one with its id or URI; return its public id.

    Its chunks have the vectors that are stored under their keys; those without any are found by words only.
    """
    generation = generation_of(connection)
    row = connection.execute(
        "SELECT id, public_id FROM documents WHERE public_id = ? OR uri = ? ORDER BY public_id = ? DESC",
        (new.id, new.uri, new.id),
    ).fetchall()
    for one in [one for one in row if is_damaged(connection, one[0])]:
        # It is not written over part by part: what is wrong, and where, is not known.
        new = replace(new, id=new.id or one[1])
        remove(connection, [one[0]])
        row.remove(one)
    for extra, _ in row[1:]:  # an id and a URI that belonged to two documents: one of them gives way
        remove(connection, [extra])
    values = (
        new.uri,
        new.file_id,
        new.kind,
        new.type,
        new.title,
        json.dumps(dict(new.metadata), ensure_ascii=False, allow_nan=False),
        json.dumps(dict(new.structure), ensure_ascii=False),
        new.modified,
        indexed,
        new.hash,
        len(new.text),
        len(new.chunks),
        generation,
        enriched_json(new.enriched),
    )
    if row:
        document_id, public_id = row[0]
        remove_chunks(connection, document_id, generation)
        connection.execute(
            "UPDATE documents SET uri=?, file_id=?, kind=?, type=?, title=?, metadata=?, structure=?, modified=?,"
            " indexed=?, hash=?, characters=?, chunks=?, generation=?, enriched=? WHERE id=?",
            (*values, document_id),
        )
    else:
        public_id = new.id or secrets.token_hex(8)
        document_id = connection.execute(
            "INSERT INTO documents (uri, file_id, kind, type, title, metadata, structure, modified, indexed, hash,"
            " characters, chunks, generation, enriched, public_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, public_id),
        ).lastrowid
    own = [chunk for chunk in new.chunks if chunk.said_by in OWN_WORDS]
    ends = [*(chunk.start for chunk in own[1:]), len(new.text)]
    texts = [new.text[chunk.start : end] for chunk, end in zip(own, ends, strict=False)]
    texts += [chunk.text for chunk in new.chunks[len(own) :]]
    add_chunks(connection, document_id, new.chunks, texts, new.keys)
    return str(public_id)


def enriched_json(enriched: Metadata) -> str:
    """Return what was found out about a document as it is stored."""
    return json.dumps(dict(enriched), ensure_ascii=False, allow_nan=False, sort_keys=True)


def remove(connection: Connection, document_ids: Iterable[int]) -> int:
    """Remove documents by row id, and log their chunks as deleted; return how many there were."""
    generation = generation_of(connection)
    removed = 0
    for document_id in document_ids:
        remove_chunks(connection, document_id, generation)
        removed += connection.execute("DELETE FROM documents WHERE id = ?", (document_id,)).rowcount
    return removed


def rename(connection: Connection, document_id: int, uri: str, title: str) -> None:
    """Give a document a new URI and title. Chunks and vectors stay; the lexical index learns of it by replay.

    A document that had the URI gives way.
    """
    remove(
        connection,
        [
            row[0]
            for row in connection.execute(
                "SELECT id FROM documents WHERE uri = ? AND id <> ?", (uri, document_id)
            ).fetchall()
        ],
    )
    connection.execute(
        "UPDATE documents SET uri = ?, title = ?, generation = ? WHERE id = ?",
        (uri, title, generation_of(connection), document_id),
    )


def unchanged(connection: Connection, new: NewDocument) -> int | None:
    """Return the row id of the stored document that `new` repeats exactly, None where it differs or is new."""
    row = connection.execute(
        "SELECT id FROM documents d WHERE uri = ? AND hash = ? AND NOT EXISTS"
        f" (SELECT 1 FROM chunks c WHERE c.document_id = d.id AND {LACKS_VECTOR})",
        (new.uri, new.hash),
    ).fetchone()
    return int(row[0]) if row and not is_damaged(connection, row[0]) else None


def is_at(connection: Connection, uri: str) -> bool:
    """Whether there is a document at a URI, in whatever state."""
    return connection.execute("SELECT 1 FROM documents WHERE uri = ?", (uri,)).fetchone() is not None


def is_damaged(connection: Connection, document_id: int) -> bool:
    """Whether a document is not what was written, in its own row or in that of a passage."""
    own = checksums.rows(connection, "documents", "id = ?", (document_id,))
    return not all(
        row.is_whole for row in chain(own, checksums.rows(connection, "chunks", "document_id = ?", (document_id,)))
    )


def touch(connection: Connection, document_id: int, file_id: int | None, modified: str | None) -> None:
    """Record where and when an unchanged document was seen."""
    connection.execute("UPDATE documents SET file_id = ?, modified = ? WHERE id = ?", (file_id, modified, document_id))


def others_of_file(connection: Connection, file_id: int, uris: Set[str]) -> list[int]:
    """Return the row ids of the documents of a file that are not among `uris`."""
    rows = connection.execute("SELECT id, uri FROM documents WHERE file_id = ?", (file_id,))
    return [document_id for document_id, uri in rows if uri not in uris]


def known_vectors(connection: Connection, space_id: int, keys: Iterable[bytes]) -> set[bytes]:
    """Return those of some keys under which the space has a vector already."""
    found: set[bytes] = set()
    for batch in batches(list(dict.fromkeys(keys))):
        marks = ",".join("?" * len(batch))
        sql = f"SELECT key FROM vectors WHERE space_id = ? AND key IN ({marks})"
        found.update(key for (key,) in connection.execute(sql, (space_id, *batch)))
    return found


def stage_vectors(connection: Connection, space_id: int, vectors: Mapping[bytes, Vectors]) -> None:
    """Store (d,) unit vectors as float16 under their keys; a key that is there keeps its vector."""
    connection.executemany(
        "INSERT INTO vectors (space_id, key, vector) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(space_id, key, np.asarray(vector, "<f2").tobytes()) for key, vector in vectors.items()],
    )


def drop_orphans(connection: Connection, followed: int) -> None:
    """Drop vectors that are no chunk's, and deletions up to a generation that all that is derived has followed."""
    connection.execute("DELETE FROM vectors WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.key = vectors.key)")
    if connection.execute("DELETE FROM deletions WHERE generation <= ?", (followed,)).rowcount:
        mark_forgotten(connection, followed)


def drop_vectors(connection: Connection, space_id: int, keys: Iterable[bytes]) -> None:
    """Drop the vectors of a space that are to be stored anew."""
    connection.executemany("DELETE FROM vectors WHERE space_id = ? AND key = ?", [(space_id, key) for key in keys])


def held(connection: Connection, keys: Iterable[bytes]) -> set[bytes]:
    """Return those of some keys that a chunk has."""
    sql = "SELECT DISTINCT key FROM chunks WHERE key IN ({marks})"
    return {key for (key,) in rows_among(connection, sql, list(keys))}


def renew(connection: Connection, keys: Iterable[bytes]) -> None:
    """Write the documents anew that were there before this commit stored vectors under some keys of theirs.

    The segment that covers their chunks was built without these vectors: they get new ids, after it.
    """
    generation = generation_of(connection)
    sql = f"SELECT DISTINCT document_id FROM chunks WHERE key IN ({{marks}}) AND generation < {generation}"
    late = {document_id for (document_id,) in rows_among(connection, sql, list(keys))}
    for document_id in sorted(late):
        if is_damaged(connection, document_id):
            continue  # it is not written over
        rows = connection.execute(
            f"SELECT {CHUNK_WRITTEN} FROM chunks WHERE document_id = ? ORDER BY ordinal", (document_id,)
        ).fetchall()
        remove_chunks(connection, document_id, generation)
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO chunks ({CHUNK_WRITTEN}) VALUES ({marks})", rows)
        for table, own in (("documents", "id"), ("chunks", "document_id")):
            connection.execute(f"UPDATE {table} SET generation = ? WHERE {own} = ?", (generation, document_id))


DOCUMENT_COLUMNS = (
    "d.public_id, d.uri, d.title, d.type, d.metadata, d.kind, d.modified, d.indexed, d.characters, d.chunks,"
    " d.enriched, d.hash"
)


def document_of(row: Sequence[Any]) -> Document:
    """Return a document from its `DOCUMENT_COLUMNS`."""
    public_id, uri, title, type_, metadata, *rest = row
    kind, modified, indexed, characters, chunks, enriched, hash = rest
    return Document(
        public_id,
        uri,
        title,
        type_,
        json.loads(metadata),
        kind,
        modified,
        indexed,
        characters,
        chunks,
        json.loads(enriched),
        hash.hex(),
    )


def find(connection: Connection, reference: str) -> tuple[int, Document] | None:
    """Return the row id and the document whose public id or URI is `reference`; of two, the one that is a file's.

    Raises:
        LibraryDamaged: it is not what was written.
    """
    checksums.require(connection, "documents", "public_id = ?1 OR uri = ?1", (reference,))
    row = connection.execute(
        f"SELECT d.id, {DOCUMENT_COLUMNS} FROM documents d"
        " WHERE d.public_id = ?1 OR d.uri = ?1 ORDER BY d.file_id IS NULL",
        (reference,),
    ).fetchone()
    return (row[0], document_of(row[1:])) if row else None


def text_of(connection: Connection, document_id: int) -> str:
    """Return the whole text of a document, as its loader read it.

    Raises:
        LibraryDamaged: a part of it is not what was written.
    """
    checksums.require(connection, "chunks", "document_id = ?", (document_id,))
    rows = connection.execute(
        f"SELECT text FROM chunks WHERE document_id = ? AND {OWN_CHUNKS} ORDER BY ordinal", (document_id,)
    )
    return "".join(text for (text,) in rows)


def structure_of(connection: Connection, document_id: int) -> dict[str, Any]:
    """Return what `NewDocument.structure` was."""
    checksums.require(connection, "documents", "id = ?", (document_id,))
    row = connection.execute("SELECT structure FROM documents WHERE id = ?", (document_id,)).fetchone()
    stored: dict[str, Any] = json.loads(row[0])
    return stored


def vectors_of(connection: Connection, space_id: int, document_id: int) -> Vectors | None:
    """Return the (n, d) vectors of a document's passages; None where it has none.

    Raises:
        LibraryDamaged: one is not what was stored.
    """
    own = "space_id = ? AND key IN (SELECT key FROM chunks WHERE document_id = ?)"
    checksums.require(connection, "vectors", own, (space_id, document_id))
    rows = connection.execute(
        "SELECT v.vector FROM chunks c JOIN vectors v ON v.key = c.key AND v.space_id = ? WHERE c.document_id = ?",
        (space_id, document_id),
    ).fetchall()
    return np.array([np.frombuffer(row[0], "<f2") for row in rows], np.float32) if rows else None


def has_passages(connection: Connection) -> bool:
    """Whether there are any."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM chunks)").fetchone()[0])


def chunks_since(connection: Connection, generation: int) -> Iterator[ChunkRow]:
    """Yield the chunks of documents written or renamed after `generation`, by id; what the lexical index replays."""
    for row in connection.execute(
        f"SELECT c.id, c.document_id, d.title, d.uri, d.metadata, {CHUNK_COLUMNS}"
        " FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.generation > ? ORDER BY c.id",
        (generation,),
    ):
        yield ChunkRow(row[0], chunk_of(row[5:]), row[1], row[2], row[3], json.loads(row[4]))


def deleted_since(connection: Connection, generation: int) -> Ids:
    """Return the ids of the chunks that were removed after `generation`, ascending."""
    rows = connection.execute(
        "SELECT chunk_id FROM deletions WHERE generation > ? ORDER BY chunk_id", (generation,)
    ).fetchall()
    return np.array([row[0] for row in rows], np.int64)


def deleted_between(connection: Connection, first: int, last: int) -> Ids:
    """Return the ids of the chunks that were removed by generations in (first, last], ascending."""
    sql = "SELECT chunk_id FROM deletions WHERE generation > ? AND generation <= ? ORDER BY chunk_id"
    return np.array([id for (id,) in connection.execute(sql, (first, last))], np.int64)


def rows_among(connection: Connection, sql: str, ids: Sequence[Any]) -> Iterator[Any]:
    """Run a query over as many ids as there are, which stand in it as `{marks}`; yield its rows."""
    for batch in batches(list(ids)):
        yield from connection.execute(sql.format(marks=",".join("?" * len(batch))), batch)


def batches(values: list[Any]) -> Iterator[list[Any]]:
    """Cut a list into parts that one statement can bind."""
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
