"""Embed a library's stored text anew by another model."""

from __future__ import annotations

from dataclasses import replace

from indexer import embedding
from indexer.prepared import Prepared, prepare, restore
from indexer.report import Progress
from search.encoders.base import TextEncoder
from search.encoders.text import load_text_encoder
from search.errors import ModelError
from search.stores import documents
from search.stores.catalog import Catalog, Space, active_space, add_space
from search.stores.sqlite import Connection

_DOCUMENTS = 64  # a staged portion


def reembed(catalog: Catalog, text_model: str, progress: Progress) -> int:
    """Cut and embed every document by `text_model`, then change over in one commit; return how many passages.

    Vectors are staged first, so that an interrupted run resumes and searches go on by the old model; documents that
    change meanwhile are embedded inside the last commit.
    """
    encoder = load_text_encoder(text_model, prepare=True)
    with catalog.transaction(bump=False) as connection:
        space = add_space(connection, "text", encoder.identity, encoder.card.name, encoder.dimension, active=False)
    with catalog.snapshot() as snapshot:
        rows = snapshot.connection.execute("SELECT id, characters FROM documents ORDER BY id").fetchall()
    progress.start(len(rows), sum(size for _, size in rows))
    for start in range(0, len(rows), _DOCUMENTS):
        portion = rows[start : start + _DOCUMENTS]
        with catalog.snapshot() as snapshot:
            prepared = _prepared(snapshot.connection, [row_id for row_id, _ in portion], encoder)
            missing = _missing(snapshot.connection, space, prepared)
        _embed(catalog, space, encoder, missing)
        progress.advance(len(portion), sum(size for _, size in portion), sum(len(one.texts) for one in prepared))
    progress.note("changing over")
    return _change_over(catalog, space, encoder)


def _prepared(connection: Connection, row_ids: list[int], encoder: TextEncoder) -> list[Prepared]:
    prepared = []
    for row_id in row_ids:
        row = connection.execute("SELECT public_id, file_id FROM documents WHERE id = ?", (row_id,)).fetchone()
        found = documents.find(connection, row[0]) if row else None
        if found is None:
            continue
        document = found[1]
        parsed = restore(document, documents.text_of(connection, row_id), documents.structure_of(connection, row_id))
        one = prepare(
            parsed,
            encoder,
            uri=document.uri,
            title=document.title,
            metadata={},
            modified=document.modified,
            id=document.id,
        )
        prepared.append(replace(one, document=replace(one.document, file_id=row[1])))
    return prepared


def _missing(connection: Connection, space: Space, prepared: list[Prepared]) -> dict[bytes, str]:
    texts = {key: text for one in prepared for key, text in zip(one.document.keys, one.texts, strict=True)}
    known = documents.known_vectors(connection, space.id, list(texts))
    return {key: text for key, text in texts.items() if key not in known}


def _embed(catalog: Catalog, space: Space, encoder: TextEncoder, missing: dict[bytes, str]) -> None:
    if not missing:
        return
    vectors, bad = embedding.embed(encoder, list(missing.values()))
    if bad:
        raise ModelError(f"{next(iter(bad.values()))} Nothing was changed: the library keeps its model.")
    with catalog.transaction(bump=False) as connection:
        documents.stage_vectors(connection, space.id, dict(zip(missing, vectors, strict=True)))


def _change_over(catalog: Catalog, space: Space, encoder: TextEncoder) -> int:
    passages = 0
    with catalog.lock.held():
        with catalog.snapshot() as snapshot:  # what others wrote since; nobody writes while the lock is held
            rows = [row[0] for row in snapshot.connection.execute("SELECT id FROM documents ORDER BY id")]
        for start in range(0, len(rows), _DOCUMENTS):
            with catalog.snapshot() as snapshot:
                late = _missing(
                    snapshot.connection,
                    space,
                    _prepared(snapshot.connection, rows[start : start + _DOCUMENTS], encoder),
                )
            _embed(catalog, space, encoder, late)
        with catalog.transaction() as connection:
            old = active_space(connection, "text")
            for start in range(0, len(rows), _DOCUMENTS):
                for one in _prepared(connection, rows[start : start + _DOCUMENTS], encoder):
                    ids = documents.known_vectors(connection, space.id, one.document.keys)
                    indexed = connection.execute(
                        "SELECT indexed FROM documents WHERE public_id = ?", (one.document.id,)
                    ).fetchone()[0]
                    documents.put(connection, one.document, ids, indexed)
                    passages += len(one.texts)
            connection.execute("UPDATE spaces SET active = (id = ?) WHERE name = 'text'", (space.id,))
            if old is not None and old.id != space.id:
                connection.execute("DELETE FROM segments WHERE space_id = ?", (old.id,))
                connection.execute("DELETE FROM vectors WHERE space_id = ?", (old.id,))
                connection.execute("DELETE FROM spaces WHERE id = ?", (old.id,))
    return passages
