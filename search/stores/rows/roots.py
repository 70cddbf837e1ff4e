"""Roots as rows of the catalog. Every function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from quarry.search.errors import NotFound
from quarry.search.files.uris import path_of
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import files


@dataclass(frozen=True, slots=True)
class RootOptions:
    """How the files of a root are read: field mapping of tables and records, metadata added to each document."""

    text_fields: tuple[str, ...] = ()
    title_field: str = ""
    id_field: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def digest(self, *versions: str) -> bytes:
        """Return 16 bytes that change when a file would be read differently."""
        text = json.dumps([asdict(self), versions], sort_keys=True, default=dict)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Root:
    """A folder or file that was indexed and is kept in sync."""

    id: int
    path: str
    options: RootOptions
    synced: str | None
    files: int = 0
    documents: int = 0


def paths(connection: Connection) -> list[str]:
    """Return the paths of all roots, as URIs, in order."""
    return [path for (path,) in connection.execute("SELECT path FROM roots ORDER BY path")]


def listed(connection: Connection) -> list[Root]:
    """Return all roots, by path."""
    rows = connection.execute(
        "SELECT r.id, r.path, r.options, r.synced,"
        " (SELECT count(*) FROM files f WHERE f.root_id = r.id),"
        " (SELECT count(*) FROM documents d JOIN files f ON f.id = d.file_id WHERE f.root_id = r.id)"
        " FROM roots r ORDER BY r.path"
    )
    return [Root(row[0], row[1], _options(row[2]), *row[3:]) for row in rows]


def _options(text: str) -> RootOptions:
    stored = json.loads(text)
    return RootOptions(
        tuple(stored["text_fields"]), stored["title_field"], stored["id_field"], stored.get("metadata", {})
    )


def is_within(path: str, folder: str) -> bool:
    """Say whether `path` is `folder` or lies below it; both in URI form."""
    if path.startswith("file:") or folder.startswith("file:"):  # only one of them may be percent-encoded
        path, folder = str(path_of(path)), str(path_of(folder))
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def owner(roots: Iterable[Root], path: str) -> Root | None:
    """Return the root that `path` lies in, None where there is none."""
    return next((root for root in roots if is_within(path, root.path)), None)


def add(connection: Connection, path: str, options: RootOptions, now: str) -> Root:
    """Add a root or give it new options; return it. Roots never lie within each other.

    Roots below it are taken over with their files; where it lies in another, that one is returned as it is.
    """
    known = listed(connection)
    outer = owner(known, path)
    if outer is not None and outer.path != path:
        return outer
    connection.execute(
        "INSERT INTO roots (path, options, added) VALUES (?, ?, ?)"
        " ON CONFLICT (path) DO UPDATE SET options = excluded.options",
        (path, json.dumps(asdict(options), default=dict), now),
    )
    root_id = connection.execute("SELECT id FROM roots WHERE path = ?", (path,)).fetchone()[0]
    for inner in known:
        if inner.id != root_id and is_within(inner.path, path):
            files.hand_over(connection, inner.id, root_id)
            connection.execute("DELETE FROM roots WHERE id = ?", (inner.id,))
    return Root(root_id, path, options, None)


def require(connection: Connection, root: Root) -> None:
    """Make sure that a root is still there.

    Raises:
        NotFound: another process has forgotten it, or taken it over into a root around it.
    """
    if connection.execute("SELECT 1 FROM roots WHERE id = ?", (root.id,)).fetchone() is None:
        raise NotFound(
            f"The root {root.path} was forgotten while it was indexed. Index it again if that was not meant."
        )


def forget(connection: Connection, path: str) -> int:
    """Remove a root with all of its documents; return how many there were.

    Raises:
        NotFound: it is no root; the message lists those there are.
    """
    root = next((root for root in listed(connection) if root.path == path), None)
    if root is None:
        names = ", ".join(root.path for root in listed(connection)) or "none"
        raise NotFound(f"{path} is not a root of this library. Its roots: {names}.")
    removed = sum(files.remove(connection, known) for known in files_of(connection, root))
    connection.execute("DELETE FROM roots WHERE id = ?", (root.id,))
    return removed


def files_of(connection: Connection, root: Root, scope: str | None = None) -> list[files.KnownFile]:
    """Return the files of a root, or those that lie within `scope`, by path."""
    known = files.of_root(connection, root.id)
    return known if scope is None or scope == root.path else [file for file in known if is_within(file.path, scope)]


def mark_synced(connection: Connection, root_id: int, now: str) -> None:
    """Record when a root was last brought in sync."""
    connection.execute("UPDATE roots SET synced = ? WHERE id = ?", (now, root_id))
