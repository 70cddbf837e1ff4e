"""Deleting documents, and bringing them back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from quarry.indexer import claims, storing
from quarry.indexer.enrichments.enriching import enrich
from quarry.indexer.prepared import PreparedDocument, prepare, restore, stored_parts, timestamp
from quarry.indexer.writer import Writer, commit, flush
from quarry.search.errors import Conflict, NotFound
from quarry.search.files.uris import spellings
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents, files, trash
from quarry.search.stores.rows.trash import Deleted
from quarry.search.types import Document


def delete(catalog: Catalog, rows: Sequence[int]) -> int:
    """Remove documents by row id in one commit, and keep them until the next compaction; return how many there were."""

    def change(connection: Connection) -> int:
        trash.keep(connection, rows, timestamp(time.time()))
        return documents.remove(connection, rows)

    return commit(catalog, change)


def undelete(writer: Writer, references: Sequence[str] = ()) -> list[str]:
    """Write deleted documents again in one commit, as they were; return their ids, in the order they were deleted in.

    What was embedded is not embedded again, unless by another model since. Of a file that is still in sync, the next
    run reads it again: what it does not hold any more goes again.

    Args:
        references: ids or URIs; what the last deletion took where none is named.

    Raises:
        NotFound: nothing of the kind was deleted, or it was compacted away since.
        Conflict: there is another document, or a synced file, under such an id or URI now.
    """
    with writer.catalog.snapshot() as snapshot:
        found = trash.find(snapshot.connection, [one for name in references for one in spellings(name)])
    wanted = _newest(found, references)
    restored = [_prepared(one, writer) for one in wanted]
    prepared = enrich(writer.catalog, writer.enrichments, writer.encoder, restored)

    def change(connection: Connection, stored: storing.Stored) -> list[str]:
        for one in wanted:
            for name in (one.document.id, one.document.uri):
                if documents.find(connection, name) is not None:
                    raise Conflict(f"There is another document {name!r} by now; delete it first.")
            if one.file_id is None:
                claims.check(connection, one.document.id, one.document.uri)
            else:
                files.read_again(connection, one.file_id)
        now = timestamp(time.time())
        ids = [documents.put(connection, one.document, now) for one in prepared]
        trash.drop(connection, [one.row for one in wanted])
        return ids

    ids, _ = storing.write(writer, prepared, change)
    flush(writer.vectors)
    return ids


def _newest(found: Sequence[Deleted], references: Sequence[str]) -> list[Deleted]:
    """Return one for each reference, the one that was deleted last, in the order of their deletion."""
    for reference in references:
        if not any(_is_named(one.document, name) for name in spellings(reference) for one in found):
            raise NotFound(f"No document {reference!r} was deleted, or the library was compacted since.")
    if not found:
        raise NotFound("Nothing was deleted, or the library was compacted since.")
    by_uri: dict[str, Deleted] = {}
    for one in found:
        by_uri.setdefault(one.document.uri, one)
    return sorted(by_uri.values(), key=lambda one: one.row)


def _is_named(document: Document, name: str) -> bool:
    return name in (document.id, document.uri) or document.uri.startswith(f"{name}#")


def _prepared(one: Deleted, writer: Writer) -> PreparedDocument:
    prepared = prepare(
        restore(one.document, one.text, one.structure),
        writer.encoder_for(one.text),
        uri=one.document.uri,
        title=one.document.title,
        metadata={},
        modified=one.document.modified,
        id=one.document.id,
        stored=stored_parts(one.structure),
    )
    return replace(prepared, document=replace(prepared.document, file_id=one.file_id))
