"""The enrichments that every document gets, a row for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarry.indexer.enrichments.absent import Absent
from quarry.indexer.enrichments.base import Enrichment
from quarry.indexer.enrichments.entities import Entities
from quarry.indexer.enrichments.fingerprints import Fingerprints
from quarry.indexer.enrichments.labels import Labels
from quarry.indexer.enrichments.language import Language
from quarry.indexer.enrichments.looks import Looks
from quarry.indexer.enrichments.minhashes import MinHashes
from quarry.indexer.enrichments.ocr import Ocr
from quarry.indexer.enrichments.speech import Speech
from quarry.indexer.enrichments.tags import Tags
from quarry.indexer.enrichments.tasks.table import enrichment
from quarry.indexer.enrichments.town import NearestTown
from quarry.indexer.loaders.scans.engines import ADVICE, NAMES, engine
from quarry.search.errors import InvalidRequest, ModelMissing
from quarry.search.models import whisper
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import enrichments as rows
from quarry.search.stores.rows import tasks
from quarry.search.stores.rows.label_sets import label_sets
from quarry.search.stores.rows.nulls import nulls
from quarry.search.stores.spaces import active_spaces

ENRICHMENTS: tuple[Enrichment, ...] = (Language(), NearestTown(), Entities(), MinHashes(), Fingerprints(), Looks())

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


def hearing_choice(name: str) -> str:
    """Return the name of a model that hears, `auto` or `off`, as it is stored.

    Raises:
        ModelMissing: it is not here.
    """
    if name in ("", AUTO):
        return ""
    if name != rows.OFF:
        whisper.named(name)
    return name


def choose_hearing(catalog: Catalog, choice: str) -> None:
    """Have recordings of a library heard in another way from now on, as `hearing_choice` returns it."""
    with catalog.transaction(bump=False) as connection:
        rows.choose_hearing(connection, choice)


def chosen(catalog: Catalog, encoder: Callable[[str], Any]) -> tuple[Enrichment, ...]:
    """Return those that documents of a library get: OCR and speech, too, unless they are off, or can't be had here and
    never could, and what models do that were chosen for it.

    Args:
        encoder: returns the live encoder of a space of the library, by its name.
    """
    with catalog.snapshot() as snapshot:
        connection = snapshot.connection
        name, hears, models = rows.ocr(connection), rows.hears(connection), tasks.chosen(connection)
        sets = label_sets(connection)
        spaces = active_spaces(connection) if sets else []
        by_chance = nulls(connection, spaces)
    embedded: list[Enrichment] = [Tags(lambda: encoder("image"))]
    if reader := None if name == rows.OFF else engine(name):
        embedded.append(Ocr(reader))
    elif name != rows.OFF:
        embedded += _absent(catalog, Ocr, ADVICE)
    if model := None if hears == rows.OFF else whisper.find(hears):
        embedded.append(Speech(model))
    elif hears != rows.OFF:
        embedded += _absent(catalog, Speech, _why_deaf(hears))
    labels = [Labels(one, spaces, encoder, by_chance) for one in sets]
    return (*ENRICHMENTS, *embedded, *map(enrichment, models), *labels)


def _absent(catalog: Catalog, kind: type[Enrichment], advice: str) -> list[Enrichment]:
    """Return what stands for one that can't be had, where it found something before."""
    with catalog.snapshot() as snapshot:
        identity = rows.identity_of(snapshot.connection, kind.name)
    return [Absent(kind.name, identity, kind.rendition, advice)] if identity else []


def _why_deaf(model: str) -> str:
    try:
        whisper.named(model or whisper.EMBEDDED)
    except ModelMissing as error:
        return str(error)
    return ""
