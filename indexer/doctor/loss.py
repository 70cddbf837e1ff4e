"""Commits that the catalog lost: written down before what knows of them is rebuilt, and told by the doctor."""

from __future__ import annotations

import time

from quarry.indexer.prepared import timestamp
from quarry.search.stores import lineage
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.remains import Lost, find_lost


def record_losses(catalog: Catalog) -> None:
    """Write into the catalog what derived files know of commits that it lost, where there are any."""
    with catalog.snapshot() as snapshot:
        lost = find_lost(snapshot.connection, catalog.directory)
    if lost:
        found = timestamp(time.time())
        with catalog.transaction(bump=False) as connection:
            for one in lost:
                lineage.record_loss(connection, _name(one), lineage.Loss(found, one.text))


def losses(catalog: Catalog) -> list[lineage.Loss]:
    """Return what was written down, and what derived files know now."""
    with catalog.snapshot() as snapshot:
        known = lineage.losses(snapshot.connection)
        found = {_name(one): lineage.Loss("", one.text) for one in find_lost(snapshot.connection, catalog.directory)}
    return list((found | known).values())


def _name(lost: Lost) -> str:
    return f"{lost.witness}:{lost.commit.library}:{lost.commit.generation}:{lost.commit.id}"
