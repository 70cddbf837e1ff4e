"""files -> documents -> chunks -> vectors -> catalog, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

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
            embed(batch, writer, report)
            writer.commit(lambda connection, batch=batch: store(connection, batch, writer, report))  # type: ignore[misc]
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


def embed(batch: Sequence[Item], writer: Writer, report: Report) -> None:
    """Embed and stage, in bounded portions, the texts of a batch whose vectors are not stored yet."""
    texts: dict[bytes, str] = {}
    for item in batch:
        if item.prepared:
            texts.update(zip(item.prepared.document.keys, item.prepared.texts, strict=True))
    known = writer.known_vectors(list(texts))
    missing = [key for key in texts if key not in known]
    for start in range(0, len(missing), BATCH_PASSAGES):
        keys = missing[start : start + BATCH_PASSAGES]
        vectors, bad = embedding.embed(writer.encoder, [texts[key] for key in keys])
        good = [position for position in range(len(keys)) if position not in bad]
        writer.stage([keys[position] for position in good], vectors[good])
        report.embedded += len(good)
        for item in batch:
            if item.prepared and bad:
                spoilt = {keys[position] for position in bad}.intersection(item.prepared.document.keys)
                if spoilt:
                    report.failed[item.reading.found.path] = next(iter(bad.values()))


def store(connection: Connection, batch: Sequence[Item], writer: Writer, report: Report) -> None:
    """Write one batch inside the caller's transaction."""
    now = timestamp(time.time())
    for item in batch:
        reading = item.reading
        file_id = roots.record_file(connection, reading.root.id, reading.found, reading.seen_ns, reading.options_hash)
        if item.prepared:
            new = replace(item.prepared.document, file_id=file_id)
            old = documents.unchanged(connection, new)
            if old is None:
                ids = documents.known_vectors(connection, writer.space.id, new.keys)
                is_new = documents.find(connection, new.uri) is None
                documents.put(connection, new, ids, now)
                report.added += is_new
                report.changed += not is_new
            else:
                documents.touch(connection, old, file_id, new.modified)
            continue
        if not isinstance(item.error, FileUnreadable):  # what can't be opened today may be there tomorrow
            report.dropped += documents.remove(
                connection, documents.others_of_file(connection, file_id, item.uris if not item.error else frozenset())
            )
        error = str(item.error) if item.error else report.failed.get(reading.found.path)
        if error:
            report.failed[reading.found.path] = error
        roots.record_file(
            connection,
            reading.root.id,
            reading.found,
            reading.seen_ns,
            reading.options_hash,
            hash=item.hash,
            error=error,
        )
