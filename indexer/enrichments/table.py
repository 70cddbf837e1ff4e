"""The enrichments that every document gets, a row for each; of a field that two of them find, the last one's counts."""

from __future__ import annotations

from quarry.indexer.enrichments.base import Enrichment
from quarry.indexer.enrichments.fingerprints import Fingerprints
from quarry.indexer.enrichments.language import Language
from quarry.indexer.enrichments.looks import Looks
from quarry.indexer.enrichments.minhashes import MinHashes
from quarry.indexer.enrichments.ocr import Ocr
from quarry.indexer.enrichments.tasks.table import enrichment
from quarry.indexer.enrichments.town import NearestTown
from quarry.indexer.loaders.scans.engines import NAMES, engine
from quarry.search.errors import InvalidRequest
from quarry.search.stores import enrichments as rows
from quarry.search.stores import tasks
from quarry.search.stores.catalog import Catalog

ENRICHMENTS: tuple[Enrichment, ...] = (Language(), NearestTown(), MinHashes(), Fingerprints(), Looks())

AUTO = "auto"
CHOICES = (AUTO, *NAMES, rows.OFF)


def ocr_choice(name: str) -> str:
    """Return the name of one of `CHOICES` as it is stored.

    Raises:
        InvalidRequest: there is none of that name, or it is not installed.
    """
    if name not in CHOICES:
        raise InvalidRequest(f"ocr is {name!r}; give one of {', '.join(CHOICES)}.")
    if name in NAMES and engine(name) is None:
        raise InvalidRequest(f"{name} is not installed, or lacks its data of languages.")
    return "" if name == AUTO else name


def choose_ocr(catalog: Catalog, choice: str) -> None:
    """Have scans of a library read in another way from now on, as `ocr_choice` returns it."""
    with catalog.transaction(bump=False) as connection:
        rows.choose_ocr(connection, choice)


def chosen(catalog: Catalog) -> tuple[Enrichment, ...]:
    """Return those that documents of a library get: OCR, too, unless it is off, or nothing here can do it, and what
    models do that were chosen for it.
    """
    with catalog.snapshot() as snapshot:
        name, models = rows.ocr(snapshot.connection), tasks.chosen(snapshot.connection)
    found = None if name == rows.OFF else engine(name)
    return (*ENRICHMENTS, *([Ocr(found)] if found else []), *map(enrichment, models))
