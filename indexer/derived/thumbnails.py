"""Thumbnails: written with their pictures, and made again from the pictures' files where they are lost or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quarry.indexer.doctor.findings import MEND, Finding
from quarry.indexer.files.changes import content_hash
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import LoadError
from quarry.search.files.uris import path_of
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.lookups import picture_rows
from quarry.search.stores.rows import files
from quarry.search.stores.thumbnails import Thumbnails


class DerivedThumbnails:
    """The `Derived` thumbnails."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._store = Thumbnails(catalog.directory)

    def catch_up(self) -> None:
        """Do nothing: who writes a picture writes its thumbnail before, which takes the picture's file."""

    def compact(self) -> int:
        """Drop those that are no picture's any more; return the newest generation."""
        with self._catalog.lock.held(), self._catalog.snapshot() as snapshot:
            self._store.keep(picture_rows.picture_keys(snapshot.connection))
            return snapshot.generation

    def release(self, *, is_read: bool) -> int:
        """Return 0: what is dropped is dropped at once."""
        return 0

    def verify(self) -> Iterator[Finding]:
        """Look for pictures that lack a sound one."""
        lacking = list(self._lacking())
        mendable = sum(path is not None for _, path in lacking)
        if mendable:
            yield Finding("damage", "thumbnails", f"{mendable:,} are missing or damaged; {MEND}")
        elif lacking:
            yield Finding("warning", "thumbnails", f"{len(lacking):,} are gone, and so are the pictures' files")
        else:
            yield Finding("ok", "thumbnails", "every picture has one")

    def repair(self) -> None:
        """Read the files of pictures that lack a thumbnail, and make one of each that can be read."""
        for _ in range(2):  # where the file is begun anew, the thumbnails that were sound are lacking then
            lacking = list(self._lacking())
            if not any(path for _, path in lacking):
                return
            with Sandbox() as sandbox:
                for key, path in lacking:
                    try:
                        parsed = next(iter(list(sandbox.load(path))), None) if path else None
                    except LoadError:
                        continue
                    if parsed is not None and parsed.picture is not None:
                        with self._catalog.lock.held():
                            self._store.put({key: parsed.picture.thumbnail})

    def status(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return nothing: they are looked at one by one only where they are verified."""
        return {}

    def _lacking(self) -> Iterator[tuple[bytes, Path | None]]:
        """Yield the key of each picture that lacks a sound thumbnail, and its file where that is still the same."""
        with self._catalog.snapshot() as snapshot:
            rows = files.of_pictures(snapshot.connection)
        places: dict[bytes, list[tuple[Path, bytes | None]]] = {}
        for key, path, digest in rows:
            places.setdefault(key, []).extend([(path_of(path), digest)] if path else [])
        missing = self._store.missing(places)
        for key in places.keys() & missing:
            yield key, next((path for path, digest in places[key] if _is_same(path, digest)), None)


def _is_same(path: Path, digest: bytes | None) -> bool:
    try:
        return content_hash(path) == digest
    except (OSError, LoadError):
        return False
