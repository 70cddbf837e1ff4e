"""What the catalog has lost, and what is still known of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from quarry.indexer.doctor.findings import Finding
from quarry.indexer.doctor.loss import losses, record_losses
from quarry.search.stores import lineage
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import sqlite
from quarry.search.stores.remains import find_remains

_ADVICE = (
    "Restore a backup that has them, or run `quarry index`: it reads files again that are still there; what was sent "
    "over HTTP has to be sent again"
)


def look_for_losses(catalog: Catalog, *, repair: bool = False) -> Iterator[Finding]:
    """Yield commits that are lost: damage until a repair has told of it, and a warning for good then.

    With `repair`, what is known is kept in the catalog: the derived files that know it are about to be rebuilt.
    """
    if repair:
        record_losses(catalog)
    known = losses(catalog)
    for loss in known:
        if loss.told:
            yield Finding("warning", "catalog", f"lost, as found {loss.found}: {loss.text}")
        else:
            yield Finding("damage", "catalog", f"{loss.text}. {_ADVICE}")
    if repair and not all(loss.told for loss in known):
        with catalog.transaction(bump=False) as connection:
            lineage.mark_told(connection)


def look_at_length(catalog: Catalog) -> Iterator[Finding]:
    """Yield that the file ends before it should: SQLite reads zeros there. A log may have what it still lacks."""
    with catalog.reading() as connection:
        size = sqlite.size_of(connection)
        log = catalog.path.with_name(f"{catalog.path.name}-wal")
        has_log = log.exists() and log.stat().st_size
    missing = size - catalog.path.stat().st_size
    if missing > 0 and not has_log:
        yield Finding(
            "damage", "catalog", f"its last {missing:,} bytes are lost: the file was cut short. Restore a backup of it"
        )


def look_at_remains(directory: Path) -> Iterator[Finding]:
    """Yield what derived files still know where the catalog can't be read."""
    if remains := find_remains(directory):
        yield Finding("warning", "catalog", f"what is left of it elsewhere: {remains}")
