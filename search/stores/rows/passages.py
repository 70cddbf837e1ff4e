"""Passages of documents as rows of the catalog: those that its text consists of, then what enrichments say of it."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.types import OWN_WORDS, Chunk
from quarry.search.values.places import Place

CHUNK_COLUMNS = 'c.ordinal, c."start", c."end", c.text, c.place, c.heading, c.medium, c.said_by, c.confidence'
CHUNK_WRITTEN = (
    'document_id, ordinal, "start", "end", heading, text, key, generation, medium, place, said_by, confidence'
)
BETWEEN = "\n\n"  # the texts of a file's documents, where they are one
OWN_CHUNKS = f"said_by IN {OWN_WORDS}"  # whose texts add up to that of the document


def add_chunks(
    connection: Connection, document_id: int, chunks: Sequence[Chunk], texts: Sequence[str], keys: Sequence[bytes]
) -> None:
    """Write chunks of a document; of `texts`, its own ones go on to where the next begins."""
    generation = generation_of(connection)
    connection.executemany(
        f"INSERT INTO chunks ({CHUNK_WRITTEN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                document_id,
                chunk.ordinal,
                chunk.start,
                chunk.end,
                chunk.heading,
                text,
                key,
                generation,
                chunk.medium,
                chunk.place and json.dumps(chunk.place.json, separators=(",", ":")),
                chunk.said_by,
                chunk.confidence,
            )
            for chunk, text, key in zip(chunks, texts, keys, strict=True)
        ],
    )


def remove_chunks(connection: Connection, document_id: int, generation: int, which: str = "1") -> None:
    """Remove chunks of a document, and log them as deleted; `which` is a condition over them."""
    connection.execute(
        f"INSERT INTO deletions (chunk_id, generation) SELECT id, ? FROM chunks WHERE document_id = ? AND {which}",
        (generation, document_id),
    )
    connection.execute(f"DELETE FROM chunks WHERE document_id = ? AND {which}", (document_id,))


def say(connection: Connection, document_id: int, chunks: Sequence[Chunk], keys: Sequence[bytes]) -> None:
    """Put what enrichments say about a document in the place of what they said before; its own passages stay."""
    generation = generation_of(connection)
    remove_chunks(connection, document_id, generation, f"NOT {OWN_CHUNKS}")
    add_chunks(connection, document_id, chunks, [chunk.text for chunk in chunks], keys)
    connection.execute(
        "UPDATE documents SET chunks = (SELECT count(*) FROM chunks WHERE document_id = ?1), generation = ?2"
        " WHERE id = ?1",
        (document_id, generation),
    )


def passages_of(connection: Connection, document_id: int) -> list[Chunk]:
    """Return the chunks of a document, in order; LibraryDamaged where one is not what was stored."""
    checksums.require(connection, "chunks", "document_id = ?", (document_id,))
    rows = connection.execute(
        f"SELECT {CHUNK_COLUMNS} FROM chunks c WHERE document_id = ? ORDER BY ordinal",
        (document_id,),
    )
    return [chunk_of(row) for row in rows]


@dataclass(frozen=True, slots=True)
class FilePassages:
    """A document among those of one file: how many characters and passages of the whole come before its own."""

    row_id: int
    start: int
    first: int
    passages: int


def parts(connection: Connection, row_ids: Sequence[int]) -> list[FilePassages]:
    """Return where documents stand in the text that they are together; at least one is given."""
    rows = connection.execute(
        "SELECT d.id, d.characters, (SELECT count(*) FROM chunks c WHERE c.document_id = d.id AND c.medium = 'text')"
        " FROM documents d WHERE d.id IN (SELECT value FROM json_each(?)) ORDER BY d.id",
        (json.dumps(list(row_ids)),),
    )
    found: list[FilePassages] = []
    start = first = 0
    for row_id, characters, passages in rows:
        found.append(FilePassages(row_id, start, first, passages))
        start += characters + len(BETWEEN)
        first += passages
    return found


def place_of(connection: Connection, parts: Sequence[FilePassages], at: int) -> tuple[int, int]:
    """Return how many passages come before the one that a character stands in, and how many there are.

    What comes after the last is taken for the last.
    """
    part = parts[max(0, bisect_right(parts, at, key=lambda part: part.start) - 1)]
    (before,) = connection.execute(
        "SELECT count(*) FROM chunks WHERE document_id = ? AND medium = 'text' AND \"start\" <= ?",
        (part.row_id, at - part.start),
    ).fetchone()
    return part.first + max(0, before - 1), parts[-1].first + parts[-1].passages


def range_of(connection: Connection, parts: Sequence[FilePassages], first: int, count: int) -> dict[int, Chunk]:
    """Return passages by row id, in order, its own first; LibraryDamaged where one is not what was stored."""
    found: dict[int, Chunk] = {}
    for part in parts[max(0, bisect_right(parts, first, key=lambda part: part.first) - 1) :]:
        if len(found) >= count:
            break
        rows = connection.execute(
            f"SELECT c.id, {CHUNK_COLUMNS} FROM chunks c WHERE document_id = ? AND medium = 'text' ORDER BY ordinal"
            " LIMIT ? OFFSET ?",
            (part.row_id, count - len(found), max(0, first - part.first)),
        ).fetchall()
        checksums.require(connection, "chunks", f"id IN ({','.join('?' * len(rows))})", [row[0] for row in rows])
        for row in rows:
            chunk = chunk_of(row[1:])
            found[row[0]] = replace(chunk, start=chunk.start + part.start, end=chunk.end + part.start)
    return found


def chunk_of(row: Sequence[Any]) -> Chunk:
    """Return a chunk from its `CHUNK_COLUMNS`, of which the text goes on to where the next chunk begins."""
    ordinal, start, end, text, place, *others = row
    return Chunk(ordinal, start, end, text[: end - start], Place.of(json.loads(place)) if place else None, *others)


def generation_of(connection: Connection) -> int:
    """Return the generation that this transaction writes, or that this snapshot is of."""
    return int(connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])
