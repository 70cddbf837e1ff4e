"""Live objects of the indexing side; adds the writer to what `search.wiring` makes."""

from __future__ import annotations

from indexer.writer import Writer
from search.config import Settings
from search.stores.catalog import Catalog
from search.wiring import Searcher, open_vectors


def open_writer(catalog: Catalog, settings: Settings, searcher: Searcher) -> Writer:
    """Return a writer with the library's encoder; a new library gets its space here.

    Raises:
        ModelMismatch: the settings name another model than the one that embedded the library.
        ModelMissing, ModelDamaged: the model can't be used.
    """
    encoder = searcher.encoder(prepare=True)
    space = catalog.ensure_space("text", encoder.identity, encoder.card.name, encoder.dimension)
    return Writer(catalog, encoder, space, open_vectors(catalog, space))
