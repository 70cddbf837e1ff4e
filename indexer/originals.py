"""The files that documents were read from, given out by the id of a document and by nothing else."""

from __future__ import annotations

from quarry.indexer.changes import content_hash
from quarry.indexer.formats import is_picture, is_picture_content, supported
from quarry.indexer.loaders.base import open_regular
from quarry.search.errors import LoadError, NotFound
from quarry.search.stores import files
from quarry.search.stores.sqlite import Connection
from quarry.search.types import Document
from quarry.search.uris import path_of

LARGEST = 64 << 20  # bytes


def read_original(connection: Connection, row_id: int, document: Document) -> bytes:
    """Return the content of the file of a document, which was indexed and is as it was then.

    Raises:
        NotFound: there is none any more, or another one stands in its place: a link, say, or a changed file, which
            may be none of those that were to be searched. Or it is larger than `LARGEST`.
    """
    row = files.of_document(connection, row_id)
    gone = NotFound(f"The file of {document.title!r} is not there any more, or has changed since it was indexed.")
    if row is None:
        raise NotFound(f"{document.title!r} has no file: it was handed over.")
    path = path_of(row[0])
    try:
        if not supported(path):
            raise gone
        with open_regular(path) as stream:
            content = stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise NotFound(f"The file of {document.title!r} is larger than the {LARGEST >> 20} MiB that are given out.")
        # Of what was read: another file may stand there by now.
        if (is_picture(path) and not is_picture_content(content)) or content_hash(path, content) != row[1]:
            raise gone
    except (OSError, LoadError) as error:
        raise gone from error
    return content
