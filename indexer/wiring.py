"""Live objects of the indexing side; adds the writer to what `search.wiring` makes."""

from __future__ import annotations

from collections.abc import Callable

from quarry.indexer.enrichments.table import ENRICHMENTS
from quarry.indexer.report import NoProgress, Progress, Report
from quarry.indexer.writer import Pictures, Writer, catch_up
from quarry.search.config import Settings
from quarry.search.errors import InvalidRequest
from quarry.search.stores.catalog import Catalog
from quarry.search.wiring import Searcher


def open_writer(settings: Settings, searcher: Searcher) -> Writer:
    """Return a writer with the library's encoder; a new library gets its space here, and its lexical index.

    Raises:
        ModelMismatch: the settings name another model than the one that embedded the library.
        ModelMissing, ModelDamaged: the model can't be used.
    """
    catalog = searcher.catalog
    for enrichment in ENRICHMENTS:
        enrichment.prepare()
    encoder = searcher.encoder(prepare=settings.prepare)
    space = catalog.ensure_space("text", encoder.identity, encoder.card.name, encoder.dimension)
    catch_up(catalog)  # with a run that died between two steps; where an index is missing later, it was lost
    return Writer(
        catalog,
        searcher.vectors,
        encoder,
        space,
        Pictures(catalog, lambda: searcher.encoder("image", prepare=settings.prepare)),
    )


def reembed_by(
    catalog: Catalog,
    text_model: str | None,
    image_model: str | None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Report:
    """Embed all texts, all pictures, or both anew by other models; see `api.library.Library.reembed`."""
    from quarry.indexer.picture_reembedding import reembed_pictures
    from quarry.indexer.reembedding import reembed
    from quarry.search.models.loading import load_image_encoder, load_text_encoder

    if not text_model and not image_model:
        raise InvalidRequest("Name the model to embed by: text_model for texts, image_model for pictures.")
    texts = load_text_encoder(text_model, prepare=True, progress=tell) if text_model else None
    pictures = load_image_encoder(image_model, prepare=True, progress=tell) if image_model else None
    report, show = Report(), progress or NoProgress()
    if texts is not None:
        report.add(reembed(catalog, texts, show))
    if pictures is not None:
        report.add(reembed_pictures(catalog, pictures, show))
    return report
