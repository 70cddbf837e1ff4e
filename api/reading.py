"""What a library tells of its documents, and how one is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from quarry.api.opened import OpenLibrary
from quarry.search import arguments
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.fields import Field
from quarry.search.stores import documents as document_rows
from quarry.search.stores import filtered, items, picture_rows
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Document
from quarry.search.uris import spellings


def get(library: OpenLibrary, reference: str | os.PathLike[str]) -> Document:
    """Return the document with that id or URI; raise `NotFound` where there is none.

    The path of a file that holds many, such as a table, gives one that stands for all of them.
    """
    return find_all(library, reference)[1]


def text(library: OpenLibrary, reference: str | os.PathLike[str]) -> str:
    """Return the whole text of a document, as its loader read it, or of all documents of a file."""
    with library.catalog().snapshot() as snapshot:
        rows, _ = find_all(library, reference)
        return "\n\n".join(document_rows.text_of(snapshot.connection, row_id) for row_id in rows)


def page_starts(library: OpenLibrary, reference: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return the offset at which each page of a document's text begins, () where it has none."""
    with library.catalog().snapshot() as snapshot:
        rows, _ = find_all(library, reference)
        structure = document_rows.structure_of(snapshot.connection, rows[0])
    return tuple(structure["pages"]) if len(rows) == 1 else ()


def thumbnail(library: OpenLibrary, reference: str | os.PathLike[str]) -> bytes:
    """Return a small JPEG of a picture; raise `NotFound` where there is none."""
    with library.catalog().snapshot() as snapshot:
        row_id, document = find(library, reference)
        key = picture_rows.picture_key(snapshot.connection, row_id)
    found = Thumbnails(library.settings.library).get(key) if key is not None else None
    if found is None:
        raise NotFound(f"There is no thumbnail of {document.title!r}.")
    return found


def original(library: OpenLibrary, reference: str | os.PathLike[str]) -> bytes:
    """Return the content of a picture's file; raise `NotFound` where it is not there any more, or never was."""
    from quarry.indexer.originals import read_original

    with library.catalog().snapshot() as snapshot:
        row_id, document = find(library, reference)
        return read_original(snapshot.connection, row_id, document)


def documents(
    library: OpenLibrary, *, filter: Mapping[str, Any] | None = None, limit: int = 100, offset: int = 0
) -> tuple[list[Document], int]:
    """Return documents in the order they were added, and how many there are in all."""
    from quarry.search.filters import compile_filter

    limit, offset = arguments.whole(limit, "limit"), arguments.whole(offset, "offset")
    if not 0 <= limit <= 1_000 or offset < 0:
        raise InvalidRequest("limit must be 0 to 1,000 and offset 0 or more.")
    where, params = compile_filter(filter) if filter is not None else ("1", [])
    with library.catalog().snapshot() as snapshot:
        total = filtered.count(snapshot.connection, where, params)
        return filtered.listing(snapshot.connection, where, params, limit, min(offset, 2**62)), total


def fields(library: OpenLibrary) -> list[Field]:
    """Return what a filter can name: what every document has, then its own metadata, the most frequent first."""
    with library.catalog().snapshot() as snapshot:
        return library.searcher.filters.fields(snapshot)


def filter_notes(library: OpenLibrary, filter: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Say what a filter may have been meant as: which fields no document has, and why it lets nothing through.

    `Response.degraded` has these notes, too.
    """
    with library.catalog().snapshot() as snapshot:
        return library.searcher.filters.notes(snapshot, filter)


def find(library: OpenLibrary, reference: str | os.PathLike[str]) -> tuple[int, Document]:
    """Return the row id of the document that is meant, and the document."""
    named = arguments.reference(reference)
    with library.catalog().snapshot() as snapshot:
        tried = (document_rows.find(snapshot.connection, spelling) for spelling in spellings(named))
        found = next((one for one in tried if one is not None), None)
    if found is None:
        raise NotFound(f"This library has no document with the id or path {named!r}.")
    return found


def find_all(library: OpenLibrary, reference: str | os.PathLike[str]) -> tuple[list[int], Document]:
    """Return the documents that are meant by row id, and the one that there is, or that stands for all."""
    named = arguments.reference(reference)
    with library.catalog().snapshot() as snapshot:
        for spelling in spellings(named):
            found = items.of_file(snapshot.connection, spelling)
            if found is not None and document_rows.find(snapshot.connection, spelling) is None:
                return found
    row_id, document = find(library, named)
    return [row_id], document
