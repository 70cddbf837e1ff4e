"""Whether the catalog is what was written, and agrees with itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from quarry.indexer.doctor.findings import Finding
from quarry.indexer.prepared import content_digest
from quarry.search.errors import LibraryError
from quarry.search.stores import documents
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.sqlite import Connection, DatabaseError

_LENGTH_TOLERANCE = 0.02  # of a unit vector in float16


def look_at_catalog(catalog: Catalog) -> Iterator[Finding]:
    """Yield what is wrong with the catalog, or that nothing is."""
    try:
        with catalog.snapshot() as snapshot:
            connection = snapshot.connection
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
            problems += [
                f"{row[0]}: row {row[1]} refers to nothing" for row in connection.execute("PRAGMA foreign_key_check")
            ]
            problems += list(_inconsistencies(connection))
            total = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
    except (DatabaseError, LibraryError) as error:
        problems, total = [str(error)], 0
    for problem in problems:
        yield Finding(
            "damage", "catalog", f"{problem}. The catalog is the truth: restore a backup, or index into a new library."
        )
    if not problems:
        yield Finding("ok", "catalog", f"{total:,} documents, generation {snapshot.generation}")


def _inconsistencies(connection: Connection) -> Iterator[str]:
    for sql, text in (
        (
            "SELECT count(*) FROM documents d WHERE chunks <>"
            " (SELECT count(*) FROM chunks c WHERE c.document_id = d.id)",
            "{} documents do not have the passages they should",
        ),
        (
            "SELECT count(*) FROM chunks c WHERE vector_id IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.id = c.vector_id AND v.key = c.key)",
            "{} passages refer to a vector that is not there, or not theirs",
        ),
        ("SELECT count(*) FROM chunks c JOIN deletions x ON x.chunk_id = c.id", "{} passages are logged as deleted"),
    ):
        count = connection.execute(sql).fetchone()[0]
        if count:
            yield text.format(f"{count:,}")
    spoilt = _count_spoilt_vectors(connection)
    if spoilt:
        yield f"{spoilt:,} vectors are not of length 1, or have the wrong dimension"
    altered = [uri for uri, is_whole in _contents(connection) if not is_whole]
    if altered:
        yield f"{len(altered):,} documents are not what was stored: {', '.join(altered[:3])}"


def _count_spoilt_vectors(connection: Connection) -> int:
    """SQLite keeps no checksums: a flipped bit in a vector shows in its length only."""
    spoilt = 0
    for space_id, dimension in connection.execute("SELECT id, dimension FROM spaces").fetchall():
        cursor = connection.execute("SELECT vector FROM vectors WHERE space_id = ?", (space_id,))
        while rows := cursor.fetchmany(4096):
            whole = [vector for (vector,) in rows if len(vector) == 2 * dimension]
            values = np.frombuffer(b"".join(whole), "<f2").reshape(len(whole), dimension).astype(np.float32)
            lengths = np.linalg.norm(values, axis=1)
            spoilt += len(rows) - int(np.count_nonzero(np.abs(lengths - 1) < _LENGTH_TOLERANCE))
    return spoilt


def _contents(connection: Connection) -> Iterator[tuple[str, bool]]:
    """Say of each document whether its text and metadata still have the digest that was stored with them."""
    rows = connection.execute("SELECT id, uri, type, metadata, structure, hash FROM documents")
    for row_id, uri, type_, metadata, structure, digest in rows:
        try:
            text = documents.text_of(connection, row_id)
            now = content_digest(type_, text, json.loads(metadata), json.loads(structure))
        except ValueError:
            now = b""
        yield uri, now == digest
