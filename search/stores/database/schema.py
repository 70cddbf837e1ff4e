"""The schema that a catalog must have: that of its format, and nothing more.

A catalog may come from a stranger, and a schema is a program: triggers, views and generated columns run when something
else is asked for, constraints and indexes may hold expressions that never end. Quarry's has plain tables and indexes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.search.errors import LibraryDamaged
from quarry.search.stores.database import sqlite
from quarry.search.stores.database.sqlite import Connection

if TYPE_CHECKING:
    from sqlite_utils import Database

# Of the schema of each format, so that none need be made to open a library. What differs from it is looked at closely.
DIGESTS = {
    1: "296792319804ff8ebe0bbadaebe7ae7498f7068293f57f82a45a7d336c800c2b",
    2: "aa73a2372eee897de0717eb8b83c259e3bd15427d987eaed2c527ed0bd6888bc",
    3: "ec7730bff3016dc078598bb7fba5055b1ccb5f568e8ef21aca60906b6823bf8f",
    4: "f0131bda223fd136137f98d49c03b4b6bf8245b7ab0e457dfdb782982cb91eab",
}
# What SQLite makes by itself, for ids that are not given twice and for its own statistics.
_OWN = re.compile(
    r"createtablesqlite_(sequence\(name,seq\)|stat1\(tbl,idx,stat\)|stat4\(tbl,idx,neq,nlt,ndlt,sample\))"
)

Object = tuple[str, str, str, str]  # type, name, table, and the statement without its quotes and spaces


def check_schema(connection: Connection, version: int, steps: Sequence[Callable[[Database], None]], path: Path) -> None:
    """Refuse a catalog whose schema is not that of its format.

    Args:
        version: how many steps it has had.
        steps: what makes the schema, one after the other.

    Raises:
        LibraryDamaged: names what differs.
    """
    found = objects(connection)
    if digest(found) == DIGESTS.get(version):
        return
    differing = sorted({name for _, name, _, _ in found ^ fresh(version, steps)})
    if differing:
        named = ", ".join(differing[:3]) + (", ..." if len(differing) > 3 else "")
        raise LibraryDamaged(
            f"The catalog {path} has a schema that Quarry did not make ({named}): it is damaged, or made to do harm. "
            "Nothing was read from it. Restore a backup, or index your folders into a new library."
        )


def objects(connection: Connection) -> frozenset[Object]:
    """Return what a schema consists of; the spelling of its statements, of which there are several, is left out."""
    rows = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema").fetchall()
    plain = ((type_, name, table, re.sub(r"[\s\"`\[\]]+", "", sql).lower()) for type_, name, table, sql in rows)
    return frozenset(one for one in plain if not (one[0] == "table" and _OWN.fullmatch(one[3])))


def digest(found: frozenset[Object]) -> str:
    """Return what tells one schema from another."""
    return hashlib.sha256(repr(sorted(found)).encode("utf-8", "surrogatepass")).hexdigest()


def fresh(version: int, steps: Sequence[Callable[[Database], None]]) -> frozenset[Object]:
    """Return the schema of a new catalog of a format."""
    from sqlite_utils import Database

    with closing(sqlite.open_memory()) as connection:
        for step in steps[:version]:
            step(Database(connection, execute_plugins=False))
        return objects(connection)
