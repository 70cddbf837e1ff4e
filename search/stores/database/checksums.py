"""A checksum in every row of the catalog, over all of its other columns.

SQLite keeps none: a flipped bit in a text or a number would pass for what was written. Nobody who writes needs to know
of them. The connection that writes has triggers of its own (`keep`), so that no statement can forget a row, and what
any other program, or the disk, changes does not fit its checksum any more. A row that is damaged stays so when a part
of it is written: its checksum is gone then, and never made anew over what is wrong.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quarry.search.errors import LibraryDamaged

if TYPE_CHECKING:
    from quarry.search.stores.database.sqlite import Connection

COLUMN = "checksum"
ADVICE = "`quarry doctor` tells what is damaged; `quarry doctor --repair` mends what can be, or restore a backup."
_BATCH = 500  # bound parameters a statement


class RawText(bytes):
    """A text as it is stored, which may be no UTF-8; what is stored as bytes is plain `bytes`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is stored: `values` by the names of its columns, without the checksum."""

    table: str
    rowid: int
    values: dict[str, Any]
    checksum: Any

    @property
    def is_whole(self) -> bool:
        """Whether it is what was written."""
        return bool(self.checksum == row_checksum(self.values.values()))


def row_checksum(values: Iterable[RawText | bytes | float | None]) -> bytes:
    """Return the 8 bytes that tell the values of a row from any others, of any other types."""
    parts = [  # what `encoded` gives, without a call for each of the common ones: it takes half the time
        b"i%d;" % value
        if type(value) is int
        else b"t%d:%b" % (len(value), value)
        if type(value) is RawText
        else b"b%d:%b" % (len(value), value)
        if type(value) is bytes
        else encoded(value)
        for value in values
    ]
    return hashlib.blake2b(b"".join(parts), digest_size=8).digest()


def encoded(value: RawText | bytes | float | None) -> bytes:
    """Return a value as a checksum sees it: its type, and where it ends, are part of it."""
    if isinstance(value, bytes):
        return b"%b%d:%b" % (b"t" if type(value) is RawText else b"b", len(value), value)
    return b"null;" if value is None else b"%b%a;" % (b"i" if type(value) is int else b"f", value)


def checksum_of_written(types: str, *values: bytes | float | None) -> bytes:
    """Return the checksum of a row for SQL, where texts come as bytes: `t` in `types` says which these are."""
    return row_checksum(
        RawText(value) if type_ == "t" and isinstance(value, bytes) else value
        for type_, value in zip(types, values, strict=True)
    )


def keep(connection: Connection) -> None:
    """Have every row that this connection writes get its checksum."""
    for table in tables(connection):
        names = ", ".join(f'"{name}"' for name, _ in _columns(connection, table))
        old, new = _checksum_sql(connection, table, "OLD."), _checksum_sql(connection, table, "NEW.")
        connection.execute(
            f"CREATE TEMP TRIGGER IF NOT EXISTS {table}_inserted AFTER INSERT ON main.{table} BEGIN"
            f" UPDATE {table} SET {COLUMN} = {new} WHERE rowid = NEW.rowid; END"
        )
        connection.execute(
            f"CREATE TEMP TRIGGER IF NOT EXISTS {table}_updated AFTER UPDATE OF {names} ON main.{table} BEGIN"
            f" UPDATE {table} SET {COLUMN} = CASE WHEN OLD.{COLUMN} = {old} THEN {new} END WHERE rowid = NEW.rowid; END"
        )


def _columns(connection: Connection, table: str) -> list[tuple[str, str]]:
    """Return the names and types of the columns that a table's checksum covers."""
    found = connection.execute("SELECT name, type FROM pragma_table_info(?) WHERE name <> ?", (table, COLUMN))
    return found.fetchall()


def _checksum_sql(connection: Connection, table: str, row: str = "") -> str:
    # As bytes: a function would get no text that is no UTF-8, and not what comes after a NUL.
    listed = _columns(connection, table)
    types = "".join("t" if type_ == "TEXT" else "-" for _, type_ in listed)
    values = (f'CAST({row}"{name}" AS BLOB)' if type_ == "TEXT" else f'{row}"{name}"' for name, type_ in listed)
    return f"row_checksum('{types}', {', '.join(values)})"


def tables(connection: Connection) -> list[str]:
    """Return the names of the tables whose rows have checksums."""
    found = connection.execute(
        "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = ?",
        (COLUMN,),
    )
    return sorted(name for (name,) in found)


def fill(connection: Connection, table: str, condition: str = "1") -> None:
    """Give the rows of a table that satisfy a condition a checksum over what they hold now."""
    connection.execute(f"UPDATE {table} SET {COLUMN} = {_checksum_sql(connection, table)} WHERE {condition}")


def rows(
    connection: Connection, table: str, where: str = "1", params: Sequence[Any] = (), *, batch: int = _BATCH
) -> Iterator[Row]:
    """Yield rows of a table as they are stored, whatever they hold; of a batch that can't be read whole, none."""
    with _raw(connection):
        cursor = connection.execute(f"SELECT rowid, * FROM {table} WHERE {where}", params)
    names = [name for name, *_ in cursor.description]
    while True:
        with _raw(connection):
            found = cursor.fetchmany(batch)
        for row in found:
            values = dict(zip(names[1:], row[1:], strict=True))
            checksum = values.pop(COLUMN, None)  # there is none before the step that adds them
            yield Row(table, row[0], values, checksum)
        if len(found) < batch:
            return


def damaged_rows(connection: Connection, table: str) -> Iterator[Row]:
    """Yield the rows of a table that are not what was written."""
    return (row for row in rows(connection, table) if not row.is_whole)


def damaged(connection: Connection, table: str, ids: Collection[int]) -> frozenset[int]:
    """Return which of some rows are not what was written, by row id."""
    wrong: list[int] = []
    wanted = list(ids)
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        wrong += _damaged_among(connection, table, f"rowid IN ({','.join('?' * len(batch))})", batch)
    return frozenset(wrong)


def whole(connection: Connection, table: str, names: Sequence[str], ids: Collection[int]) -> dict[int, tuple[Any, ...]]:
    """Return columns of some rows by row id, as far as the rows are what was written."""
    found: dict[int, tuple[Any, ...]] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        columns, rows, own = _with_checksums(connection, table, f"rowid IN ({','.join('?' * len(batch))})", batch)
        places = [columns.index(name) for name in names]
        for row in rows:
            if row[own] == row_checksum((*row[1:own], *row[own + 1 :])):
                each = (row[place] for place in places)
                found[row[0]] = tuple(str(one, "utf-8") if type(one) is RawText else one for one in each)
    return found


def require(connection: Connection, table: str, where: str = "1", params: Sequence[Any] = ()) -> None:
    """Make sure that a few rows of a table, or all of a small one, are what was written.

    Raises:
        LibraryDamaged: one is not.
    """
    if wrong := _damaged_among(connection, table, where, params):
        (row,) = rows(connection, table.split()[0], "rowid = ?", wrong[:1])
        raise LibraryDamaged(f"{named(row)} is not what was written. {ADVICE}")


def _damaged_among(connection: Connection, table: str, where: str, params: Sequence[Any]) -> list[int]:
    """Do as `rows` and `Row.is_whole` do, for the few rows of a request: without making a value of each."""
    _, found, own = _with_checksums(connection, table, where, params)
    return [row[0] for row in found if row[own] != row_checksum((*row[1:own], *row[own + 1 :]))]


def _with_checksums(
    connection: Connection, table: str, where: str, params: Sequence[Any]
) -> tuple[list[str], list[tuple[Any, ...]], int]:
    """Return the names of columns, the row id first, the rows as they are stored, and where their checksum stands."""
    with _raw(connection):
        cursor = connection.execute(f"SELECT rowid, * FROM {table} WHERE {where}", params)
        found = cursor.fetchall()
    names = [name for name, *_ in cursor.description]
    return names, found, names.index(COLUMN)


def first_damaged(connection: Connection, seconds: float) -> Row | None:
    """Return a row that is not what was written, None where there is none, or none is found in that time."""
    until = time.monotonic() + seconds
    for table in tables(connection):
        for row in rows(connection, table):
            if not row.is_whole:
                return row
            if time.monotonic() > until:
                return None
    return None


def seal_schema(connection: Connection) -> None:
    """Keep a digest of the schema, once there are checksums."""
    if tables(connection):
        connection.execute(
            "INSERT INTO meta (key, value) VALUES ('schema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_schema_digest(connection),),
        )
        fill(connection, "meta", "key = 'schema'")


def is_schema_whole(connection: Connection) -> bool:
    """Whether the schema is what was made."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return row is not None and row[0] == _schema_digest(connection)


def _schema_digest(connection: Connection) -> str:
    made = connection.execute(  # without what ANALYZE makes
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name"
    ).fetchall()
    return hashlib.blake2b(repr(made).encode(), digest_size=16).hexdigest()


def named(row: Row) -> str:
    """Say which row it is, as far as it tells itself."""
    own = next((row.values[name] for name in ("uri", "path", "file", "key", "name") if name in row.values), None)
    text = f" ({own.decode('utf-8', 'replace')})" if isinstance(own, RawText) else ""
    return f"Row {row.rowid} of the catalog's {row.table}{text}"


@contextmanager
def _raw(connection: Connection) -> Iterator[None]:
    before = connection.text_factory
    connection.text_factory = RawText
    try:
        yield
    finally:
        connection.text_factory = before
