"""Everything that is derived from a catalog, in the order in which the doctor tells of it."""

from __future__ import annotations

from quarry.indexer.derived.base import Derived
from quarry.indexer.derived.thumbnails import DerivedThumbnails
from quarry.indexer.derived.vectors import DerivedVectors
from quarry.indexer.derived.words import DerivedWords
from quarry.search.engines.opened import OpenedVectors
from quarry.search.stores.catalog import Catalog
from quarry.search.wiring import open_vectors


def derived(catalog: Catalog, vectors: OpenedVectors | None = None) -> tuple[Derived, ...]:
    """Return what is derived from a catalog; making these opens nothing.

    Args:
        vectors: those that are open already.
    """
    return (DerivedVectors(vectors or open_vectors(catalog)), DerivedWords(catalog), DerivedThumbnails(catalog))
