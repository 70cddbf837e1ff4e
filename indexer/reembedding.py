"""Embed a library's stored text anew by another model, and what that shares with doing so to its pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from quarry.indexer import embedding
from quarry.indexer.nulls import fit_null
from quarry.indexer.prepared import PreparedDocument, prepare, restore
from quarry.indexer.report import Progress, Report
from quarry.indexer.writer import catch_up, flush
from quarry.search.errors import ModelError
from quarry.search.models.contracts import ImageEncoder, TextEncoder
from quarry.search.stores import documents
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.spaces import LACKS_VECTOR, Space, add_space
from quarry.search.stores.sqlite import Connection
from quarry.search.types import Medium, Vectors
from quarry.search.wiring import open_vectors

T = TypeVar("T")
PORTION = 64  # documents that are embedded and staged at once
_PASSES = 4  # over what others write meanwhile, before they have to wait


def reembed(catalog: Catalog, encoder: TextEncoder, progress: Progress) -> Report:
    """Cut and embed every document by `encoder`, then change over in one commit.

    Returns:
        `passages`, `embedded` and, by URI, the documents that `failed` to get a vector for each passage.

    Raises:
        ModelError: the model gives no text a usable vector; nothing was changed.
    """
    started = time.monotonic()
    report = Report()
    space = begin(catalog, "text", encoder)

    def stage(after: int) -> tuple[int, int]:
        return _stage(catalog, space, encoder, after, progress, report)

    take_over(catalog, space, stage, lambda connection: _change_over(connection, space, encoder, report), progress)
    fit_null(open_vectors(catalog), space, encoder.encode_queries)
    report.seconds = time.monotonic() - started
    return report


def begin(catalog: Catalog, name: Medium, encoder: TextEncoder | ImageEncoder) -> Space:
    """Return the space that vectors by `encoder` are staged in, which no search sees yet."""
    with catalog.transaction(bump=False) as connection:
        return add_space(connection, name, name, encoder.identity, encoder.card.name, encoder.dimension, state="staged")


def take_over(
    catalog: Catalog,
    space: Space,
    stage: Callable[[int], tuple[int, int]],
    change_over: Callable[[Connection], None],
    progress: Progress,
) -> None:
    """Put a space in the place of the active one of its name, in one commit.

    Vectors are staged first, so that an interrupted run resumes and searches go on by the old model; what others write
    meanwhile is embedded in further passes, and the last of it inside the commit.

    Args:
        stage: embeds what was written after a generation; returns the generation that is covered then, and how many
            documents there were.
        change_over: makes every document refer to vectors of the space, embedding what has none yet.
    """
    covered = -1
    for _ in range(_PASSES):
        covered, count = stage(covered)
        if count <= PORTION:
            break
    progress.note("changing over")
    with catalog.lock.held():
        with catalog.transaction() as connection:
            change_over(connection)
            _activate(connection, space)
        catch_up(catalog)
    flush(catalog)


def check_any(found: bool, encoder: TextEncoder | ImageEncoder, report: Report) -> None:
    """Refuse to change over to a model that gave nothing a vector, where there was anything.

    Raises:
        ModelError: says why, as far as that is known.
    """
    if report.passages and not found:
        reason = next(iter(report.failed.values()), "it gave no vector at all.")
        raise ModelError(f"{encoder.card.name} can't embed this library: {reason} Nothing was changed.")


def _activate(connection: Connection, space: Space) -> None:
    connection.execute("UPDATE spaces SET state = 'retired' WHERE name = ? AND id <> ?", (space.name, space.id))
    connection.execute("UPDATE spaces SET state = 'active' WHERE id = ?", (space.id,))
    others = "SELECT id FROM spaces WHERE name = ? AND state = 'retired'"
    for table, column in (("segments", "space_id"), ("vectors", "space_id"), ("spaces", "id")):
        connection.execute(f"DELETE FROM {table} WHERE {column} IN ({others})", (space.name,))
    # What another model could not embed this one could, but for what has no vector now either.
    connection.execute(
        "UPDATE files SET error = NULL WHERE hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM documents d"
        f" JOIN chunks c ON c.document_id = d.id WHERE d.file_id = files.id AND {LACKS_VECTOR})"
    )


def _stage(
    catalog: Catalog, space: Space, encoder: TextEncoder, after: int, progress: Progress, report: Report
) -> tuple[int, int]:
    """Embed what was written after a generation; return the generation that is covered now, and how many documents."""
    with catalog.snapshot() as snapshot:
        generation = snapshot.generation
        rows = snapshot.connection.execute(
            "SELECT id, characters FROM documents WHERE generation > ? ORDER BY id", (after,)
        ).fetchall()
    progress.start(len(rows), sum(size for _, size in rows))
    for portion in portions(rows):
        with catalog.snapshot() as snapshot:
            prepared = prepared_again(snapshot.connection, [row_id for row_id, _ in portion], encoder)
            missing = _missing(snapshot.connection, space, prepared)
        vectors, _ = embedded(encoder, missing)
        if vectors:
            with catalog.transaction(bump=False) as connection:
                documents.stage_vectors(connection, space.id, vectors)
        report.embedded += len(vectors)
        progress.advance(len(portion), sum(size for _, size in portion), sum(len(one.texts) for one in prepared))
    return generation, len(rows)


def _change_over(connection: Connection, space: Space, encoder: TextEncoder, report: Report) -> None:
    rows = connection.execute("SELECT id FROM documents ORDER BY id").fetchall()
    found = 0
    for portion in portions(rows):
        prepared = prepared_again(connection, [row_id for (row_id,) in portion], encoder)
        vectors, spoilt = embedded(encoder, _missing(connection, space, prepared))
        documents.stage_vectors(connection, space.id, vectors)
        report.embedded += len(vectors)
        for one in prepared:
            new = one.document
            ids = documents.known_vectors(connection, space.id, one.texts)
            (indexed,) = connection.execute("SELECT indexed FROM documents WHERE public_id = ?", (new.id,)).fetchone()
            documents.put(connection, new, indexed)
            report.passages += sum(key in one.texts for key in new.keys)
            found += sum(key in ids for key in new.keys)
            for key in spoilt.keys() & one.texts.keys():
                report.failed[new.uri] = spoilt[key]
                connection.execute("UPDATE files SET error = ? WHERE id = ?", (spoilt[key], new.file_id))
    check_any(found > 0, encoder, report)


def prepared_again(connection: Connection, row_ids: Sequence[int], encoder: TextEncoder) -> list[PreparedDocument]:
    """Cut stored documents anew, by row id; one that was deleted meanwhile is left out."""
    prepared = []
    for row_id in row_ids:
        row = connection.execute("SELECT public_id, file_id FROM documents WHERE id = ?", (row_id,)).fetchone()
        found = documents.find(connection, row[0]) if row else None
        if found is None:  # deleted meanwhile
            continue
        document = found[1]
        structure = documents.structure_of(connection, row_id)
        picture = structure.get("picture")
        one = prepare(
            restore(document, documents.text_of(connection, row_id), structure),
            encoder,
            uri=document.uri,
            title=document.title,
            metadata={},
            modified=document.modified,
            id=document.id,
            picture=bytes.fromhex(picture) if picture else None,
        )
        prepared.append(replace(one, document=replace(one.document, file_id=row[1])))
    return prepared


def _missing(connection: Connection, space: Space, prepared: Sequence[PreparedDocument]) -> dict[bytes, str]:
    texts = {key: text for one in prepared for key, text in one.texts.items()}
    known = documents.known_vectors(connection, space.id, texts)
    return {key: text for key, text in texts.items() if key not in known}


def embedded(encoder: TextEncoder, texts: Mapping[bytes, str]) -> tuple[dict[bytes, Vectors], dict[bytes, str]]:
    """Return vectors by key, and by key why a text has none."""
    if not texts:
        return {}, {}
    vectors, bad = embedding.embed(encoder, list(texts.values()))
    good = {key: vectors[position] for position, key in enumerate(texts) if position not in bad}
    return good, {key: bad[position] for position, key in enumerate(texts) if position in bad}


def portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut rows into `PORTION`s."""
    for start in range(0, len(rows), PORTION):
        yield rows[start : start + PORTION]
