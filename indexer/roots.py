"""Roots and the files under them, as rows of the catalog. Every function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from quarry.indexer.changes import Known
from quarry.indexer.walking import Found
from quarry.search.errors import NotFound
from quarry.search.stores import documents, items
from quarry.search.stores.sqlite import Connection
from quarry.search.uris import path_of


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
            connection.execute("UPDATE files SET root_id = ? WHERE root_id = ?", (root_id, inner.id))
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
    removed = 0
    for known in files(connection, root):
        removed += remove_file(connection, known)
    connection.execute("DELETE FROM roots WHERE id = ?", (root.id,))
    return removed


def files(connection: Connection, root: Root, scope: str | None = None) -> list[Known]:
    """Return the files of a root, or those that lie within `scope`, by path."""
    rows = connection.execute(
        "SELECT f.id, f.path, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.seen_ns, f.hash, f.options_hash, f.error,"
        " (SELECT count(*) FROM documents d WHERE d.file_id = f.id),"
        f" EXISTS (SELECT 1 FROM documents d WHERE {items.strangers('f.path')})"
        " FROM files f WHERE f.root_id = ? ORDER BY f.path",
        (root.id,),
    )
    return [Known(*row) for row in rows if scope in (None, root.path) or is_within(row[1], scope)]


def record_file(
    connection: Connection,
    root_id: int,
    found: Found,
    seen_ns: int,
    options_hash: bytes,
    *,
    hash: bytes | None = None,
    error: str | None = None,
) -> int:
    """Write what is known of a file; return its row id. `hash` stays None until it was read to its end."""
    row = connection.execute(
        "INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode, seen_ns, hash, options_hash, error)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET root_id = excluded.root_id,"
        " size = excluded.size, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, inode = excluded.inode,"
        " seen_ns = excluded.seen_ns, hash = excluded.hash, options_hash = excluded.options_hash,"
        " error = excluded.error RETURNING id",
        (
            root_id,
            found.path,
            found.size,
            found.mtime_ns,
            found.ctime_ns,
            found.inode,
            seen_ns,
            hash,
            options_hash,
            error,
        ),
    ).fetchone()
    return int(row[0])


def read_again(connection: Connection, file_id: int) -> None:
    """Have the next run read a file, whatever its stat and its hash say."""
    connection.execute("UPDATE files SET options_hash = x'' WHERE id = ?", (file_id,))


def touch_file(connection: Connection, known: Known, found: Found, seen_ns: int) -> None:
    """Record a new stat of a file whose content is as it was."""
    connection.execute(
        "UPDATE files SET size=?, mtime_ns=?, ctime_ns=?, inode=?, seen_ns=? WHERE id=?",
        (found.size, found.mtime_ns, found.ctime_ns, found.inode, seen_ns, known.id),
    )


def move_file(connection: Connection, known: Known, found: Found, root_id: int, seen_ns: int) -> int:
    """Follow a file to its new path: its documents keep their ids, chunks and vectors; return how many there are.

    Nothing is done where another process has followed it, or found the new file, before.
    """
    if not _is_at(connection, known) or _path_taken(connection, found.path):
        return 0
    touch_file(connection, known, found, seen_ns)
    connection.execute("UPDATE files SET path = ?, root_id = ? WHERE id = ?", (found.path, root_id, known.id))
    old_stem, new_stem = stem(known.path), stem(found.path)
    moved = connection.execute("SELECT id, uri, title FROM documents WHERE file_id = ?", (known.id,)).fetchall()
    for document_id, uri, title in moved:
        key = uri.removeprefix(known.path)
        is_named_after_file = title == f"{old_stem} {key.removeprefix('#')}".strip()
        documents.rename(
            connection,
            document_id,
            found.path + key,
            f"{new_stem} {key.removeprefix('#')}".strip() if is_named_after_file else title,
        )
    return len(moved)


def remove_file(connection: Connection, known: Known) -> int:
    """Remove a file and its documents, unless another process has moved it; return how many documents there were."""
    if not _is_at(connection, known):
        return 0
    ids = [row[0] for row in connection.execute("SELECT id FROM documents WHERE file_id = ?", (known.id,))]
    ids += items.strangers_at(connection, known.path)
    removed = documents.remove(connection, ids)
    connection.execute("DELETE FROM files WHERE id = ?", (known.id,))
    return removed


def _is_at(connection: Connection, known: Known) -> bool:
    row = connection.execute("SELECT path FROM files WHERE id = ?", (known.id,)).fetchone()
    return row is not None and row[0] == known.path


def _path_taken(connection: Connection, path: str) -> bool:
    return connection.execute("SELECT 1 FROM files WHERE path = ?", (path,)).fetchone() is not None


def mark_synced(connection: Connection, root_id: int, now: str) -> None:
    """Record when a root was last brought in sync."""
    connection.execute("UPDATE roots SET synced = ? WHERE id = ?", (now, root_id))


def stem(path: str) -> str:
    """Return a file's name without its suffix: the title of a document whose content gives none."""
    name = os.fsencode(path_of(path).name).decode("utf-8", "replace")
    return name.rsplit(".", 1)[0] or name
