"""Whether the catalog is what was written, row by row, and agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from quarry.indexer.doctor.bits import undone
from quarry.indexer.doctor.findings import Finding
from quarry.search.errors import LibraryError
from quarry.search.stores import checksums, content
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.checksums import RawText, Row
from quarry.search.stores.spaces import LACKS_VECTOR
from quarry.search.stores.sqlite import Connection, DatabaseError

_NAMED = 20  # damaged rows of a table; of more, how many there are is said
_SHOWN = 3
_MEND = "`quarry doctor --repair` mends what can be, or restore a backup"


def look_at_catalog(catalog: Catalog) -> list[Finding]:
    """Return what is wrong with the catalog, or that nothing is."""
    try:
        with catalog.reading() as connection:
            problems = [*look_at_structure(connection), *_rows(connection)]
            if not problems:
                problems = list(_inconsistencies(connection))
            if not problems:
                (total,) = connection.execute("SELECT count(*) FROM documents").fetchone()
                (generation,) = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
                return [Finding("ok", "catalog", f"{total:,} documents, generation {generation}")]
    except LibraryError as error:
        problems = [str(error)]
    return [Finding("damage", "catalog", f"{problem.removesuffix('.')}. {_MEND}.") for problem in problems]


def look_at_structure(connection: Connection) -> Iterator[str]:
    """Yield what is wrong with the catalog but for what its rows hold."""
    try:
        yield from (row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok")
        yield from (
            f"{row[0]}: row {row[1]} refers to nothing" for row in connection.execute("PRAGMA foreign_key_check")
        )
        if not checksums.is_schema_whole(connection):
            yield "The schema is not what was made"
        yield from _sequences(connection)
    except DatabaseError as error:
        yield str(error)


def _sequences(connection: Connection) -> Iterator[str]:
    """Say where an id could be given a second time; the counters have no checksum, and a higher one does no harm."""
    for table, floor in (
        ("files", "SELECT max(id) FROM files"),
        ("documents", "SELECT max(id) FROM documents"),
        ("chunks", "SELECT max((SELECT max(id) FROM chunks), (SELECT max(chunk_id) FROM deletions))"),
        ("segments", "SELECT max(id) FROM segments"),
        ("trash", "SELECT max(id) FROM trash"),
    ):
        (lowest,) = connection.execute(floor).fetchone()
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        if lowest is not None and (row is None or not isinstance(row[0], int) or row[0] < lowest):
            yield f"{table}: the counter of its ids is behind them"


def _rows(connection: Connection) -> Iterator[str]:
    for table in checksums.tables(connection):
        try:
            wrong = checksums.damaged_rows(connection, table)
            yield from (describe(connection, row) for row in islice(wrong, _NAMED))
            if more := sum(1 for _ in wrong):
                yield f"{table}: {more:,} more rows are not what was written"
        except DatabaseError as error:
            yield f"{table} can't be read ({error})"


def describe(connection: Connection, row: Row) -> str:
    """Say which row is damaged, whose it is, and in which column, as far as that can be told."""
    flip = undone(row)
    what = f"one bit of its {flip.column} is flipped" if flip is not None else "it is not what was written"
    return f"{row.table}: row {row.rowid}{_owner(connection, row)}: {what}"


def _owner(connection: Connection, row: Row) -> str:
    """Return what a row belongs to, in parentheses."""
    match row.table:
        case "chunks":
            ids = [row.values["document_id"]]
        case "vectors":
            found = connection.execute("SELECT document_id FROM chunks WHERE key = ? LIMIT 1", (row.values["key"],))
            ids = [id_ for (id_,) in found]
        case _:
            name = next((row.values[key] for key in ("uri", "path", "file", "key", "name") if key in row.values), None)
            return f" ({name.decode('utf-8', 'replace')})" if isinstance(name, RawText) else ""
    owners = [one.values["uri"] for id_ in ids for one in checksums.rows(connection, "documents", "id = ?", (id_,))]
    return f" (of {owners[0].decode('utf-8', 'replace')})" if owners and isinstance(owners[0], RawText) else ""


def _inconsistencies(connection: Connection) -> Iterator[str]:
    for sql, text in (
        (
            "SELECT count(*) FROM documents d WHERE chunks <>"
            " (SELECT count(*) FROM chunks c WHERE c.document_id = d.id)",
            "{} documents do not have the passages they should",
        ),
        (
            f"SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document_id WHERE {LACKS_VECTOR}"
            " AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = d.file_id AND f.error IS NOT NULL)",
            "{} passages lack a vector",
        ),
        ("SELECT count(*) FROM chunks c JOIN deletions x ON x.chunk_id = c.id", "{} passages are logged as deleted"),
    ):
        count = connection.execute(sql).fetchone()[0]
        if count:
            yield text.format(f"{count:,}")
    spoilt = sum(1 for _ in content.spoilt_vectors(connection))
    if spoilt:
        yield f"{spoilt:,} vectors are not of length 1, or have the wrong dimension"
    altered = list(content.altered(connection))
    if altered:
        marks = ",".join("?" * len(altered[:_SHOWN]))
        uris = connection.execute(f"SELECT uri FROM documents WHERE id IN ({marks})", altered[:_SHOWN])
        yield f"{len(altered):,} documents are not what was stored: {', '.join(uri for (uri,) in uris)}"
