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
from quarry.search.stores import checksums, documents
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.spaces import LACKS_VECTOR
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
        wrong = [row.rowid for row in checksums.damaged_rows(connection, "vectors")]
        connection.executemany("DELETE FROM vectors WHERE id = ?", [(id_,) for id_ in wrong])
        # Of a picture only its file can be embedded again: it is read when its document has none.
        lacking = connection.execute(
            f"SELECT DISTINCT document_id FROM chunks c WHERE c.medium = 'text' AND {LACKS_VECTOR}"
        ).fetchall()
    sound = [id_ for (id_,) in lacking if not _is_damaged(catalog, id_)]
    done = 0
    for portion in portions(sound):
        done += _embed(writer, portion)
    return [f"the vectors of {done:,} passages were made again from their texts"] if done else []


def _lack_vectors(catalog: Catalog) -> bool:
    with catalog.snapshot() as snapshot:
        if snapshot.connection.execute(f"SELECT 1 FROM chunks c WHERE {LACKS_VECTOR} LIMIT 1").fetchone():
            return True
        return any(True for _ in checksums.damaged_rows(snapshot.connection, "vectors"))


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
    damaged = {row.rowid for row in checksums.damaged_rows(connection, "documents")}
    damaged |= {row.values["document_id"] for row in checksums.damaged_rows(connection, "chunks")}
    damaged |= {
        id_
        for (id_,) in connection.execute(
            "SELECT id FROM documents d WHERE chunks <> (SELECT count(*) FROM chunks c WHERE c.document_id = d.id)"
            f" OR EXISTS (SELECT 1 FROM chunks c WHERE c.document_id = d.id AND c.medium = 'image' AND {LACKS_VECTOR})"
        )
    }
    found: list[Path] = []
    for id_ in damaged:
        row = connection.execute(
            "SELECT f.id, f.path FROM documents d JOIN files f ON f.id = d.file_id WHERE d.id = ?", (id_,)
        ).fetchone()
        if row is None or not os.path.lexists(path_of(row[1])):
            continue
        found.append(path_of(row[1]))
        connection.execute("UPDATE documents SET hash = x'' WHERE id = ?", (id_,))
        connection.execute("UPDATE files SET hash = NULL, seen_ns = 0, error = NULL WHERE id = ?", (row[0],))
    # A document whose file's row is lost is found again by its root.
    without = "SELECT 1 FROM documents d WHERE file_id IS NULL AND instr(d.uri, r.path || '/') = 1"
    roots = connection.execute(f"SELECT path FROM roots r WHERE EXISTS ({without})")
    return [*found, *(path_of(path) for (path,) in roots)]
