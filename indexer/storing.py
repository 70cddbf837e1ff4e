"""Prepared documents -> the catalog: embed what has no vector yet, then write it all in one commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from quarry.indexer.embedding.checked import Embedded
from quarry.indexer.embedding.embedders import Embedder
from quarry.indexer.enrichments.enriching import enrich
from quarry.indexer.files.walking import VANISHED
from quarry.indexer.parsers import PARSERS
from quarry.indexer.prepared import PreparedDocument, timestamp
from quarry.indexer.query_pictures import QueryPictures
from quarry.indexer.reading import FileDocument, FileEnd, FileToRead
from quarry.indexer.report import Report
from quarry.indexer.writer import Writer
from quarry.search.errors import FileUnreadable, ModelError, ModelMismatch
from quarry.search.language.scripts import admits
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents, enrichments, files, items, roots
from quarry.search.stores.spaces import Space
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Kind, Vectors

T = TypeVar("T")
PORTION = 512  # texts that are embedded at once; some seconds on two cores


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the vectors of a commit: by key why a text or a picture has none."""

    spoilt: Mapping[bytes, str]


@dataclass(slots=True)
class _Tally:
    """What one commit did: counted inside it, reported when it has succeeded."""

    added: int = 0
    changed: int = 0
    dropped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)


Staged = Callable[[int], None]


def _unheard(passages: int) -> None:
    """Nobody is told."""


class _VectorsGone(Exception):
    """A vector that was stored when the texts were embedded is not any more."""


def begin_batch(batch: Sequence[FileDocument | FileEnd], writer: Writer) -> list[FileDocument | FileEnd]:
    """Enrich documents, and begin to embed what of them has no vector yet, where that is done elsewhere."""
    parts = [part for part in batch if isinstance(part, FileDocument)]
    prepared = enrich(writer.catalog, writer.enrichments, writer.encoder, [part.prepared for part in parts])
    if writer.ahead:
        for source in _sources(writer, prepared, {}):
            known = writer.known_vectors(source.space, list(source.items))
            source.begin([item for key, item in source.items.items() if key not in known])
    enriched = {id(part): replace(part, prepared=one) for part, one in zip(parts, prepared, strict=True)}
    return [enriched.get(id(part), part) for part in batch]


def commit_batch(
    batch: Sequence[FileDocument | FileEnd], writer: Writer, report: Report, staged: Staged = _unheard
) -> None:
    """Write enriched documents of files, and how reading these files ended, in one commit.

    Args:
        staged: is told how many more passages have vectors that are there to stay, where that takes long.
    """
    prepared = [part.prepared for part in batch if isinstance(part, FileDocument)]

    def change(connection: Connection, stored: Stored) -> _Tally:
        return _write_batch(connection, batch, stored, report.failed)

    tally, embedded = write(writer, prepared, change, staged)
    report.added += tally.added
    report.changed += tally.changed
    report.dropped += tally.dropped
    report.failed |= tally.failed
    report.warnings |= tally.warnings
    report.embedded += embedded
    report.passages += sum(len(one.document.keys) for one in prepared)
    ends = [end for end in batch if isinstance(end, FileEnd)]
    report.files_read += len(ends)
    report.skipped_files |= {end.found.path: end.skipped for end in ends if end.skipped}


def write(
    writer: Writer,
    prepared: Sequence[PreparedDocument],
    change: Callable[[Connection, Stored], T],
    staged: Staged = _unheard,
) -> tuple[T, int]:
    """Embed, outside the lock, and commit `change`, under it; return what it returns, and how many were embedded.

    It is done again where a compaction dropped a vector in between.
    """
    spoilt: dict[bytes, str] = {}
    sources = _sources(writer, prepared, spoilt)
    pictures = [item for one in prepared for item in one.pictures.items()]
    thumbnails = {key: picture.thumbnail for key, picture in pictures if picture.thumbnail}
    embedded: set[bytes] = set()
    identities = {one.identity for one in writer.enrichments}

    def whole(connection: Connection, fresh: Sequence[Mapping[bytes, Vectors]]) -> T:
        for source, vectors in zip(sources, fresh, strict=True):
            documents.stage_vectors(connection, source.space.id, vectors)
            known = documents.known_vectors(connection, source.space.id, source.items)
            if source.items.keys() - known - spoilt.keys():
                raise _VectorsGone
        Thumbnails(writer.catalog.directory).put(thumbnails)
        for one in prepared:
            enrichments.stage(connection, one.document.hash, one.results)
        if any(one.results.keys() != identities for one in prepared if one.document.uri):
            enrichments.unsettle(connection)
        result = change(connection, Stored(spoilt))
        documents.renew(connection, set().union(*fresh))
        return result

    while True:
        fresh = [_embed(writer, source, spoilt, staged) for source in sources]
        embedded.update(*fresh)
        try:
            result = writer.commit(partial(whole, fresh=fresh), [source.space for source in sources])
            return result, len(embedded)
        except _VectorsGone:
            continue


@dataclass(frozen=True, slots=True)
class _Source:
    """What is to be embedded into one space, by key, and how; `begin` has it begun elsewhere, where that can be."""

    space: Space
    items: Mapping[bytes, Any]
    embed: Callable[[Sequence[Any]], Embedded]
    begin: Callable[[Sequence[Any]], None]


def _sources(writer: Writer, prepared: Sequence[PreparedDocument], spoilt: dict[bytes, str]) -> list[_Source]:
    """Return what each space takes of some documents; a model that can't be used spoils its own vectors alone."""
    sources = []
    for embedder in writer.embedders.values():
        known, takes = embedder.known, embedder.takes
        items = {key: item for one in prepared for key, item in _taken(one, embedder.medium, takes).items()}
        if not items:
            continue
        try:
            sources.append(_Source(embedder.space, items, *_embedding(embedder, writer)))
        except ModelMismatch:
            raise
        except ModelError as error:
            if known is not None:  # where only the words about a picture have changed, it keeps its vector
                sources.append(_Source(known, items, embedder.embed, _later))
            else:
                spoilt.update(dict.fromkeys(items, embedder.reason(error)))
    return sources


def _embedding(
    embedder: Embedder, writer: Writer
) -> tuple[Callable[[Sequence[Any]], Embedded], Callable[[Sequence[Any]], None]]:
    """Return how things are embedded, and begun: pixels were made for the first image model, texts cut for either."""
    size = embedder.preprocessing
    if size is None:
        whole = writer.cuts_for_others
        return partial(embedder.embed, whole=whole), partial(embedder.begin, whole=whole)
    if size == writer.pictures.preprocessing:
        return embedder.embed, embedder.begin
    reader = QueryPictures(PARSERS)
    return lambda pictures: embedder.embed([reader.read(picture.thumbnail, size) for picture in pictures]), _later


def _later(items: Sequence[Any]) -> None:
    """Begin nothing before it is asked for."""


def _taken(one: PreparedDocument, medium: Kind, takes: Mapping[str, Any]) -> dict[bytes, Any]:
    """Return what a space takes of a document, by key: of which there is something to embed."""
    document, contents = one.document, one.contents(medium)
    if not takes:
        return dict(contents)
    language = document.enriched.get("language")  # as far as it was found out
    own = {key: chunk.text for chunk, key in zip(document.chunks, document.keys, strict=False)}
    # Of a document that is written already there are the texts alone, as they are embedded.
    texts = {key: own.get(key, content if isinstance(content, str) else "") for key, content in contents.items()}
    return {key: content for key, content in contents.items() if admits(takes, texts[key], language)}


def _embed(writer: Writer, source: _Source, spoilt: dict[bytes, str], staged: Staged) -> dict[bytes, Vectors]:
    """Embed what has no vector yet; return the new ones by key, and add to `spoilt` why some have none.

    When there are many they are staged portion by portion, so that an interrupted run redoes little.
    """
    known = writer.known_vectors(source.space, list(source.items))
    missing = [key for key in source.items if key not in known]
    fresh: dict[bytes, Vectors] = {}
    for start in range(0, len(missing), PORTION):
        keys = missing[start : start + PORTION]
        if writer.ahead:
            source.begin([source.items[key] for key in missing[start : start + max(PORTION, writer.ahead)]])
        vectors, bad = source.embed([source.items[key] for key in keys])
        good = {key: vectors[position] for position, key in enumerate(keys) if position not in bad}
        if len(missing) > 2 * PORTION:
            writer.stage(source.space, good)
            staged(len(keys))
        fresh.update(good)
        spoilt.update({keys[position]: why for position, why in bad.items()})
    return fresh


def _write_batch(
    connection: Connection, batch: Sequence[FileDocument | FileEnd], stored: Stored, failed_before: Mapping[str, str]
) -> _Tally:
    tally = _Tally()
    now = timestamp(time.time())
    file_ids: dict[str, int] = {}
    for root in {one.reading.root.id: one.reading.root for one in batch}.values():
        roots.require(connection, root)
    for one in batch:
        reading = one.reading
        path = reading.found.path
        if isinstance(one, FileDocument):
            if path not in file_ids:  # without a hash: read again, should this run end before the file does
                file_ids[path] = files.record(connection, reading.root.id, reading.found, 0, reading.options_hash)
            _write_document(connection, one.prepared.document, file_ids[path], stored, now, tally)
            if one.prepared.warning:
                tally.warnings[path] = one.prepared.warning
            for key in stored.spoilt.keys() & set(one.prepared.document.keys):
                tally.failed[path] = stored.spoilt[key]
        elif one.skipped != VANISHED:  # what is gone is dropped by the next run, unless all is
            _end_file(connection, one, tally.failed.get(path) or failed_before.get(path), tally)
    return tally


def _write_document(
    connection: Connection, new: documents.NewDocument, file_id: int, stored: Stored, now: str, tally: _Tally
) -> None:
    new = replace(new, file_id=file_id)
    if (old := documents.unchanged(connection, new)) is not None:
        documents.touch(connection, old, new.file_id, new.modified)
        return
    if not documents.is_at(connection, new.uri):
        tally.added += 1
    else:
        tally.changed += 1
    documents.put(connection, new, now)


def _end_file(connection: Connection, end: FileEnd, error: str | None, tally: _Tally) -> None:
    """Record how reading a file ended, and drop the documents that it does not hold any more."""
    reading: FileToRead = end.reading
    if end.error is not None:
        error = str(end.error)
        tally.failed[end.found.path] = error
    file_id = files.record(
        connection, reading.root.id, end.found, end.seen_ns, reading.options_hash, hash=end.hash, error=error
    )
    if not isinstance(end.error, FileUnreadable):  # its documents are kept while nobody knows what it holds
        others = documents.others_of_file(connection, file_id, end.uris)
        others += items.strangers_at(connection, end.found.path, end.uris)
        tally.dropped += documents.remove(connection, others)
