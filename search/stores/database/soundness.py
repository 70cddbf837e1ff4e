"""Whether the rows of a catalog have a sound structure and agree with each other, and which do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection, DatabaseError
from quarry.search.stores.spaces import LACKS_VECTOR

# Where an id could be given a second time, the counter is behind this; a higher one does no harm.
_FLOORS = {
    "files": "SELECT max(id) FROM files",
    "documents": "SELECT max(id) FROM documents",
    "chunks": "SELECT max((SELECT max(id) FROM chunks), (SELECT max(chunk_id) FROM deletions))",
    "segments": "SELECT max(id) FROM segments",
    "trash": "SELECT max(id) FROM trash",
}
_MISCOUNTED = "d.chunks <> (SELECT count(*) FROM chunks c WHERE c.document_id = d.id)"
_COUNTS = {
    "{} documents do not have the passages they should": f"SELECT count(*) FROM documents d WHERE {_MISCOUNTED}",
    "{} passages are logged as deleted": "SELECT count(*) FROM chunks c JOIN deletions x ON x.chunk_id = c.id",
}


def structural(connection: Connection) -> Iterator[str]:
    """Yield what is wrong with a catalog but for what its rows hold."""
    try:
        yield from (row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok")
        yield from (
            f"{row[0]}: row {row[1]} refers to nothing" for row in connection.execute("PRAGMA foreign_key_check")
        )
        if not checksums.is_schema_whole(connection):
            yield "The schema is not what was made"
        for table, floor in _FLOORS.items():
            (lowest,) = connection.execute(floor).fetchone()
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
            if lowest is not None and (row is None or not isinstance(row[0], int) or row[0] < lowest):
                yield f"{table}: the counter of its ids is behind them"
    except DatabaseError as error:
        yield str(error)


def inconsistent(connection: Connection) -> Iterator[str]:
    """Yield how rows disagree with each other."""
    for text, sql in _COUNTS.items():
        count = connection.execute(sql).fetchone()[0]
        if count:
            yield text.format(f"{count:,}")


def without_vector(connection: Connection) -> list[int]:
    """Return the ids of chunks that lack a vector which they should have, but for those of files that failed."""
    rows = connection.execute(
        f"SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE {LACKS_VECTOR}"
        " AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = d.file_id AND f.error IS NOT NULL)"
    )
    return [id for (id,) in rows]


def document_with(connection: Connection, key: Any) -> int | None:
    """Return the row id of a document that has a chunk with a key."""
    row = connection.execute("SELECT document_id FROM chunks WHERE key = ? LIMIT 1", (key,)).fetchone()
    return row[0] if row else None


def uris(connection: Connection, document_ids: Sequence[int]) -> list[str]:
    """Return the URIs of a few documents, by row id."""
    marks = ",".join("?" * len(document_ids))
    rows = connection.execute(f"SELECT uri FROM documents WHERE id IN ({marks})", list(document_ids))
    return [uri for (uri,) in rows]


def lack_vectors(connection: Connection) -> bool:
    """Whether a chunk lacks the vector that it should have, or a vector is damaged."""
    if connection.execute(f"SELECT 1 FROM chunks c WHERE {LACKS_VECTOR} LIMIT 1").fetchone():
        return True
    return any(True for _ in checksums.damaged_rows(connection, "vectors"))


def drop_damaged_vectors(connection: Connection) -> None:
    """Delete damaged vectors."""
    wrong = [(row.rowid,) for row in checksums.damaged_rows(connection, "vectors")]
    connection.executemany("DELETE FROM vectors WHERE id = ?", wrong)


def damaged_documents(connection: Connection) -> set[int]:
    """Return the row ids of documents that are damaged or incomplete."""
    damaged = {row.rowid for row in checksums.damaged_rows(connection, "documents")}
    damaged |= {row.values["document_id"] for row in checksums.damaged_rows(connection, "chunks")}
    rows = connection.execute(
        f"SELECT id FROM documents d WHERE {_MISCOUNTED}"
        f" OR EXISTS (SELECT 1 FROM chunks c WHERE c.document_id = d.id AND c.medium <> 'text' AND {LACKS_VECTOR})"
    )
    return damaged | {id for (id,) in rows}


def path_of_file(connection: Connection, document_id: int) -> str | None:
    """Return the path of the file that a document was read from."""
    row = connection.execute(
        "SELECT f.path FROM documents d JOIN files f ON f.id = d.file_id WHERE d.id = ?", (document_id,)
    ).fetchone()
    return row[0] if row else None


def read_again(connection: Connection, document_id: int) -> None:
    """Have the next run read the file of a document, and write the document whatever it holds."""
    connection.execute("UPDATE documents SET hash = x'' WHERE id = ?", (document_id,))
    connection.execute(
        "UPDATE files SET hash = NULL, seen_ns = 0, error = NULL"
        " WHERE id = (SELECT file_id FROM documents WHERE id = ?)",
        (document_id,),
    )


def roots_of_lost_files(connection: Connection) -> list[str]:
    """Return the roots of documents whose file's row is lost."""
    without = "SELECT 1 FROM documents d WHERE file_id IS NULL AND instr(d.uri, r.path || '/') = 1"
    return [path for (path,) in connection.execute(f"SELECT path FROM roots r WHERE EXISTS ({without})")]
