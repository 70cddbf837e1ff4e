"""The documents of one file, such as the rows of a table, as one."""

from __future__ import annotations

from collections.abc import Set

from quarry.search.stores.sqlite import Connection
from quarry.search.types import Document


def of_file(connection: Connection, uri: str) -> tuple[list[int], Document] | None:
    """Return the row ids of the items of the file at `uri`, and a document that stands for all of them.

    Its id is the URI, its sizes are sums. None where there are none; the document at the URI itself is no item.
    """
    rows = connection.execute(
        "SELECT d.id, d.type, d.modified, d.indexed, d.characters, d.chunks FROM documents d"
        " LEFT JOIN files f ON f.id = d.file_id"
        " WHERE d.uri > ?1 || '#' AND d.uri < ?1 || '$' AND (f.path IS NULL OR f.path = ?1) ORDER BY d.id",
        (uri,),
    ).fetchall()  # "$" follows "#", so that the index is used
    if not rows:
        return None
    ids, types, modified, indexed, characters, chunks = zip(*rows, strict=True)
    whole = Document(
        id=uri,
        uri=uri,
        title=uri.rsplit("/", 1)[-1],
        type=types[0] if len(set(types)) == 1 else "",
        metadata={"documents": len(ids)},
        modified=max(filter(None, modified), default=None),
        indexed=max(indexed),
        characters=sum(characters),
        chunks=sum(chunks),
    )
    return list(ids), whole


def others_at(connection: Connection, uri: str, uris: Set[str]) -> list[int]:
    """Return the row ids of the document at `uri` and of the items of a file there, without those among `uris`."""
    rows = connection.execute(
        "SELECT id, uri FROM documents WHERE uri = ?1 OR (uri > ?1 || '#' AND uri < ?1 || '$')", (uri,)
    )  # "$" follows "#", so that the index is used
    return [document_id for document_id, found in rows if found not in uris]
