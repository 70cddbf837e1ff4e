"""What a library holds: counts, models, roots and sizes."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quarry.search.config import Settings
from quarry.search.errors import LibraryError, QuarryError
from quarry.search.stores import files, filtered, roots, sqlite
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.lexical import LexicalReader
from quarry.search.stores.spaces import Space, active_spaces
from quarry.search.stores.sqlite import Connection
from quarry.search.uris import uri_of
from quarry.search.wiring import open_vectors


def status(catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """Return counts, models, roots and sizes."""
    with catalog.snapshot() as snapshot:
        connection = snapshot.connection
        return {
            "library": uri_of(catalog.directory),
            "generation": snapshot.generation,
            "documents": filtered.count(connection),
            "passages": filtered.chunk_count(connection),
            "files": files.count(connection),
            "types": filtered.value_counts(connection, "type"),
            "roots": [
                {"path": root.path, "documents": root.documents, "files": root.files, "synced": root.synced}
                for root in roots.listed(connection)
            ],
            "kinds": filtered.value_counts(connection, "kind"),
            "spaces": [
                _space_status(catalog, connection, snapshot.generation, space) for space in active_spaces(connection)
            ],
            "lexical": _lexical_status(catalog),
            "failing": files.failing(connection),
            "bytes": sum(_sizes(catalog.directory)),
            "sqlite": sqlite.VERSION,
        }


def _space_status(catalog: Catalog, connection: Connection, generation: int, space: Space) -> dict[str, Any]:
    body: dict[str, Any] = {"name": space.name, "model": space.model, "dimension": space.dimension}
    try:
        view = open_vectors(catalog, space).view(connection, generation)
    except QuarryError as error:
        return {**body, "vectors": 0, "segments": 0, "tail": 0, "degraded": [str(error)]}
    segments = sum(bool(part.file) for part in view.parts)
    return {
        **body,
        "vectors": view.count,
        "segments": segments,
        "tail": view.tail,
        "degraded": list(view.degraded),
    }


def _lexical_status(catalog: Catalog) -> dict[str, Any]:
    try:
        view = LexicalReader(catalog.directory / "lexical").view()
    except LibraryError as error:
        return {"passages": 0, "generation": None, "degraded": [str(error)]}
    return {"passages": view.count, "generation": view.generation, "degraded": []}


def _sizes(directory: Path) -> Iterator[int]:
    for path in directory.rglob("*"):
        try:
            info = path.lstat()
        except FileNotFoundError:  # taken away by a writer
            continue
        if stat.S_ISREG(info.st_mode):
            yield info.st_size
