"""Make thumbnails that were lost or damaged again, from the pictures' files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from quarry.indexer.changes import content_hash
from quarry.indexer.loaders.sandbox import Sandbox
from quarry.search.errors import LoadError
from quarry.search.stores import files
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.uris import path_of


def without_thumbnail(catalog: Catalog) -> Iterator[tuple[bytes, Path | None]]:
    """Yield the key of each picture that lacks a sound thumbnail, and its file where that is still the same."""
    with catalog.snapshot() as snapshot:
        rows = files.of_pictures(snapshot.connection)
    places: dict[bytes, list[tuple[Path, bytes | None]]] = {}
    for key, path, digest in rows:
        places.setdefault(key, []).extend([(path_of(path), digest)] if path else [])
    missing = Thumbnails(catalog.directory).missing(places)
    for key in places.keys() & missing:
        yield key, next((path for path, digest in places[key] if _is_same(path, digest)), None)


def make_thumbnails(catalog: Catalog) -> None:
    """Read the files of pictures that lack a thumbnail, and make one of each that can be read."""
    store = Thumbnails(catalog.directory)
    for _ in range(2):  # where the file is begun anew, the thumbnails that were sound are lacking then
        lacking = list(without_thumbnail(catalog))
        if not any(path for _, path in lacking):
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
    except (OSError, LoadError):
        return False
