"""What models find out about the documents of a library: which models do which tasks, and how far they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quarry.api.opened import OpenLibrary
from quarry.search import arguments

if TYPE_CHECKING:
    from quarry.indexer.report import Progress, Report
    from quarry.search.stores.tasks import ChosenModel, Coverage


@dataclass(frozen=True, slots=True)
class Enriched:
    """A model that does a task for a library, and how far it is."""

    name: str
    task: str
    model: str
    coverage: Coverage


def enrich(
    library: OpenLibrary,
    models: Mapping[str, str] | None = None,
    *,
    remove: Sequence[str] | str = (),
    redo: Sequence[str] | str = (),
    progress: Progress | None = None,
) -> Report:
    """Have models find out about every document what is missing, and remember them for documents to come.

    Without anything named, it goes on with what is missing, and tries again what failed. What was found is committed a
    few documents at a time, so that breaking off loses nothing.

    Args:
        models: tasks and the models that do them, `{"text-classification": MODEL}`, or another name for what is found,
            `{"sentiment": "text-classification:MODEL"}`: names on the hub, or folders that transformers saved. One of
            a name that is there already takes its place.
        remove: names whose models are to do their tasks no more; what they said goes, and nothing else.
        redo: names whose models are to look at everything again.

    Returns:
        How many documents `changed`, in `failed`, which of them a model failed over, by URI, and which models can't be
        used now (`unable`).

    Raises:
        InvalidRequest: there is no such task, or nothing can have that name.
        NotFound: no model has the name that is to be removed or redone.
        ModelError: a model can't be used, or is for another task.
    """
    from quarry.indexer.enrichments.reenriching import reenrich
    from quarry.indexer.enrichments.table import chosen
    from quarry.indexer.enrichments.tasks.choosing import choose, forget_failed
    from quarry.indexer.report import NoProgress, Report
    from quarry.indexer.writer import catch_up, flush

    started, catalog = time.monotonic(), library.catalog()
    found = choices(library, models or {})
    choose(catalog, found, arguments.texts(remove, "remove"), arguments.texts(redo, "redo"))
    forget_failed(catalog)
    report = Report()
    report.changed = reenrich(catalog, chosen(catalog), library.writer, progress or NoProgress(), report.unable)
    if report.changed:
        flush(library.searcher.vectors)
    catch_up(catalog)
    for one in enrichments(library):
        report.failed |= one.coverage.reasons
    report.seconds = time.monotonic() - started
    return report


def enrichments(library: OpenLibrary) -> list[Enriched]:
    """Return the models that find something out about documents, with how many they have looked at."""
    from quarry.indexer.status import coverages

    return [Enriched(one.name, one.task, one.model, found) for one, found in coverages(library.catalog())]


def choices(library: OpenLibrary, models: Mapping[str, str]) -> list[ChosenModel]:
    """Return what is meant by names of tasks and their models; raise as `enrich` does."""
    from quarry.indexer.enrichments.tasks.choosing import choice

    tell = library.settings.tell or (lambda _: None)
    return [choice(name, model, tell) for name, model in arguments.mapping(models, "models").items()]
