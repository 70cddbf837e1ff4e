"""Passages without a vector: what was lost, told from what no model could embed, which is no damage."""

from __future__ import annotations

from collections.abc import Iterator

from quarry.indexer.doctor.findings import Finding
from quarry.indexer.embedding.checked import embed_whole
from quarry.indexer.embedding.read_again import TextsAgain
from quarry.search.config import Settings
from quarry.search.errors import ModelError
from quarry.search.media.base import medium as medium_of
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import soundness
from quarry.search.stores.lookups.lacking import Lacking, described, lacking
from quarry.search.stores.spaces import Space
from quarry.search.types import WORDS
from quarry.search.wiring import Searcher

_TRIED = 1_000  # passages that are embedded to see whether they can be; where more lack a vector, a file was damaged
_MEND = "`quarry doctor --repair` embeds them again"


def look_for_vectors(catalog: Catalog, settings: Settings) -> Iterator[Finding]:
    """Yield how many passages lost their vector, and how many have none because their model gives them none.

    What a run has reported, with the file that it is of, is not told again.
    """
    with catalog.reading() as connection:
        lost = set(soundness.without_vector(connection))
    if not lost:
        return
    searcher, unable = Searcher(catalog, settings), dict[int, str]()
    for space in catalog.spaces():
        with catalog.reading() as connection:
            ids = [id for id in lacking(connection, space) if id in lost]
            chunks = list(described(connection, ids)) if len(ids) <= _TRIED else []
        unable |= _unable(searcher, space, chunks)
    lost -= unable.keys()
    if lost:
        yield Finding("damage", "catalog", f"{len(lost):,} passages lack a vector. {_MEND}.")
    if unable:
        why = next(iter(unable.values()))
        yield Finding("warning", "catalog", f"{len(unable):,} passages are found by their words only: {why}")


def _unable(searcher: Searcher, space: Space, chunks: list[Lacking]) -> dict[int, str]:
    """Return why passages can't be embedded, by chunk id; nothing where that can't be tried."""
    if not chunks or space.medium != WORDS:
        return {}
    things = TextsAgain().read(chunks)
    try:
        _, bad = embed_whole(medium_of(WORDS), searcher.encoder(space.name), list(things.values()))
    except ModelError:
        return {}
    keys = list(things)
    reasons = {keys[position]: why for position, why in bad.items()}
    return {one.chunk_id: reasons[one.key] for one in chunks if one.key in reasons}
