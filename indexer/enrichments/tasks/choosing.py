"""Choosing which models do which tasks for a library, and taking one away again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from quarry.indexer.enrichments.base import RESERVED, Enrichment
from quarry.indexer.enrichments.entities import FINDERS
from quarry.indexer.enrichments.speech import FIELD as SPOKEN
from quarry.indexer.enrichments.table import ENRICHMENTS
from quarry.indexer.enrichments.tasks.table import TASKS, enrichment
from quarry.search.errors import InvalidRequest, ModelMissing, NotFound
from quarry.search.fields.named import BUILT_IN
from quarry.search.models import files
from quarry.search.models.auto import source
from quarry.search.models.auto.card import AutoCard
from quarry.search.models.auto.task import Task
from quarry.search.queries import arguments
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import enrichments as rows
from quarry.search.stores.rows import tasks
from quarry.search.stores.rows.label_sets import label_sets
from quarry.search.stores.rows.tasks import ChosenModel
from quarry.search.types import OWN_WORDS

_LABELS, _LABEL = 1_000, 100  # how many, and characters of each
_TEMPLATE = 300  # characters
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
# What stands in the fields of documents already, and who says something of them.
_TAKEN = {
    *BUILT_IN,
    *OWN_WORDS,
    *(one.name for one in ENRICHMENTS),
    "ocr",
    rows.SPEECH,
    *RESERVED,
    *FINDERS,
    SPOKEN,
    *("tags", "author", "keywords", "edited", "lang"),
}


def check_name(name: str) -> None:
    """Refuse a name for what is found out that can't be one.

    Raises:
        InvalidRequest: it has other characters than a field of a filter should, or documents have such a field anyway.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise InvalidRequest(
            f"nothing can be called {name!r}: give up to 64 small letters, digits, - and _ that begin with a letter, "
            "and are no field that documents have anyway."
        )


def choice(
    name: str,
    model: str,
    tell: Callable[[str], None],
    labels: Sequence[str] = (),
    template: str = "",
    language: str = "",
) -> ChosenModel:
    """Return what `NAME=MODEL` or `NAME=TASK:MODEL` means; the model is fetched where it is on the hub alone.

    Args:
        tell: is told in words what takes long, or what the model lacks.
        labels, template, language: as of `ChosenModel`; what they are needs no task to take them.

    Raises:
        InvalidRequest: there is no such task, nothing can go by that name, or it needs labels.
        ModelMissing, ModelDamaged: there is no such model, or it can't be used.
        ModelError: it is a model of another task.
    """
    name, model = arguments.text(name, "name"), arguments.text(model, "model")
    task, sign, rest = model.partition(":")
    if sign and task in TASKS:
        model = rest
    else:
        task = name
    if task not in TASKS:
        raise InvalidRequest(
            f"{name!r} is no task: give one of {', '.join(TASKS)}, or {name}=TASK:MODEL to call what it finds {name}."
        )
    check_name(name)
    if not model:
        raise InvalidRequest(f"{name} needs a model: {name}={task}:MODEL, the name of one on the hub or its folder.")
    takes = TASKS[task].task
    if takes.takes_labels and not labels:
        raise InvalidRequest(
            f"{name} needs the labels that it is to tell apart: `quarry enrich {name}={task}:{model} --labels A,B,C`."
        )
    model = str(files.folder_named(model) or model)  # wherever it is asked for from
    card = _card(model, takes, tell)
    told = (tuple(labels), template) if takes.takes_labels else ((), "")
    found = ChosenModel(name, task, model, card.identity, *told, language if takes.takes_language else "")
    TASKS[task].check(card, found)
    if card.labels and not card.has_label_map and not takes.takes_labels and not takes.takes_language:
        tell(f"{model} does not say what its labels mean: they are {', '.join(card.labels[:2])} and so on")
    return found


def checked_labels(labels: Sequence[str], template: str) -> tuple[str, ...]:
    """Return labels as they are asked for: each once, with single spaces.

    Raises:
        InvalidRequest: one is empty or too long, there are too many, or the template has no place for one.
    """
    found = tuple(dict.fromkeys(" ".join(label.split()) for label in labels))
    if len(found) > _LABELS:
        raise InvalidRequest(
            f"there are {len(found):,} labels; give {_LABELS:,} at most: each is looked for by itself."
        )
    for label in found:
        if not label or len(label) > _LABEL or '"' in label or "\\" in label or not label.isprintable():
            raise InvalidRequest(
                f"{label[:_LABEL]!r} is no label: give 1 to {_LABEL} characters, without a quotation mark or backslash."
            )
    if template and (template.count("{}") != 1 or len(template) > _TEMPLATE or not template.isprintable()):
        raise InvalidRequest(f"the template is {template[:_LABEL]!r}; it needs one {{}} where the label goes.")
    return found


def _card(model: str, task: Task, tell: Callable[[str], None]) -> AutoCard:
    try:
        return source.resolve(model, task)
    except ModelMissing:
        if not source.is_on_hub(model):
            raise
    tell(f"fetching {model} from the hub")
    source.fetch(model)
    return source.resolve(model, task)


def choose(
    catalog: Catalog, chosen: Sequence[ChosenModel] = (), remove: Sequence[str] = (), redo: Sequence[str] = ()
) -> None:
    """Have models do their tasks from now on, each in place of the one of its name.

    Args:
        remove: the names of those whose models do it no more.
        redo: the names of those that look at everything again.

    Raises:
        NotFound: there is none of such a name.
        InvalidRequest: labels are in the field of such a name.
    """
    with catalog.transaction(bump=False) as connection:
        known: Mapping[str, ChosenModel] = {one.name: one for one in tasks.chosen(connection)}
        for name in (*remove, *redo):
            if name not in known:
                there = f"there are {', '.join(known)}" if known else "there are none"
                raise NotFound(f"No model was chosen by the name {name!r}; {there}.")
        labelled = {one.field for one in label_sets(connection)}
        for one in chosen:
            if one.name in labelled:
                raise InvalidRequest(
                    f"labels are in the field {one.name!r} already: give another name, or take them away: "
                    f"`quarry label --remove {one.name}`."
                )
        kept = {name: one for name, one in known.items() if name not in remove} | {one.name: one for one in chosen}
        if kept != known:
            tasks.choose(connection, list(kept.values()))
        for name in redo:
            if name in kept:
                tasks.forget(connection, enrichment(kept[name]).identity)
                rows.unsettle(connection)


def forget_failed(catalog: Catalog, enrichments: Iterable[Enrichment]) -> None:
    """Have enrichments look again at the documents that they failed over."""
    with catalog.transaction(bump=False) as connection:
        if sum(tasks.forget(connection, one.identity, failed=True) for one in enrichments):
            rows.unsettle(connection)
