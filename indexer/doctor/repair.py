"""Mending: what is derived and damaged is built anew."""

from __future__ import annotations

from quarry.indexer.doctor.derived import look_at_lexical
from quarry.indexer.thumbnails import make_thumbnails
from quarry.indexer.writer import catch_up
from quarry.search.stores.catalog import Catalog
from quarry.search.wiring import open_vectors


def repair_derived(catalog: Catalog) -> None:
    """Rebuild from the catalog what is derived and damaged."""
    for space in catalog.spaces():
        open_vectors(catalog, space).repair(catalog)
    make_thumbnails(catalog)
    catch_up(catalog, rebuild=any(finding.level == "damage" for finding in look_at_lexical(catalog)))
