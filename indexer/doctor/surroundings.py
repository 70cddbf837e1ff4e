"""What a library needs around it: models, SQLite, space on the disk, files that can be read."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from typing import Literal

from quarry.indexer import formats
from quarry.indexer.doctor.findings import Finding
from quarry.search.config import Settings
from quarry.search.errors import ModelError
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import sqlite
from quarry.search.stores.rows import files
from quarry.search.wiring import Searcher

_LITTLE_SPACE = 500_000_000
# Releases with the bug of SQLite's WAL reset (two connections writing and checkpointing): 3.7.0 to 3.51.2.
_WAL_RESET_FIXED = (3, 51, 3)


def look_around(catalog: Catalog, settings: Settings) -> Iterator[Finding]:
    """Yield how the models, SQLite, the disk and the files are."""
    searcher = Searcher(catalog, settings)
    for name in dict.fromkeys(("text", *(space.name for space in catalog.spaces()))):
        try:
            encoder = searcher.encoder(name)
            yield Finding("ok", "model", f"{name}: {encoder.card.name}, {encoder.dimension} dimensions")
        except ModelError as error:
            yield Finding("warning", "model", str(error))
    for name, why in formats.LEFT_OUT.items():
        yield Finding("warning", "formats", f"those of {name} are left out: {why}")
    yield _access(catalog)
    level: Literal["ok", "warning"] = "ok"
    text = f"SQLite {sqlite.VERSION} ({sqlite.MODULE})"
    if tuple(int(part) for part in sqlite.VERSION.split(".")) < _WAL_RESET_FIXED:
        level = "warning"
        text += " has the WAL-reset bug of releases before 3.51.3; one connection writes here, which avoids it"
    yield Finding(level, "sqlite", text)
    free = shutil.disk_usage(catalog.directory).free
    yield Finding("ok" if free > _LITTLE_SPACE else "warning", "disk", f"{free / 1e9:,.1f} GB free")
    with catalog.snapshot() as snapshot:
        failing = len(files.failing(snapshot.connection))
    if failing:
        yield Finding("warning", "files", f"{failing:,} files could not be read; `quarry status` lists them")


def _access(catalog: Catalog) -> Finding:
    """Say for whom the library is; one that an older version made, or that somebody opened, may be for everybody."""
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (catalog.directory, catalog.path)}
    folder, file = modes.values()
    # Who can't enter the folder can't read what is in it, and who may write there can put another file in place.
    if (folder & 0o001 and file & 0o004) or folder & 0o002:
        listed = ", ".join(f"{path} is {mode:04o}" for path, mode in modes.items())
        close = f"`chmod -R o-rwx {catalog.directory}` makes it private"
        return Finding("warning", "access", f"other users of this machine can read or change it ({listed}); {close}")
    is_shared = (folder & 0o010 and file & 0o040) or folder & 0o020
    return Finding("ok", "access", "for its owner and its group" if is_shared else "for its owner alone")
