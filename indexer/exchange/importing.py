"""Rows of `indexer.exchange.dump` -> documents of a library, batch by batch, each in place of the one with its id.

A vector is taken where the library's own model made it from the very text that is embedded here; all others are made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np

from quarry.indexer import claims, storing
from quarry.indexer.embedding.nulls import fit_nulls
from quarry.indexer.enrichments.enriching import enrich
from quarry.indexer.exchange.dump import Given, read_row
from quarry.indexer.exchange.parquet import MAGIC, read_parquet
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.parsers import PARSERS
from quarry.indexer.pipeline import BATCH_PASSAGES
from quarry.indexer.prepared import PreparedDocument, StoredPart, prepare, timestamp
from quarry.indexer.report import Progress
from quarry.indexer.writer import Writer, flush
from quarry.search.errors import Conflict, InvalidRequest, LoadError, ModelError, ModelMismatch
from quarry.search.media.base import medium
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents
from quarry.search.stores.spaces import Space
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import WORDS, ParsedPart, Vectors

_PICTURE = 15  # passages that a picture counts for, which has a thumbnail or pixels
_LONGEST = 256 << 20  # bytes of a line
_TOLERANCE = 0.01  # of the length of a unit vector in float16


@dataclass(slots=True)
class Imported:
    """What an import did, in documents.

    Args:
        embedded: passages and pictures whose vector was made here.
        kept: URIs of those that a synced file of this library has: they are the file's, and stay as they are.
        failed: why rows were not taken, or only in part, by their place.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    embedded: int = 0
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    given: Given
    prepared: PreparedDocument


def import_rows(writer: Writer, stream: BinaryIO, name: str, size: int, progress: Progress) -> Imported:
    """Import rows from a stream of `size` bytes (0 where that is not known): JSON Lines, or Parquet where it begins so.

    Raises:
        FileMalformed: it is a damaged Parquet file.
        InvalidRequest: Parquet comes through a pipe.
    """
    done = Imported()
    progress.start(0, size)
    rows = _given(stream, name, done, progress)
    with closing(rows):
        for batch in _batches(_prepared_rows(writer, rows, done)):
            found = enrich(writer.catalog, writer.enrichments, writer.encoder, [row.prepared for row in batch])
            _store(writer, [replace(row, prepared=one) for row, one in zip(batch, found, strict=True)], done)
            progress.advance(len(batch), 0, 0)
    flush(writer.vectors)
    fit_nulls(writer)
    return done


def _batches(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    """Group rows into commits of bounded size: each commits to the lexical index, too, which costs as much as some
    hundred passages do.
    """
    batch: list[_Row] = []
    weight = 0
    for row in rows:
        batch.append(row)
        weight += _PICTURE if row.given.kind == "image" else max(1, len(row.prepared.document.keys))
        if weight >= BATCH_PASSAGES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _prepared_rows(writer: Writer, rows: Iterator[tuple[str, Given]], done: Imported) -> Iterator[_Row]:
    for where, given in rows:
        try:
            yield _Row(where, given, _prepared(writer, given))
        except (LoadError, InvalidRequest) as error:
            done.failed[where] = _why(error, where)


def _why(error: Exception, where: str) -> str:
    return str(error).removeprefix(f"{where}: ")  # it stands before each in the list


def _given(stream: BinaryIO, name: str, done: Imported, progress: Progress) -> Generator[tuple[str, Given], None, None]:
    for where, row in _read(stream, name, progress):
        try:
            if isinstance(row, InvalidRequest):
                raise row
            yield where, read_row(row, where)
        except InvalidRequest as error:
            done.failed[where] = _why(error, where)


def _read(stream: BinaryIO, name: str, progress: Progress) -> Iterator[tuple[str, Any]]:
    line = stream.readline(_LONGEST)
    if line.startswith(MAGIC):
        if not stream.seekable():
            raise InvalidRequest("Parquet is read from its end: give a file, not a pipe.")
        stream.seek(0)
        yield from ((f"row {number}", row) for number, row in enumerate(read_parquet(stream, name), start=1))
        return
    number = 0
    while line:
        number += 1
        where = f"line {number}"
        if len(line) >= _LONGEST and not line.endswith(b"\n"):
            raise InvalidRequest(f"{where} of {name} has more than {_LONGEST:,} bytes; it is no JSON Lines.")
        if line.strip():
            try:
                yield where, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield where, InvalidRequest(f"it is no JSON ({error}).")
        progress.advance(0, len(line), 0)
        line = stream.readline(_LONGEST)


def _prepared(writer: Writer, given: Given) -> PreparedDocument:
    parsed, stored = given.parsed, list[StoredPart]()
    if given.kind == "image" and _has_vector(writer, given):
        stored = [StoredPart("image", given.picture_key)]
    elif given.kind == "image":
        parsed = replace(parsed, parts=(ParsedPart("image", _picture(writer, given)),))
    elif given.kind != WORDS:
        raise InvalidRequest(f"it is a {medium(given.kind).one}, which is no part of an export; index its file.")
    return prepare(
        parsed,
        writer.encoder_for(parsed.text),
        uri=given.uri,
        title=given.title,
        metadata={},
        modified=given.modified,
        id=given.id,
        stored=stored,
    )


def _has_vector(writer: Writer, given: Given) -> bool:
    """Whether the vector of a picture can be taken as it is."""
    if given.picture_vector is None or not given.picture_key:
        return False
    space = _image_space(writer, given)
    return space is not None and _is_sound(given.picture_vector, space, given.image_model)


def _image_space(writer: Writer, given: Given) -> Space | None:
    space = writer.catalog.space("image")
    if space is not None:
        return space
    try:
        return writer.pictures.space if writer.pictures.encoder.identity == given.image_model else None
    except ModelMismatch:
        raise
    except ModelError:
        return None


def _picture(writer: Writer, given: Given) -> Any:
    """Read a picture from its thumbnail, which is all that there is of it."""
    if not given.thumbnail:
        raise InvalidRequest("it is a picture without a thumbnail, and without a vector of this library's model.")
    options = LoadOptions(preprocessing=writer.pictures.preprocessing)
    with closing(PARSERS.load(given.thumbnail, "thumbnail.jpg", options)) as items:
        return next(items).picture


def _is_sound(vector: Vectors, space: Space, identity: str) -> bool:
    if identity != space.identity or vector.shape != (space.dimension,) or not np.isfinite(vector).all():
        return False
    return abs(float(np.linalg.norm(vector)) - 1) < _TOLERANCE


def _store(writer: Writer, rows: Sequence[_Row], done: Imported) -> None:
    wanted = {key for row in rows for key in row.prepared.texts}
    texts = {
        key: vector
        for row in rows
        for key, vector in row.given.vectors.items()
        if key in wanted and _is_sound(vector, writer.space, row.given.text_model)
    }
    writer.stage(writer.space, texts)
    pictures: dict[bytes, Vectors] = {}
    for row in rows:
        if row.given.kind == "image" and not row.prepared.pictures and row.given.picture_vector is not None:
            pictures[row.given.picture_key] = row.given.picture_vector
    if pictures:
        space = _image_space(writer, rows[0].given)
        assert space is not None
        writer.stage(space, pictures)
    tally, embedded = storing.write(writer, [row.prepared for row in rows], lambda c, s: _write(writer, c, s, rows))
    done.added += tally.added
    done.changed += tally.changed
    done.unchanged += tally.unchanged
    done.kept += tally.kept
    done.failed |= tally.failed
    done.embedded += embedded


def _write(writer: Writer, connection: Connection, stored: storing.Stored, rows: Sequence[_Row]) -> Imported:
    tally, now = Imported(), timestamp(time.time())
    thumbnails = {}
    for row in rows:
        new = row.prepared.document
        try:
            claims.check(connection, new.id, new.uri)
        except Conflict:
            tally.kept.append(new.uri)
            continue
        found = documents.find(connection, new.id or new.uri)
        if found and found[1].title == new.title and documents.unchanged(connection, new) == found[0]:
            documents.touch(connection, found[0], None, new.modified)
            tally.unchanged += 1
            continue
        tally.added += found is None
        tally.changed += found is not None
        documents.put(connection, new, now)
        if new.kind == "image" and row.given.thumbnail and not row.prepared.pictures:
            thumbnails[new.keys[0]] = row.given.thumbnail
        for key in stored.spoilt.keys() & set(new.keys):
            tally.failed[row.where] = stored.spoilt[key]
    Thumbnails(writer.catalog.directory).put(thumbnails)
    return tally
