"""Live objects of the indexing side; adds the writer to what `search.wiring` makes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from quarry.indexer.embedding.embedders import Embedder
from quarry.indexer.enrichments.table import chosen
from quarry.indexer.report import NoProgress, Progress, Report
from quarry.indexer.writer import Writer, catch_up, commit
from quarry.search.beside import BESIDE, MODEL, OWN, REST, Rules, is_given, stands
from quarry.search.config import Settings
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.media.base import medium
from quarry.search.models.contracts import Encoder
from quarry.search.models.text.multilingual import is_here
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.spaces import Space, named_spaces, retire
from quarry.search.types import KINDS, WORDS, Kind
from quarry.search.wiring import Searcher, open_vectors


def open_writer(settings: Settings, searcher: Searcher) -> Writer:
    """Return a writer with the library's encoder; a new library gets its space here, and its lexical index.

    Raises:
        ModelMismatch: the settings name another model than the one that embedded the library.
        ModelMissing, ModelDamaged: the model can't be used.
    """
    catalog = searcher.catalog
    into = embedders(settings, searcher)
    enrichments = chosen(catalog, lambda name: into[name].encoder)
    for enrichment in enrichments:
        enrichment.prepare()
    writer = Writer(catalog, searcher.vectors, into, enrichments)
    assert writer.space  # opened now: documents are cut for it
    catch_up(catalog)  # with a run that died between two steps; where an index is missing later, it was lost
    return writer


def embedders(settings: Settings, searcher: Searcher) -> dict[str, Embedder]:
    """Return what embeds into the spaces of a library, by their names; those of its media first, there yet or not."""
    catalog = searcher.catalog
    media: dict[str, Kind] = {kind: kind for kind in KINDS}
    known = {space.name: space for space in catalog.spaces()}
    takes: dict[str, Rules] = {}
    may = is_given(settings.live) and stands(known.get(WORDS), settings.models.text_model)
    if may and is_here(prepare=settings.prepare):
        media[BESIDE] = WORDS
        takes = {WORDS: OWN, BESIDE: REST}
    media |= {space.name: space.medium for space in known.values()}

    def embedder(name: str) -> Embedder:
        load = partial(searcher.encoder, name, prepare=settings.prepare)
        return Embedder(catalog, name, media[name], load, is_cut_for=name == WORDS, takes=takes.get(name))

    return {name: embedder(name) for name in media}


def _embedder(catalog: Catalog, space: Space, settings: Settings) -> Embedder:
    """Return what embeds into one space by its own model; what a library names, its user need not know."""

    load = partial(_load, settings, space.medium, space.model, prepare=settings.prepare, fetch=False)
    return Embedder(catalog, space.name, space.medium, load, space=space)


def _load(settings: Settings, kind: Kind, model: str, *, prepare: bool, fetch: bool) -> Encoder:
    of, live = medium(kind), settings.live
    return of.open(live, model, lambda: None, prepare=prepare, fetch=fetch, progress=settings.tell)


def reembed_by(
    catalog: Catalog,
    models: Mapping[Kind, str],
    space: str | None,
    takes: Mapping[str, Any] | None,
    progress: Progress | None,
    settings: Settings,
) -> Report:
    """Embed all of some media anew, each by a model; see `api.library.Library.reembed`."""
    from quarry.indexer.embedding.reembedding import reembed

    if unknown := models.keys() - set(KINDS):
        raise InvalidRequest(f"There is no medium {min(unknown)!r}; there are {' and '.join(KINDS)}.")
    if not models:
        raise InvalidRequest("Name the model to embed by: text_model for texts, image_model for pictures.")
    if space is not None and len(models) > 1:
        raise InvalidRequest(f"The space {space!r} is of one model: name that of texts or that of pictures.")
    opened = {kind: _load(settings, kind, model, prepare=True, fetch=True) for kind, model in models.items()}
    report = Report()
    for kind, encoder in opened.items():
        embedder = Embedder(catalog, space or kind, kind, partial(_given, encoder))
        report.add(reembed(open_vectors(catalog, settings.engines), embedder, progress or NoProgress(), takes))
        if (space or kind) == WORDS and not stands(catalog.space(WORDS)):
            _retire_beside(catalog)
    return report


def _retire_beside(catalog: Catalog) -> None:
    """Search no more in the space beside the default model's, where another model embeds all texts now."""
    if (beside := catalog.space(BESIDE)) is not None and beside.model == MODEL:
        commit(catalog, lambda connection: retire(connection, beside))


def _given(encoder: Encoder) -> Encoder:
    return encoder


def undo_reembedding(
    catalog: Catalog, settings: Settings, space: str | None = None, progress: Progress | None = None
) -> Report:
    """Take back what was embedded anew, of one space or of all; see `api.library.Library.reembed`."""
    from quarry.indexer.embedding.reembedding import retire, undo

    with catalog.snapshot() as snapshot:
        before = named_spaces(snapshot.connection, "retired")
    if space is not None and space not in before:
        retire(catalog, space)
        return Report()
    if not before:
        raise NotFound("There is nothing to undo: nothing was embedded anew, or the library was compacted since.")
    report = Report()
    for one in before.values() if space is None else [before[space]]:
        vectors = open_vectors(catalog, settings.engines)
        report.add(undo(vectors, one, _embedder(catalog, one, settings), progress or NoProgress()))
    return report
