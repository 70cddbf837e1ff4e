"""What the catalog holds for vector segments: which are listed, and the vectors they are built from.

A segment covers the chunks whose generation g satisfies `first < g <= last`. Listed ranges do not overlap; what is
newer than all of them is the tail. Every function works inside the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quarry.search.stores.database import checksums
from quarry.search.stores.database.checksums import row_checksum
from quarry.search.stores.database.sqlite import Connection, Cursor
from quarry.search.types import Ids

_BATCH = 4_096


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """What a file must be to be read: the catalog's description of it."""

    name: str
    sha256: str
    bytes: int
    count: int
    dimension: int
    identity: str
    format: str

    @property
    def is_plain(self) -> bool:
        """Whether the name is one, and no path that would lead elsewhere."""
        return Path(self.name).name == self.name and "\0" not in self.name


@dataclass(frozen=True, slots=True)
class Listed:
    """A segment as the catalog lists it: its file and the generations it covers.

    `built` is the generation it was built from: of what it holds, only what was removed later is dead.
    """

    id: int
    file: SegmentFile
    first: int
    last: int
    built: int


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """Vectors of a range of generations: (n,) ascending ids, (n, d) float16 values.

    `unusable` are chunks whose vector is not what was written, has the wrong length or is not finite: left out.
    """

    ids: Ids
    values: NDArray[np.float16]
    unusable: Ids


def listed_segments(connection: Connection, space_id: int) -> list[Listed]:
    """Return the segments of a space, oldest range first; LibraryDamaged where the list is not what was written."""
    checksums.require(connection, "segments")
    rows = connection.execute(
        "SELECT id, file, sha256, bytes, count, dimension, identity, format, first_generation, last_generation,"
        " built_generation FROM segments WHERE space_id = ? ORDER BY first_generation, id",
        (space_id,),
    )
    return [Listed(row[0], SegmentFile(*row[1:8]), *row[8:]) for row in rows]


def listed_ids(connection: Connection, space_id: int) -> tuple[int, ...]:
    """Return the ids of the segments of a space: the same ids are the same list."""
    rows = connection.execute("SELECT id FROM segments WHERE space_id = ? ORDER BY id", (space_id,))
    return tuple(id_ for (id_,) in rows)


def listed_files(connection: Connection) -> frozenset[str]:
    """Return the names of the files of all spaces."""
    return frozenset(name for (name,) in connection.execute("SELECT file FROM segments"))


def list_segment(connection: Connection, space_id: int, file: SegmentFile, first: int, last: int, built: int) -> None:
    """List a file that is safely on the disk."""
    connection.execute(
        "INSERT INTO segments (space_id, file, sha256, bytes, count, dimension, identity, format, first_generation,"
        " last_generation, built_generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            space_id,
            file.name,
            file.sha256,
            file.bytes,
            file.count,
            file.dimension,
            file.identity,
            file.format,
            first,
            last,
            built,
        ),
    )


def confirm_segments(connection: Connection, ids: Iterable[int], generation: int) -> None:
    """Note that what segments hold is what the catalog has at a generation."""
    sql = "UPDATE segments SET built_generation = max(built_generation, ?) WHERE id = ?"
    connection.executemany(sql, [(generation, id_) for id_ in ids])


def unlist_segments(connection: Connection, ids: Iterable[int]) -> None:
    """Take segments off the list."""
    connection.executemany("DELETE FROM segments WHERE id = ?", [(id_,) for id_ in ids])


_VECTOR = "c.id, v.vector, v.checksum, v.id, v.space_id, v.key"
# From left to right: the range of generations first, by its index, which holds the keys.
_RANGE = (
    "FROM chunks c CROSS JOIN vectors v ON v.space_id = ? AND v.key = c.key"
    " WHERE c.generation > ? AND c.generation <= ?"
)


def count_vectors(connection: Connection, space_id: int, first: int, last: int) -> int:
    """Count the chunks of generations in (first, last] that have a vector in the space."""
    return int(connection.execute(f"SELECT count(*) {_RANGE}", (space_id, first, last)).fetchone()[0])


def read_vectors(connection: Connection, space_id: int, dimension: int, first: int, last: int) -> StoredVectors:
    """Read the vectors of the chunks of generations in (first, last]."""
    return _read(vector_batches(connection, space_id, dimension, first, last), dimension)


def vector_batches(
    connection: Connection, space_id: int, dimension: int, first: int, last: int
) -> Iterator[StoredVectors]:
    """Yield what `read_vectors` returns, a few thousand at once, in the order of commits: ids need not ascend."""
    sql = f"SELECT {_VECTOR} {_RANGE} ORDER BY c.generation, c.id"
    return _batches(connection.execute(sql, (space_id, first, last)), dimension)


def vectors_among(connection: Connection, space_id: int, dimension: int, ids: Ids, last: int) -> StoredVectors:
    """Read the vectors of those of some chunks that are there, and of generations up to `last`."""
    sql = (
        f"SELECT {_VECTOR} FROM json_each(?) j CROSS JOIN chunks c ON c.id = j.value"
        " CROSS JOIN vectors v ON v.space_id = ? AND v.key = c.key WHERE c.generation <= ?"
    )
    cursor = connection.execute(sql, (json.dumps(ids.tolist()), space_id, last))
    return _read(_batches(cursor, dimension), dimension)


def spread_ids(connection: Connection, space_id: int, last: int, step: int) -> Ids:
    """Return every `step`th id of the chunks of generations up to `last` that have a vector in the space."""
    numbered = f"SELECT c.id AS id, row_number() OVER (ORDER BY c.id) - 1 AS number {_RANGE}"
    rows = connection.execute(f"SELECT id FROM ({numbered}) WHERE number % ? = 0", (space_id, 0, last, step))
    return np.array([id for (id,) in rows], np.int64)


def portion_end(connection: Connection, first: int, chunks: int) -> int | None:
    """Return a generation after `first` up to which there are about so many chunks, None where there is none."""
    portion = "SELECT generation FROM chunks WHERE generation > ? ORDER BY generation LIMIT ?"
    end: int | None = connection.execute(f"SELECT max(generation) FROM ({portion})", (first, chunks)).fetchone()[0]
    return end


def _read(batches: Iterable[StoredVectors], dimension: int) -> StoredVectors:
    ids, unusable = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    values = bytearray()  # grows in place: a list of arrays and their join would take twice the memory
    for batch in batches:
        ids.append(batch.ids)
        unusable.append(batch.unusable)
        values += batch.values.tobytes()
    found = np.concatenate(ids)
    stored = StoredVectors(
        found, np.frombuffer(values, np.float16).reshape(len(found), dimension), np.concatenate(unusable)
    )
    return _ascending(stored)


def _batches(cursor: Cursor, dimension: int) -> Iterator[StoredVectors]:
    width = 2 * dimension
    while rows := cursor.fetchmany(_BATCH):
        whole = [row for row in rows if row[2] == row_checksum((*row[3:], row[1])) and len(row[1]) == width]
        ids = np.array([row[0] for row in whole], np.int64)
        values = np.frombuffer(b"".join([row[1] for row in whole]), "<f2").reshape(len(ids), dimension)
        finite = np.isfinite(values).all(axis=1)
        ids, values = ids[finite], values[finite].astype(np.float16, copy=False)
        unusable = {row[0] for row in rows}.difference(ids.tolist()) if len(ids) < len(rows) else ()
        yield StoredVectors(ids, values, np.array(sorted(unusable), np.int64))


def _ascending(stored: StoredVectors) -> StoredVectors:
    if (np.diff(stored.ids) > 0).all():
        return stored
    order = np.argsort(stored.ids)
    return StoredVectors(stored.ids[order], stored.values[order], stored.unusable)
