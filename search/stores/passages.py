"""Passages of documents as rows of the catalog: those that its text consists of, then what enrichments say of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from quarry.search.places import Place
from quarry.search.stores import checksums
from quarry.search.stores.sqlite import Connection
from quarry.search.types import OWN_WORDS, Chunk

CHUNK_COLUMNS = 'c.ordinal, c."start", c."end", c.text, c.place, c.heading, c.medium, c.said_by, c.confidence'
CHUNK_WRITTEN = (
    'document_id, ordinal, "start", "end", heading, text, key, generation, medium, place, said_by, confidence'
)
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


def place_of(connection: Connection, document_id: int, at: int) -> tuple[int, int]:
    """Return how many passages come before the one that a character stands in, and how many there are.

    What comes after the last is taken for the last.
    """
    before, total = connection.execute(
        'SELECT count(*) FILTER (WHERE "start" <= ?2), count(*) FROM chunks'
        " WHERE document_id = ?1 AND medium = 'text'",
        (document_id, at),
    ).fetchone()
    return max(0, before - 1), total


def range_of(connection: Connection, document_id: int, first: int, count: int) -> dict[int, Chunk]:
    """Return passages by row id, in order, its own first; LibraryDamaged where one is not what was stored."""
    rows = connection.execute(
        f"SELECT c.id, {CHUNK_COLUMNS} FROM chunks c WHERE document_id = ? AND medium = 'text' ORDER BY ordinal"
        " LIMIT ? OFFSET ?",
        (document_id, count, first),
    ).fetchall()
    checksums.require(connection, "chunks", f"id IN ({','.join('?' * len(rows))})", [row[0] for row in rows])
    return {row[0]: chunk_of(row[1:]) for row in rows}


def chunk_of(row: Sequence[Any]) -> Chunk:
    """Return a chunk from its `CHUNK_COLUMNS`, of which the text goes on to where the next chunk begins."""
    ordinal, start, end, text, place, *others = row
    return Chunk(ordinal, start, end, text[: end - start], Place.of(json.loads(place)) if place else None, *others)


def generation_of(connection: Connection) -> int:
    """Return the generation that this transaction writes, or that this snapshot is of."""
    return int(connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])
