"""Mending: the good copy takes the place of the damaged one, whichever side holds it."""

from __future__ import annotations

from quarry.indexer.derived.words import DerivedWords
from quarry.indexer.doctor.findings import Finding
from quarry.indexer.doctor.restoring import embed_again, read_again
from quarry.indexer.doctor.salvage import salvage
from quarry.search.config import Settings
from quarry.search.errors import QuarryError
from quarry.search.stores.catalog import Catalog
from quarry.search.wiring import open_vectors


def repair_catalog(catalog: Catalog, settings: Settings) -> list[Finding]:
    """Mend what can be of a damaged catalog; return what was done. What can't be mended stays, or is set aside."""
    said: list[Finding] = []
    try:
        done = salvage(open_vectors(catalog, settings.engines))
        said += [Finding("repaired", "catalog", text) for text in done.mended]
        said += [Finding("warning", "catalog", f"{text}. It is left out") for text in done.left_out]
        if done.aside is not None:
            said.append(Finding("warning", "catalog", f"the catalog as it was is kept as {done.aside}"))
        for restore in (embed_again, read_again):
            said += [Finding("repaired", "catalog", text) for text in restore(catalog, settings)]
        if done.lacking:
            DerivedWords(catalog).rebuild()
    except QuarryError as error:
        said.append(Finding("warning", "catalog", f"not all that is damaged could be mended: {error}"))
    return said
