"""What a catalog lacks, made again from what is still there: vectors from stored texts, documents from their files."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from quarry.indexer.reembedding import embedded, portions, prepared_again
from quarry.indexer.report import NoProgress
from quarry.indexer.sync import RunOptions, sync
from quarry.indexer.wiring import open_writer
from quarry.indexer.writer import Writer
from quarry.search.config import Settings
from quarry.search.stores import documents, soundness
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.sqlite import Connection
from quarry.search.uris import path_of
from quarry.search.wiring import Searcher

_OF_KEYS = "SELECT id FROM chunks WHERE key IN ({marks})"


def embed_again(catalog: Catalog, settings: Settings) -> list[str]:
    """Embed the passages whose vectors are damaged or gone; return what was done.

    Raises:
        QuarryError: the library can't be written, or has no model.
    """
    if not _lack_vectors(catalog):
        return []
    writer = open_writer(settings, Searcher(catalog, settings))
    with catalog.transaction(bump=False) as connection:
        lacking = soundness.drop_damaged_vectors(connection)
    sound = [id_ for id_ in lacking if not _is_damaged(catalog, id_)]
    done = 0
    for portion in portions(sound):
        done += _embed(writer, portion)
    return [f"the vectors of {done:,} passages were made again from their texts"] if done else []


def _lack_vectors(catalog: Catalog) -> bool:
    with catalog.snapshot() as snapshot:
        return soundness.lack_vectors(snapshot.connection)


def _is_damaged(catalog: Catalog, document_id: int) -> bool:
    with catalog.snapshot() as snapshot:
        return documents.is_damaged(snapshot.connection, document_id)


def _embed(writer: Writer, document_ids: Collection[int]) -> int:
    with writer.catalog.snapshot() as snapshot:
        prepared = prepared_again(snapshot.connection, list(document_ids), writer.encoder)
        texts = {key: text for one in prepared for key, text in one.texts.items()}
        known = documents.known_vectors(snapshot.connection, writer.space.id, texts)
    vectors, _ = embedded(writer.encoder, {key: text for key, text in texts.items() if key not in known})
    with writer.catalog.transaction(bump=False) as connection:
        documents.stage_vectors(connection, writer.space.id, vectors)
        return sum(1 for _ in documents.rows_among(connection, _OF_KEYS, list(vectors)))


def read_again(catalog: Catalog, settings: Settings) -> list[str]:
    """Read the files of damaged and incomplete documents again, where they are still there; return what was done.

    Raises:
        QuarryError: the library can't be written, or has no model.
    """
    with catalog.transaction(bump=False) as connection:
        paths = {path for path in _marked(connection) if os.path.lexists(path)}
    if not paths:
        return []
    searcher = Searcher(catalog, settings)
    report = sync(catalog, lambda: open_writer(settings, searcher), sorted(paths), None, RunOptions(), NoProgress())
    return [f"{report.files_read:,} files were read again"] if report.files_read else []


def _marked(connection: Connection) -> list[Path]:
    """Have the files of damaged documents read by the next run; return their paths, or those of their roots."""
    found: list[Path] = []
    for id_ in soundness.damaged_documents(connection):
        path = soundness.path_of_file(connection, id_)
        if path is not None and os.path.lexists(path_of(path)):
            found.append(path_of(path))
            soundness.read_again(connection, id_)
    # A document whose file's row is lost is found again by its root.
    return [*found, *map(path_of, soundness.roots_of_lost_files(connection))]
