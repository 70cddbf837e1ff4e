"""Whether the catalog is what was written, row by row, and agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from quarry.indexer.doctor.bits import undone
from quarry.indexer.doctor.findings import Finding
from quarry.search.errors import LibraryError
from quarry.search.stores import lineage
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import checksums, content, soundness
from quarry.search.stores.database.checksums import RawText, Row
from quarry.search.stores.database.sqlite import Connection, DatabaseError
from quarry.search.stores.lookups import filtered

_NAMED = 20  # damaged rows of a table; of more, how many there are is said
_SHOWN = 3
_MEND = "`quarry doctor --repair` mends what can be, or restore a backup"


def look_at_catalog(catalog: Catalog) -> list[Finding]:
    """Return what is wrong with the catalog, or that nothing is."""
    try:
        with catalog.reading() as connection:
            problems = [*soundness.structural(connection), *_rows(connection)]
            if not problems:
                problems = list(_inconsistencies(connection))
            if not problems:
                total, generation = filtered.count(connection), lineage.newest(connection).generation
                return [Finding("ok", "catalog", f"{total:,} documents, generation {generation}")]
    except LibraryError as error:
        problems = [str(error)]
    return [Finding("damage", "catalog", f"{problem.removesuffix('.')}. {_MEND}.") for problem in problems]


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
            ids = [soundness.document_with(connection, row.values["key"])]
        case _:
            name = next((row.values[key] for key in ("uri", "path", "file", "key", "name") if key in row.values), None)
            return f" ({name.decode('utf-8', 'replace')})" if isinstance(name, RawText) else ""
    owners = [one.values["uri"] for id_ in ids for one in checksums.rows(connection, "documents", "id = ?", (id_,))]
    return f" (of {owners[0].decode('utf-8', 'replace')})" if owners and isinstance(owners[0], RawText) else ""


def _inconsistencies(connection: Connection) -> Iterator[str]:
    yield from soundness.inconsistent(connection)
    spoilt = sum(1 for _ in content.spoilt_vectors(connection))
    if spoilt:
        yield f"{spoilt:,} vectors are not of length 1, or have the wrong dimension"
    altered = list(content.altered(connection))
    if altered:
        uris = soundness.uris(connection, altered[:_SHOWN])
        yield f"{len(altered):,} documents are not what was stored: {', '.join(uris)}"
