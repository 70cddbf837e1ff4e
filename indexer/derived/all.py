"""Everything that is derived from a catalog, in the order in which the doctor tells of it."""

from __future__ import annotations

from quarry.indexer.derived.base import Derived
from quarry.indexer.derived.thumbnails import DerivedThumbnails
from quarry.indexer.derived.vectors import DerivedVectors
from quarry.indexer.derived.words import DerivedWords
from quarry.search.engines.opened import OpenedVectors
from quarry.search.stores.catalog import Catalog


def derived(vectors: OpenedVectors) -> tuple[Derived, ...]:
    """Return what is derived from the catalog that vectors are of; making these opens nothing."""
    return (DerivedVectors(vectors), *at_once(vectors.catalog), DerivedThumbnails(vectors.catalog))


def at_once(catalog: Catalog) -> tuple[Derived, ...]:
    """Return what of it follows each commit, under the writer's lock; the others follow once a run has ended."""
    return (DerivedWords(catalog),)
