"""Which names belong to synced files: what is a file's is changed by changing the file, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from quarry.search.errors import Conflict
from quarry.search.files.uris import spellings
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import files

_LONGEST = 3 * 4_096 + len("file://")  # characters of a path, as Linux takes it, percent-encoded


def check(connection: Connection, id: str | None, uri: str) -> None:
    """Refuse a document that would take the place of a file's, or stand beside it under the same name.

    Raises:
        Conflict: its id or URI, in any spelling, is the id or path of a file that is kept in sync, or of its items.
    """
    for name in filter(None, (id, uri)):
        if (path := _owner(connection, name)) is not None:
            raise Conflict(
                f"{name!r} belongs to the file {path}, which is kept in sync: change the file, or give another name."
            )


def _owner(connection: Connection, name: str) -> str | None:
    """Return the path of the file that a name belongs to."""
    for spelling in spellings(name):
        if (owner := files.path_of_document(connection, spelling)) is not None:
            return owner
        for path in _files(spelling):
            if files.is_known(connection, path):
                return path
    return None


def _files(uri: str) -> Iterator[str]:
    """Yield the paths whose file or item a URI may be: itself, and what stands before each number sign."""
    at = len(uri)
    while at > 0:
        if at <= _LONGEST:
            yield uri[:at]
        at = uri.rfind("#", 0, at)
