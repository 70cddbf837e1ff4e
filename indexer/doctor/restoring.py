"""What a catalog lacks, made again from what is still there: vectors from stored texts, documents from their files."""

from __future__ import annotations

import os
from pathlib import Path

from quarry.indexer.embedding.reembedding import embed_lacking
from quarry.indexer.report import NoProgress
from quarry.indexer.sync import RunOptions, sync
from quarry.indexer.wiring import open_writer
from quarry.search.config import Settings
from quarry.search.files.uris import path_of
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import soundness
from quarry.search.stores.database.sqlite import Connection
from quarry.search.wiring import Searcher


def embed_again(catalog: Catalog, settings: Settings) -> list[str]:
    """Make damaged and lost vectors again, of what is still there; return what was done.

    Raises:
        QuarryError: the library can't be written, or has no model.
    """
    if not _lack_vectors(catalog):
        return []
    writer = open_writer(settings, Searcher(catalog, settings))
    with catalog.transaction(bump=False) as connection:
        soundness.drop_damaged_vectors(connection)
    said = []
    for space in catalog.spaces():
        if done := embed_lacking(catalog, space, writer.embedders[space.name]):
            said.append(f"{done:,} vectors of the space {space.name} were made again")
    return said


def _lack_vectors(catalog: Catalog) -> bool:
    with catalog.snapshot() as snapshot:
        return soundness.lack_vectors(snapshot.connection)


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
    report = sync(
        searcher.vectors, lambda: open_writer(settings, searcher), sorted(paths), None, RunOptions(), NoProgress()
    )
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
