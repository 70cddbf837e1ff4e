"""What a library holds: counts, models, roots and sizes."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quarry.indexer import formats
from quarry.indexer.derived.all import derived
from quarry.indexer.enrichments.labels import Labels
from quarry.indexer.enrichments.speech import MISSING, OTHER_LANGUAGES, Speech
from quarry.indexer.enrichments.table import chosen
from quarry.indexer.enrichments.tasks.table import TASKS, enrichment
from quarry.indexer.loaders.scans.engines import ADVICE, engine
from quarry.indexer.prepared import timestamp
from quarry.search.engines.opened import OpenedVectors
from quarry.search.engines.table import DEFAULT_ENGINE
from quarry.search.files.uris import uri_of
from quarry.search.models import whisper
from quarry.search.stores import chosen_engine
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import sqlite
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered
from quarry.search.stores.replicas import IN_USE, Replica
from quarry.search.stores.rows import enrichments, files, roots, tasks
from quarry.search.stores.rows.tasks import ChosenModel, Coverage


def status(vectors: OpenedVectors) -> dict[str, Any]:
    """Return counts, models, roots and sizes of the library that the vectors are of."""
    catalog = vectors.catalog
    with catalog.snapshot() as snapshot:
        connection = snapshot.connection
        return {
            "library": uri_of(catalog.library),
            "generation": snapshot.generation,
            "documents": filtered.count(connection),
            "passages": filtered.chunk_count(connection),
            "files": files.count(connection),
            "types": filtered.value_counts(connection, "type"),
            "roots": [
                {"path": root.path, "documents": root.documents, "files": root.files, "synced": root.synced}
                for root in roots.listed(connection)
            ],
            "kinds": filtered.value_counts(connection, "kind"),
            **{name: told for one in derived(vectors) for name, told in one.status(snapshot).items()},
            "engine": _engine(connection),
            "failing": files.failing(connection),
            "ocr": _ocr(connection),
            "speech": _speech(connection),
            "enrichments": [_enrichment(*one) for one in coverages(catalog)],
            "labels": _labels(catalog),
            "formats_left_out": dict(formats.LEFT_OUT),
            "bytes": sum(_sizes(catalog.directory)),
            "sqlite": sqlite.VERSION,
            "replica": None if catalog.replica is None else _replica(catalog, catalog.replica, snapshot.generation),
        }


def _replica(catalog: Catalog, replica: Replica, generation: int) -> dict[str, Any]:
    """Return what a replica is a copy of, and how far behind it was when the source was last seen."""
    seen = replica.seen()
    return {
        "source": replica.source,
        "replicated": timestamp((catalog.directory / IN_USE).stat().st_mtime),
        "seen": seen.at if seen else None,
        "source_generation": seen.generation if seen else None,
        "behind": max(0, seen.generation - generation) if seen else None,
        "problem": seen.problem if seen else "",
    }


def _engine(connection: Connection) -> dict[str, str]:
    """Return what keeps the vectors, and where; "" for in the library."""
    engine = chosen_engine.chosen(connection)
    return {"name": engine.name or DEFAULT_ENGINE, "uri": engine.uri}


def _ocr(connection: Connection) -> dict[str, Any]:
    """Return how scans are read, and what of it is missing."""
    name = enrichments.ocr(connection)
    found = None if name == enrichments.OFF else engine(name)
    read, unread = enrichments.ocr_counts(connection)
    return {
        "engine": f"{found.name} {found.version}" if found else "",
        "off": name == enrichments.OFF,
        "documents": read,
        "unread": unread,
        "missing": list(found.lacks) if found else [ADVICE],
    }


def _speech(connection: Connection) -> dict[str, Any]:
    """Return how recordings are heard, and what of it is missing."""
    name = enrichments.hears(connection)
    model = None if name == enrichments.OFF else whisper.find(name)
    identity = Speech(model).identity if model else enrichments.identity_of(connection, Speech.name)
    every, heard, unknown = enrichments.speech_counts(connection, identity)
    missing = [] if model or name == enrichments.OFF else [MISSING]
    if unknown and model and model.is_embedded:
        missing.append(OTHER_LANGUAGES)
    return {
        "model": model.version if model else "",
        "off": name == enrichments.OFF,
        "documents": every,
        "heard": heard,
        "unknown": unknown,
        "missing": missing,
    }


def coverages(catalog: Catalog) -> list[tuple[ChosenModel, Coverage]]:
    """Return the models that find something out about documents, each with how far it is."""
    with catalog.snapshot() as snapshot:
        models = [one for one in tasks.chosen(snapshot.connection) if one.task in TASKS]
        known = [enrichment(one) for one in models]
        found = [tasks.coverage(snapshot.connection, one.identity, one.holds) for one in known]
    return list(zip(models, found, strict=True))


def _enrichment(model: ChosenModel, found: Coverage) -> dict[str, Any]:
    """Return which model does a task, and how far it is."""
    return {
        "name": model.name,
        "task": model.task,
        "model": model.model,
        "labels": list(model.labels),
        "documents": found.documents,
        "could": found.could,
        "failed": found.failed,
        "reasons": dict(found.reasons),
    }


def _labels(catalog: Catalog) -> list[dict[str, Any]]:
    """Return the sets of labels, each with how far it is."""
    sets = [one for one in chosen(catalog, _unused) if isinstance(one, Labels)]
    with catalog.snapshot() as snapshot:
        found = [tasks.coverage(snapshot.connection, one.identity, one.holds) for one in sets]
    return [
        {
            "field": one.name,
            "kind": one.labels.kind,
            "labels": [name for name, _ in one.labels.labels],
            "documents": coverage.documents,
            "could": coverage.could,
            "failed": coverage.failed,
        }
        for one, coverage in zip(sets, found, strict=True)
    ]


def _unused(space: str) -> Any:
    raise AssertionError(f"the encoder of {space} is not needed to count")


def _sizes(directory: Path) -> Iterator[int]:
    for path in directory.rglob("*"):
        try:
            info = path.lstat()
        except FileNotFoundError:  # taken away by a writer
            continue
        if stat.S_ISREG(info.st_mode):
            yield info.st_size
