"""Make thumbnails that were lost or damaged again, from the pictures' files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indexer.changes import content_hash
from indexer.loaders.sandbox import Sandbox
from search.errors import LoadError
from search.stores.catalog import Catalog
from search.stores.thumbnails import Thumbnails
from search.uris import path_of


def without_thumbnail(catalog: Catalog) -> Iterator[tuple[bytes, Path | None]]:
    """Yield the key of each picture that lacks a sound thumbnail, and its file where that is still the same."""
    with catalog.snapshot() as snapshot:
        rows = snapshot.connection.execute(
            "SELECT c.key, f.path, f.hash FROM documents d JOIN chunks c ON c.document_id = d.id AND c.ordinal = 0"
            " LEFT JOIN files f ON f.id = d.file_id WHERE d.kind = 'image' GROUP BY c.key"
        ).fetchall()
    missing = Thumbnails(catalog.directory).missing(key for key, _, _ in rows)
    for key, path, digest in rows:
        if key in missing:
            yield key, path_of(path) if path and _is_same(path_of(path), digest) else None


def make_thumbnails(catalog: Catalog) -> None:
    """Read the files of pictures that lack a thumbnail, and make one of each that can be read."""
    store = Thumbnails(catalog.directory)
    lacking = list(without_thumbnail(catalog))
    if not lacking:
        return
    with Sandbox() as sandbox:
        for key, path in lacking:
            try:
                parsed = next(iter(list(sandbox.load(path))), None) if path else None
            except LoadError:
                continue
            if parsed is not None and parsed.picture is not None:
                with catalog.lock.held():
                    store.put({key: parsed.picture.thumbnail})


def _is_same(path: Path, digest: bytes | None) -> bool:
    try:
        return content_hash(path) == digest
    except OSError:
        return False
