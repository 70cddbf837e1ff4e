"""Live objects of the indexing side; adds the writer to what `search.wiring` makes."""

from __future__ import annotations

from indexer.writer import Pictures, Writer
from search.config import Settings
from search.encoders.base import ImageEncoder, TextEncoder
from search.stores.catalog import Catalog
from search.wiring import Searcher


def open_writer(catalog: Catalog, settings: Settings, searcher: Searcher) -> Writer:
    """Return a writer with the library's encoder; a new library gets its space here.

    Raises:
        ModelMismatch: the settings name another model than the one that embedded the library.
        ModelMissing, ModelDamaged: the model can't be used.
    """
    encoder = searcher.encoder(prepare=settings.prepare)
    return Writer(
        catalog,
        encoder,
        catalog.ensure_space("text", encoder.identity, encoder.card.name, encoder.dimension),
        Pictures(catalog, lambda: searcher.image_encoder(prepare=settings.prepare)),
    )


def open_encoder(text_model: str) -> TextEncoder:
    """Return the encoder of a model that is to take over a library, exported first where that was not done yet.

    Raises:
        ModelMissing, ModelDamaged: the model can't be used.
    """
    from search.encoders.text import load_text_encoder

    return load_text_encoder(text_model, prepare=True)


def open_image_encoder(image_model: str) -> ImageEncoder:
    """Return that of an image model, as `open_encoder` does for texts."""
    from search.encoders.image import load_image_encoder

    return load_image_encoder(image_model, prepare=True)
