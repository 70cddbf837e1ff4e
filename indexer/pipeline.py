"""files -> documents -> chunks -> vectors -> catalog, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from indexer import embedding, roots
from indexer.changes import Found, Known, content_hash
from indexer.loaders.sandbox import Sandbox
from indexer.prefetch import prefetch
from indexer.prepared import Prepared, prepare, timestamp
from indexer.report import Progress, Report
from indexer.writer import Writer
from search.encoders.base import TextEncoder
from search.errors import FileUnreadable, LoadError
from search.stores import documents
from search.stores.sqlite import Connection
from search.types import Vectors
from search.uris import path_of

BATCH_PASSAGES = 512  # one commit; some seconds of embedding on two cores
BATCH_ITEMS = 256
FLUSH_BATCHES = 32
_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is to be read, for which root, and a moment not later than its reading (`seen_ns`)."""

    root: roots.Root
    found: Found
    known: Known | None
    options_hash: bytes
    seen_ns: int


@dataclass(slots=True)
class Item:
    """One document of a file; or, with `prepared` None, the end of the file: its hash, or why it failed."""

    reading: Reading
    prepared: Prepared | None = None
    hash: bytes | None = None
    error: LoadError | None = None
    uris: frozenset[str] = field(default_factory=frozenset)


def index(readings: Sequence[Reading], sandbox: Sandbox, writer: Writer, progress: Progress, report: Report) -> None:
    """Read files and commit their documents, batch by batch; a bad file is reported and passed by."""
    progress.start(len(readings), sum(reading.found.size for reading in readings))
    items = prefetch(read(readings, sandbox, writer.encoder), _AHEAD)
    try:
        for number, batch in enumerate(batches(items), start=1):
            commit(batch, writer, report)
            ends = [item.reading.found for item in batch if item.prepared is None]
            passages = sum(len(item.prepared.texts) for item in batch if item.prepared)
            progress.advance(len(ends), sum(found.size for found in ends), passages)
            report.files_read += len(ends)
            report.passages += passages
            if number % FLUSH_BATCHES == 0:
                writer.flush()
    finally:
        items.close()


def read(readings: Iterable[Reading], sandbox: Sandbox, encoder: TextEncoder) -> Iterator[Item]:
    """Parse files in the sandbox and cut their documents; each file ends with an item that says how it went."""
    for reading in readings:
        path, uris = path_of(reading.found.path), set[str]()
        try:
            hash = content_hash(path)
            for parsed in sandbox.load(path):
                base = f"{reading.found.path}#{parsed.key}" if parsed.key else reading.found.path
                uri, repeat = base, 1
                while uri in uris:
                    repeat += 1
                    uri = f"{base}~{repeat}"
                uris.add(uri)
                stem = roots.stem(reading.found.path)
                prepared = prepare(
                    parsed,
                    encoder,
                    uri=uri,
                    title=f"{stem} {parsed.key}" if parsed.key else stem,
                    metadata=reading.root.options.metadata,
                    modified=timestamp(reading.found.mtime_ns / 1e9),
                )
                yield Item(reading, prepared)
        except LoadError as error:
            yield Item(reading, error=error, uris=frozenset(uris))
        else:
            yield Item(reading, hash=hash, uris=frozenset(uris))


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Group items into commits of bounded size; a document is never divided."""
    batch: list[Item] = []
    passages = 0
    for item in items:
        batch.append(item)
        passages += len(item.prepared.texts) if item.prepared else 0
        if passages >= BATCH_PASSAGES or len(batch) >= BATCH_ITEMS:
            yield batch
            batch, passages = [], 0
    if batch:
        yield batch


def commit(batch: Sequence[Item], writer: Writer, report: Report) -> None:
    """Embed a batch, outside the lock, and write it, under it; again where a compaction dropped a vector between."""
    while True:
        fresh, spoilt = embed(batch, writer)
        try:
            writer.commit(partial(store, batch=batch, fresh=fresh, spoilt=spoilt, writer=writer, report=report))
        except _VectorsGone:
            continue
        report.embedded += len(fresh)
        return


class _VectorsGone(Exception):
    """A vector that was stored when the batch was embedded is not any more."""


def embed(batch: Sequence[Item], writer: Writer) -> tuple[dict[bytes, Vectors], dict[bytes, str]]:
    """Embed the texts of a batch whose vectors are not stored; return the new ones by key, and why some have none.

    A batch that one large document makes longer than usual is staged portion by portion, so that an interrupted run
    redoes little.
    """
    texts: dict[bytes, str] = {}
    for item in batch:
        if item.prepared:
            texts.update(zip(item.prepared.document.keys, item.prepared.texts, strict=True))
    known = writer.known_vectors(list(texts))
    missing = [key for key in texts if key not in known]
    fresh: dict[bytes, Vectors] = {}
    spoilt: dict[bytes, str] = {}
    for start in range(0, len(missing), BATCH_PASSAGES):
        keys = missing[start : start + BATCH_PASSAGES]
        vectors, bad = embedding.embed(writer.encoder, [texts[key] for key in keys])
        good = {key: vectors[position] for position, key in enumerate(keys) if position not in bad}
        if len(missing) > 2 * BATCH_PASSAGES:
            writer.stage(good)
        fresh.update(good)
        spoilt.update({keys[position]: why for position, why in bad.items()})
    return fresh, spoilt


def store(
    connection: Connection,
    batch: Sequence[Item],
    fresh: Mapping[bytes, Vectors],
    spoilt: Mapping[bytes, str],
    writer: Writer,
    report: Report,
) -> None:
    """Write one batch inside the caller's transaction."""
    now = timestamp(time.time())
    documents.stage_vectors(connection, writer.space.id, fresh)
    keys = {key for item in batch if item.prepared for key in item.prepared.document.keys}
    ids = documents.known_vectors(connection, writer.space.id, keys)
    if keys - ids.keys() - spoilt.keys():
        raise _VectorsGone
    for item in batch:
        file_id = roots.record_file(connection, item.reading.root.id, item.reading.found, *_pending(item.reading))
        if item.prepared:
            _store_document(connection, replace(item.prepared.document, file_id=file_id), ids, now, report)
            for key in spoilt.keys() & set(item.prepared.document.keys):
                report.failed[item.reading.found.path] = spoilt[key]
        else:
            _end_file(connection, item, file_id, report)


def _pending(reading: Reading) -> tuple[int, bytes]:
    return reading.seen_ns, reading.options_hash


def _store_document(
    connection: Connection, new: documents.NewDocument, ids: Mapping[bytes, int], now: str, report: Report
) -> None:
    old = documents.unchanged(connection, new)
    if old is not None:
        documents.touch(connection, old, new.file_id, new.modified)
    elif documents.find(connection, new.uri) is None:
        report.added += 1
        documents.put(connection, new, ids, now)
    else:
        report.changed += 1
        documents.put(connection, new, ids, now)


def _end_file(connection: Connection, item: Item, file_id: int, report: Report) -> None:
    """Record how reading a file ended, and drop the documents that it does not hold any more."""
    if not isinstance(item.error, FileUnreadable):  # what can't be opened today may be there tomorrow
        kept = item.uris if item.error is None else frozenset()
        report.dropped += documents.remove(connection, documents.others_of_file(connection, file_id, kept))
    path = item.reading.found.path
    if item.error is not None:
        report.failed[path] = str(item.error)
    roots.record_file(
        connection,
        item.reading.root.id,
        item.reading.found,
        *_pending(item.reading),
        hash=item.hash,
        error=report.failed.get(path),
    )
