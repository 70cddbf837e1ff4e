"""The files under roots, as rows of the catalog. Every function works inside the caller's transaction."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from quarry.search.files.uris import path_of
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents, items
from quarry.search.stores.spaces import LACKS_VECTOR

_NUMBERED = re.compile(r"(row|message|id|part)=(.+)", re.S)  # what a document is called that is no file of its own


@dataclass(frozen=True, slots=True)
class FileStat:
    """A regular file as the walk saw it. `path` is its URI form (`uri_of`)."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the catalog knows it.

    Args:
        seen_ns: a moment not later than its last reading; 0 where that is to be tried again in any case.
        hash: of its content, None where reading it was not finished or failed.
        error: why it failed, or why some of it did.
        documents: how many it holds.
        has_strangers: whether documents that are none of its own go by its name
            (`search.stores.rows.items.strangers`).
    """

    id: int
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    seen_ns: int
    hash: bytes | None
    options_hash: bytes
    error: str | None
    documents: int = 0
    has_strangers: bool = False


def of_root(connection: Connection, root_id: int) -> list[KnownFile]:
    """Return the files of a root, by path."""
    rows = connection.execute(
        "SELECT f.id, f.path, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.seen_ns, f.hash, f.options_hash, f.error,"
        " (SELECT count(*) FROM documents d WHERE d.file_id = f.id),"
        f" EXISTS (SELECT 1 FROM documents d WHERE {items.strangers('f.path')})"
        " FROM files f WHERE f.root_id = ? ORDER BY f.path",
        (root_id,),
    )
    return [KnownFile(*row) for row in rows]


def record(
    connection: Connection,
    root_id: int,
    found: FileStat,
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


def touch(connection: Connection, known: KnownFile, found: FileStat, seen_ns: int) -> None:
    """Record a new stat of a file whose content is as it was."""
    connection.execute(
        "UPDATE files SET size=?, mtime_ns=?, ctime_ns=?, inode=?, seen_ns=? WHERE id=?",
        (found.size, found.mtime_ns, found.ctime_ns, found.inode, seen_ns, known.id),
    )


def move(connection: Connection, known: KnownFile, found: FileStat, root_id: int, seen_ns: int) -> int:
    """Follow a file to its new path: its documents keep their ids, chunks and vectors; return how many there are.

    Nothing is done where another process has followed it, or found the new file, before.
    """
    if not _is_at(connection, known) or is_known(connection, found.path):
        return 0
    touch(connection, known, found, seen_ns)
    connection.execute("UPDATE files SET path = ?, root_id = ? WHERE id = ?", (found.path, root_id, known.id))
    moved = connection.execute("SELECT id, uri, title FROM documents WHERE file_id = ?", (known.id,)).fetchall()
    for document_id, uri, title in moved:
        suffix = uri.removeprefix(known.path)
        key = suffix.removeprefix("#")
        if title == title_of(known.path, key):
            title = title_of(found.path, key)
        documents.rename(connection, document_id, found.path + suffix, title)
    return len(moved)


def remove(connection: Connection, known: KnownFile) -> int:
    """Remove a file and its documents, unless another process has moved it; return how many documents there were."""
    if not _is_at(connection, known):
        return 0
    ids = [row[0] for row in connection.execute("SELECT id FROM documents WHERE file_id = ?", (known.id,))]
    ids += items.strangers_at(connection, known.path)
    removed = documents.remove(connection, ids)
    connection.execute("DELETE FROM files WHERE id = ?", (known.id,))
    return removed


def _is_at(connection: Connection, known: KnownFile) -> bool:
    row = connection.execute("SELECT path FROM files WHERE id = ?", (known.id,)).fetchone()
    return row is not None and row[0] == known.path


def is_known(connection: Connection, path: str) -> bool:
    """Whether a path is that of a file which is kept in sync."""
    return connection.execute("SELECT 1 FROM files WHERE path = ?", (path,)).fetchone() is not None


def hand_over(connection: Connection, root_id: int, to_root_id: int) -> None:
    """Make the files of one root those of another."""
    connection.execute("UPDATE files SET root_id = ? WHERE root_id = ?", (to_root_id, root_id))


def path_of_document(connection: Connection, name: str) -> str | None:
    """Return the path of the file that the document with an id or URI was read from, None for any other."""
    row = connection.execute(
        "SELECT f.path FROM documents d JOIN files f ON f.id = d.file_id WHERE d.public_id = ?1 OR d.uri = ?1", (name,)
    ).fetchone()
    return str(row[0]) if row else None


def of_document(connection: Connection, document_id: int) -> tuple[str, bytes | None] | None:
    """Return the path and the hash of the file that a document was read from, None where it was handed over."""
    row: tuple[str, bytes | None] | None = connection.execute(
        "SELECT f.path, f.hash FROM documents d JOIN files f ON f.id = d.file_id WHERE d.id = ?", (document_id,)
    ).fetchone()
    return row


def of_pictures(connection: Connection) -> list[tuple[bytes, str | None, bytes | None]]:
    """Return the key of each picture with the path and the hash of its file, where it has one."""
    rows: list[tuple[bytes, str | None, bytes | None]] = connection.execute(
        "SELECT c.key, f.path, f.hash FROM chunks c JOIN documents d ON d.id = c.document_id"
        " LEFT JOIN files f ON f.id = d.file_id WHERE c.medium = 'image'"
    ).fetchall()
    return rows


def without_documents(connection: Connection) -> list[str]:
    """Return the paths of the files that were read and held nothing."""
    rows = connection.execute(
        "SELECT path FROM files f WHERE hash IS NOT NULL AND error IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.file_id = f.id)"
    )
    return [path for (path,) in rows]


def count(connection: Connection) -> int:
    """Return how many files are kept in sync."""
    return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])


def failing(connection: Connection) -> dict[str, str]:
    """Return why files could not be read, by path."""
    return dict(connection.execute("SELECT path, error FROM files WHERE error IS NOT NULL ORDER BY path").fetchall())


def title_of(path: str, key: str) -> str:
    """Return the title of a document whose content gives none: the name of its file or member without the suffix.

    Args:
        key: what names it within the file, such as `plans/may.csv#row=3`, which is "may, row 3".
    """
    *holders, last = key.split("#")
    numbered = _NUMBERED.fullmatch(last)
    names = [one for one in (*holders, *(() if numbered else (last,))) if one and not _NUMBERED.fullmatch(one)]
    name = names[-1].rsplit("/", 1)[-1] if names else os.fsencode(path_of(path).name).decode("utf-8", "replace")
    stem = name.rsplit(".", 1)[0] or name
    return f"{stem}, {numbered[1]} {numbered[2]}" if numbered else stem


def mark_failing(connection: Connection, reasons: Mapping[int | None, str]) -> None:
    """Record by files' row ids why chunks of theirs have no vector, and forget it of those that lack none any more."""
    connection.executemany("UPDATE files SET error = ? WHERE id = ?", [(why, id_) for id_, why in reasons.items()])
    connection.execute(
        "UPDATE files SET error = NULL WHERE hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM documents d"
        f" JOIN chunks c ON c.document_id = d.id WHERE d.file_id = files.id AND {LACKS_VECTOR})"
    )
