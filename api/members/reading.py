"""What a library tells of its documents, and how one is named."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.api.opened import OpenLibrary
from quarry.search.errors import InvalidRequest, LoadError, NotFound
from quarry.search.fields.held import Field
from quarry.search.files.uris import path_of, spellings
from quarry.search.queries import arguments
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered, picture_rows
from quarry.search.stores.rows import documents as document_rows
from quarry.search.stores.rows import files, items
from quarry.search.stores.rows import passages as passage_rows
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import THUMBNAIL, Chunk, Document, Pixels, Preprocessing
from quarry.search.values.notes import Note

if TYPE_CHECKING:
    from quarry.indexer.files.originals import Original

MAX_PASSAGES = 200  # that are told at once
_SAME = 10  # documents


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a document: some of its passages, in order.

    Args:
        passages: by their ids, which are those of hits.
        first: how many of the document come before them.
        total: how many it has.
    """

    document: Document
    passages: Mapping[int, Chunk]
    first: int
    total: int


def get(library: OpenLibrary, reference: str | os.PathLike[str]) -> Document:
    """Return the document with that id or URI; raise `NotFound` where there is none.

    The path of a file that holds many, such as a table, gives one that stands for all of them.
    """
    return find_all(library, reference)[1]


def text(library: OpenLibrary, reference: str | os.PathLike[str]) -> str:
    """Return the whole text of a document, as its loader read it, or of all documents of a file."""
    with library.catalog().snapshot() as snapshot:
        rows, _ = find_all(library, reference)
        return passage_rows.BETWEEN.join(document_rows.text_of(snapshot.connection, row_id) for row_id in rows)


def page_starts(library: OpenLibrary, reference: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return the offset at which each page of a document's text begins, () where it has none."""
    with library.catalog().snapshot() as snapshot:
        rows, _ = find_all(library, reference)
        structure = document_rows.structure_of(snapshot.connection, rows[0])
    return tuple(structure["pages"]) if len(rows) == 1 else ()


def thumbnail(library: OpenLibrary, reference: str | os.PathLike[str], size: int = THUMBNAIL) -> bytes:
    """Return a small JPEG of a picture, its longer side at most `size` pixels; raise `NotFound` where there is none."""
    catalog = library.catalog()
    with catalog.snapshot() as snapshot:
        row_id, document = find(library, reference)
        key = picture_rows.picture_key(snapshot.connection, row_id)
    found = Thumbnails(catalog.directory).get(key) if key is not None else None
    if found is None:
        raise NotFound(f"There is no thumbnail of {document.title!r}.")
    if size >= THUMBNAIL:
        return found
    from quarry.search.formats.pixels import smaller

    return smaller(found, size)


def pixels(library: OpenLibrary, reference: str | os.PathLike[str], preprocessing: Preprocessing) -> Pixels:
    """Return the pixels of a picture: of its file, or of its thumbnail where that is gone.

    Raises:
        NotFound: there is neither.
        LoadError: the file can't be read.
    """
    from quarry.indexer.query_pictures import QueryPictures

    try:
        content = original(library, reference)
    except NotFound:
        content = thumbnail(library, reference)
    return QueryPictures(library.parsers()).read(content, preprocessing).pixels


def original(library: OpenLibrary, reference: str | os.PathLike[str]) -> bytes:
    """Return the content of a document's file; raise `NotFound` where it is not there any more, or never was.

    Of a file within another, such as a member of an archive, that is its own content. A file that has changed since it
    was indexed, or lies behind a link by now, is not given out.
    """
    with (original := open_original(library, reference)).file:
        return original.file.read()


def open_original(library: OpenLibrary, reference: str | os.PathLike[str]) -> Original:
    """Open the file of a document to read; raise as `original` does."""
    from quarry.indexer.files import originals
    from quarry.indexer.formats import holds_files

    with library.catalog().snapshot() as snapshot:
        rows, document = find_all(library, reference)
        file = files.of_document(snapshot.connection, rows[0])
        original = originals.open_original(snapshot.connection, rows[0], document)
    path, key = (path_of(file[0]), document.uri.removeprefix(file[0]).removeprefix("#")) if file else ("", "")
    if not key or not holds_files(Path(path)):
        return original
    try:
        return originals.open_member(original, Path(path), key)
    except BaseException as error:
        original.file.close()
        if isinstance(error, LoadError):
            raise NotFound(f"{document.title!r} can't be taken out of its file: {error}.") from error
        raise


def passages(
    library: OpenLibrary,
    reference: str | os.PathLike[str],
    *,
    around: int | None = None,
    page: int | None = None,
    count: int = 20,
) -> Stretch:
    """Return passages around a place, in order: those of a document's text, then what was read in its pictures of text.

    Args:
        around: a character of the text; its passage stands in the middle, as far as there are others. 0 for None.
        page: instead, the page that the first of them stands on, from 1.
        count: how many, 1 to 200.

    Raises:
        InvalidRequest: they are no whole numbers, or both places are named.
        NotFound: there is no such document or page.
    """
    count = arguments.whole(count, "count")
    if not 1 <= count <= MAX_PASSAGES:
        raise InvalidRequest(f"count is {count:,}; it can be 1 to {MAX_PASSAGES}.")
    if around is not None and page is not None:
        raise InvalidRequest("Give around or page, not both.")
    at = min(max(0, arguments.whole(0 if around is None else around, "around")), 2**62)
    with library.catalog().snapshot() as snapshot:
        rows, document = find_all(library, reference)
        if page is not None:
            at = _page_start(snapshot.connection, rows, document, arguments.whole(page, "page"))
        parts = passage_rows.parts(snapshot.connection, rows)
        place, total = passage_rows.place_of(snapshot.connection, parts, at)
        first = place if page is not None else max(0, min(place - count // 2, total - count))
        return Stretch(document, passage_rows.range_of(snapshot.connection, parts, first, count), first, total)


def _page_start(connection: Connection, rows: Sequence[int], document: Document, page: int) -> int:
    """Return the character of a text, or of those of all documents of a file, at which a page begins."""
    most = 0
    for part in passage_rows.parts(connection, rows):
        starts = document_rows.structure_of(connection, part.row_id)["pages"]
        if 1 <= page <= len(starts):  # of a part they are counted from the first of the whole
            return part.start + int(starts[page - 1])
        most = max(most, len(starts))
    raise NotFound(f"{document.title!r} has {most:,} pages; there is no page {page:,}.")


def documents(
    library: OpenLibrary, *, filter: Mapping[str, Any] | None = None, limit: int = 100, offset: int = 0
) -> tuple[list[Document], int]:
    """Return documents in the order they were added, and how many there are in all; `listing` has other orders."""
    from quarry.api.members.listing import listing

    found = listing(library, filter=filter, limit=limit, offset=offset)
    return found.documents, found.total


def fields(library: OpenLibrary) -> list[Field]:
    """Return what a filter can name: what every document has, then its own metadata, the most frequent first."""
    with library.catalog().snapshot() as snapshot:
        return library.searcher.filters.fields(snapshot)


def filter_notes(library: OpenLibrary, filter: Mapping[str, Any] | None) -> tuple[Note, ...]:
    """Say what a filter may have been meant as: which fields no document has, and why it lets nothing through.

    `Response.notes` has these, too.
    """
    with library.catalog().snapshot() as snapshot:
        return library.searcher.filters.notes(snapshot, filter)


def of_hash(library: OpenLibrary, hash: str) -> list[Document]:
    """Return some documents whose text and metadata are those that have this hash."""
    try:
        digest = bytes.fromhex(hash)
    except ValueError:
        return []
    with library.catalog().snapshot() as snapshot:
        rows = filtered.places(snapshot.connection, "d.hash = ?", [digest], _SAME)
        return filtered.listing(snapshot.connection, [row_id for _, row_id in rows])


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
