"""What models find out about the documents of a library: which models do which tasks, and how far they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quarry.api.opened import OpenLibrary
from quarry.search.errors import InvalidRequest
from quarry.search.queries import arguments

if TYPE_CHECKING:
    from quarry.indexer.report import Progress, Report
    from quarry.search.stores.rows.tasks import ChosenModel, Coverage


@dataclass(frozen=True, slots=True)
class Enriched:
    """A model that does a task for a library, and how far it is."""

    name: str
    task: str
    model: str
    coverage: Coverage
    labels: tuple[str, ...] = ()


def enrich(
    library: OpenLibrary,
    models: Mapping[str, str] | None = None,
    *,
    remove: Sequence[str] | str = (),
    redo: Sequence[str] | str = (),
    labels: Sequence[str] | str = (),
    template: str = "",
    translate_to: str = "",
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
        labels: that those of `models` tell apart whose task takes labels, such as zero-shot-classification.
        template: what they are asked of a label, with `{}` where it goes; "" for what fits the task.
        translate_to: the language that translation writes, as ISO 639-1 or its model calls it; "" where that has one.

    Returns:
        How many documents `changed`, in `failed`, which of them a model failed over, by URI, and which models can't be
        used now (`unable`).

    Raises:
        InvalidRequest: there is no such task, nothing can have that name, or labels are wanted, or are of no use.
        NotFound: no model has the name that is to be removed or redone.
        ModelError: a model can't be used, or is for another task.
    """
    from quarry.indexer.enrichments.reenriching import reenrich
    from quarry.indexer.enrichments.table import chosen
    from quarry.indexer.enrichments.tasks.base import ModelEnrichment
    from quarry.indexer.enrichments.tasks.choosing import choose, forget_failed
    from quarry.indexer.report import NoProgress, Report
    from quarry.indexer.writer import catch_up, flush

    started, catalog = time.monotonic(), library.catalog()
    found = choices(library, models or {}, labels, template, translate_to)
    choose(catalog, found, arguments.texts(remove, "remove"), arguments.texts(redo, "redo"))
    report = Report()
    wanted = chosen(catalog, lambda name: library.writer().embedders[name].encoder)
    forget_failed(catalog, [one for one in wanted if isinstance(one, ModelEnrichment)])
    report.changed = reenrich(catalog, wanted, library.writer, progress or NoProgress(), report.unable)
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

    known = coverages(library.catalog())
    return [Enriched(one.name, one.task, one.model, found, one.labels) for one, found in known]


def choices(
    library: OpenLibrary,
    models: Mapping[str, str],
    labels: Sequence[str] | str = (),
    template: str = "",
    translate_to: str = "",
) -> list[ChosenModel]:
    """Return what is meant by names of tasks, their models and labels; raise as `enrich` does."""
    from quarry.indexer.enrichments.tasks.choosing import checked_labels, choice

    tell = library.settings.tell or (lambda _: None)
    template = arguments.text(template, "template")
    told_apart = checked_labels(arguments.texts(labels, "labels"), template)
    named = arguments.mapping(models, "models")
    language = arguments.text(translate_to, "translate_to")
    found = [choice(name, model, tell, told_apart, template, language) for name, model in named.items()]
    if (told_apart or template) and not any(one.labels for one in found):
        raise InvalidRequest("labels are for tasks that are given some, such as zero-shot-classification=MODEL.")
    if language and not any(one.language for one in found):
        raise InvalidRequest("a language is for what is told one: translation=MODEL.")
    return found
