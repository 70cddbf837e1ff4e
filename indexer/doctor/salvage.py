"""A damaged catalog -> a sound one: every row is copied that can be read, and mended where the good value is known.

A value is known where one bit turned back gives the row its checksum, and, of a vector, where a segment whose SHA-256
is right holds it. What can't be mended is copied as it is, and stays damaged; what has no place in a sound catalog is
left out. The catalog as it was is kept beside the new one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from quarry.indexer.doctor.bits import undone
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import LibraryDamaged
from quarry.search.stores.database import checksums, mending, migrations, soundness, sqlite
from quarry.search.stores.database.checksums import Row
from quarry.search.stores.database.sqlite import Connection, DatabaseError
from quarry.search.stores.spaces import every_space

_MENDING = "catalog.db.mending"


@dataclass(slots=True)
class Salvaged:
    """What became of a catalog, in words.

    Args:
        stays: rows that are damaged still.
        lacking: the tables of which a row is left out.
        aside: the catalog as it was.
    """

    mended: list[str] = field(default_factory=list)
    stays: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    lacking: set[str] = field(default_factory=set)
    aside: Path | None = None


def salvage(vectors: OpenedVectors) -> Salvaged:
    """Put a sound copy in the place of the damaged catalog that vectors are of, under the writer's lock.

    Raises:
        LibraryDamaged, StorageFull: it can't be done; the catalog is as it was.
    """
    catalog, done = vectors.catalog, Salvaged()
    temporary = catalog.directory / _MENDING
    temporary.unlink(missing_ok=True)
    try:
        with catalog.lock.held(), closing(sqlite.open_writer(temporary, journal="delete")) as new:
            with catalog.reading() as old:
                _copy(old, new, vectors, done)
                if not (done.mended or done.left_out or [*soundness.structural(old)]):
                    return done  # the copy is no better
                done.aside = _set_aside(old, catalog.path)
            catalog.take_content(new)
    except DatabaseError as error:
        raise sqlite.translate(error, temporary) from error
    finally:
        temporary.unlink(missing_ok=True)
    return done


def _copy(old: Connection, new: Connection, vectors: OpenedVectors, done: Salvaged) -> None:
    migrations.migrate(new, Path(_MENDING))
    mending.begin(new)
    for table in checksums.tables(new):  # vectors come last: which passages they are of is known then
        damaged = [row for row in _readable(old, table, done) if not _take(new, row)]
        healed = _kept(new, vectors, damaged) if table == "vectors" and damaged else {}
        for row in damaged:
            flip = undone(row)
            if flip is not None:
                value = {flip.column: flip.value}
                whole = replace(row, values={**row.values, **value}, checksum=row.checksum)
                whole = replace(row, checksum=flip.value) if flip.column == checksums.COLUMN else whole
                what = f"{table}: row {row.rowid}: a bit of its {flip.column} was turned back"
            elif row.rowid in healed:
                whole = healed[row.rowid]
                what = f"{table}: row {row.rowid} was taken from a segment"
            else:
                done.stays.append(row)
                continue
            if mending.insert(new, whole):
                done.mended.append(what)
            else:
                done.left_out.append(what)
    for row in done.stays:
        if not _belongs(new, row) or not mending.insert(new, row):
            done.left_out.append(f"{row.table}: row {row.rowid} is not what was written, and has no place")
            done.lacking.add(row.table)
    _make_consistent(old, new, done)
    if problems := mending.commit(new):
        raise LibraryDamaged(f"The catalog can't be mended: {problems[0]}. Restore a backup.")


def _take(new: Connection, row: Row) -> bool:
    """Copy a row that is whole; return whether it was."""
    return row.is_whole and mending.insert(new, row)


def _belongs(new: Connection, row: Row) -> bool:
    """Whether a damaged row is of use as it is: what names a thing that is not there, or is derived, is not."""
    if row.table in ("deletions", "enrichments", "files", "meta", "segments"):
        return False
    if row.table == "chunks":
        return mending.has_document(new, row.values["document_id"])
    return True


def _readable(old: Connection, table: str, done: Salvaged) -> Iterator[Row]:
    """Yield the rows of a table from both ends, up to what can't be read."""
    reached: int | None = None
    try:
        for row in checksums.rows(old, table, "1 ORDER BY rowid", batch=1):
            yield row
            reached = row.rowid
    except DatabaseError as error:
        done.left_out.append(f"{table}: rows after {reached or 0} could not be read ({error})")
        done.lacking.add(table)
        yield from _backwards(old, table, reached)


def _backwards(old: Connection, table: str, reached: int | None) -> Iterator[Row]:
    where, params = ("1", ()) if reached is None else ("rowid > ?", (reached,))
    try:
        yield from checksums.rows(old, table, f"{where} ORDER BY rowid DESC", params, batch=1)
    except DatabaseError:
        return


def _kept(new: Connection, vectors: OpenedVectors, damaged: list[Row]) -> dict[int, Row]:
    """Return damaged vectors as the engines of their spaces still have them."""
    wanted: dict[int, dict[int, Row]] = {}  # by space, and passage: its vector
    for row in damaged:
        own = wanted.setdefault(row.values["space_id"], {})
        own |= dict.fromkeys(mending.chunks_of(new, row.values["key"]), row)
    healed: dict[int, Row] = {}
    for space in every_space(new):
        own = wanted.get(space.id, {})
        if not own:
            continue
        for chunk_id, vector in vectors.of(space).kept(new, np.array(sorted(own), np.int64)).items():
            values = {**own[chunk_id].values, "vector": vector.astype("<f2").tobytes()}
            rowid = own[chunk_id].rowid
            healed[rowid] = Row("vectors", rowid, values, checksums.row_checksum(values.values()))
    return healed


def _make_consistent(old: Connection, new: Connection, done: Salvaged) -> None:
    """Make up for what is left out: counters, and what names rows that are lacking."""
    orphans = mending.drop_orphans(new)
    if orphans:
        done.left_out.append(f"chunks: {orphans:,} passages are of documents that are lost")
        done.lacking.add("chunks")
    if done.lacking & {"segments", "deletions", "chunks"}:
        mending.unlist_segments(new)  # they are made anew: a gap between two would hide what lies in it
    mending.keep_counters(old, new)


def _set_aside(old: Connection, path: Path) -> Path:
    """Keep the catalog as it is, page by page."""
    aside = next(
        one for number in itertools.count(1) if not (one := path.with_name(f"{path.name}.damaged-{number}")).exists()
    )
    with closing(sqlite.open_writer(aside, journal="delete")) as copy:
        old.backup(copy)
    return aside
