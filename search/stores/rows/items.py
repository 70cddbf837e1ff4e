"""The documents of one file, such as the rows of a table, as one."""

from __future__ import annotations

from collections.abc import Set

from quarry.search.stores.database.sqlite import Connection
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


def parts_of(connection: Connection, row_id: int) -> list[int]:
    """Return the row ids of what stands in a document: its pictures, what is attached to it."""
    rows = connection.execute(
        "SELECT d.id FROM documents w JOIN documents d ON d.uri > w.uri || '#' AND d.uri < w.uri || '$'"
        " WHERE w.id = ? AND +d.file_id IS w.file_id",
        (row_id,),
    )  # "+" keeps SQLite from its index, by which it would look at all documents that have no file
    return [id for (id,) in rows]


def others_at(connection: Connection, uri: str, uris: Set[str]) -> list[int]:
    """Return the row ids of the document at `uri` and of the items of a file there, without those among `uris`."""
    rows = connection.execute(
        "SELECT id, uri FROM documents WHERE uri = ?1 OR (uri > ?1 || '#' AND uri < ?1 || '$')", (uri,)
    )  # "$" follows "#", so that the index is used
    return [document_id for document_id, found in rows if found not in uris]


def strangers(path: str) -> str:
    """Return the SQL condition for documents `d` that were handed over under the name of a file or of its items.

    A file's name is the file's own: they go where it is read, and where it goes. None are added while it is in sync.

    Args:
        path: an SQL expression of the file's path.
    """
    return f"+d.file_id IS NULL AND (d.uri = {path} OR (d.uri > {path} || '#' AND d.uri < {path} || '$'))"


def strangers_at(connection: Connection, path: str, uris: Set[str] = frozenset()) -> list[int]:
    """Return the row ids of the `strangers` at a file's path that are not among `uris`."""
    rows = connection.execute(f"SELECT d.id, d.uri FROM documents d WHERE {strangers('?1')}", (path,))
    return [document_id for document_id, uri in rows if uri not in uris]
