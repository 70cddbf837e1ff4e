"""Labels for the documents of a library, by the vectors that are stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quarry.api.opened import OpenLibrary
from quarry.search.alike.labels import KNOWN
from quarry.search.errors import ModelError
from quarry.search.language.scripts import knows
from quarry.search.queries import arguments
from quarry.search.stores.rows import tasks
from quarry.search.stores.rows.label_sets import LabelSet, label_counts, with_any
from quarry.search.stores.spaces import Space, active_spaces

if TYPE_CHECKING:
    from quarry.indexer.report import Progress, Report


@dataclass(frozen=True, slots=True)
class Labelled:
    """A set of labels, and how far documents have them.

    Args:
        field: that they are in.
        kind: of the documents that get them, "" for all.
        labels: how many documents have each.
        documents: how many were looked at.
        could: how many there are.
        none: how many of those that were looked at have none of them.
        unread: labels that no model of the library knows the script of.
    """

    field: str
    kind: str
    labels: Mapping[str, int]
    documents: int
    could: int
    none: int
    unread: tuple[str, ...] = ()


def label(
    library: OpenLibrary,
    labels: Sequence[str] | str = (),
    *,
    kind: str = "",
    field: str = "label",
    remove: Sequence[str] | str = (),
    progress: Progress | None = None,
) -> Report:
    """Give documents those of some labels that are apt, each with its probability, and remember them for those to come.

    Nothing is read or embedded again: words for the labels are compared with the vectors that are stored. A document
    may have several labels, or none; `confidence` says how likely each is. Without labels, it goes on with what is
    missing, and tries again what failed.

    Args:
        labels: `name`, or `name: words that describe it`; up to 10,000. They take the place of those in that field.
        kind: `text` or `image`, for documents of that kind alone.
        field: where they are found.
        remove: the fields of labels that are taken away, and nothing else.

    Returns:
        How many documents `changed`, in `failed`, which of them could not be looked at, by URI, and what can't be given
        now, and why (`unable`); `label_sets` says who has which.

    Raises:
        InvalidRequest: a label, a kind or the field can't be one.
        NotFound: there are no labels in a field that is to be removed.
    """
    from quarry.indexer.enrichments.labelling import choose_labels, label_set
    from quarry.indexer.enrichments.labels import Labels
    from quarry.indexer.enrichments.reenriching import reenrich
    from quarry.indexer.enrichments.table import chosen
    from quarry.indexer.enrichments.tasks.choosing import forget_failed
    from quarry.indexer.report import NoProgress, Report
    from quarry.indexer.writer import catch_up

    started = time.monotonic()
    written, gone = arguments.texts(labels, "labels"), arguments.texts(remove, "remove")
    catalog = library.catalog()
    sets = [label_set(written, arguments.text(kind, "kind"), arguments.text(field, "field"))] if written else []
    choose_labels(catalog, sets, gone)
    wanted = chosen(catalog, library.searcher.encoder)
    given = [one for one in wanted if isinstance(one, Labels)]
    forget_failed(catalog, given)
    fields = {one.name for one in given}
    report = Report()
    report.changed = reenrich(catalog, wanted, library.writer, progress or NoProgress(), report.unable, slow=fields)
    catch_up(catalog)
    with catalog.snapshot() as snapshot:
        for one in given:
            report.failed |= tasks.coverage(snapshot.connection, one.identity, "1").reasons
    report.seconds = time.monotonic() - started
    return report


def label_sets(library: OpenLibrary) -> list[Labelled]:
    """Return the sets of labels of the library, with how many documents have which."""
    from quarry.indexer.enrichments.labels import Labels
    from quarry.indexer.enrichments.table import chosen

    catalog = library.catalog()
    known = [one for one in chosen(catalog, library.searcher.encoder) if isinstance(one, Labels)]
    with catalog.snapshot() as snapshot:
        connection = snapshot.connection
        found = []
        for one in known:
            kind = one.labels.kind
            counts, coverage = label_counts(connection, one.labels), tasks.coverage(connection, one.identity, one.holds)
            some = with_any(connection, one.labels, one.identity)
            spaces = [space for space in active_spaces(connection) if kind in ("", space.medium)]
            found.append(
                Labelled(
                    one.name,
                    kind,
                    counts,
                    coverage.documents,
                    coverage.could,
                    coverage.documents - some,
                    _unread(library, spaces, one.labels),
                )
            )
    return found


def _unread(library: OpenLibrary, spaces: Sequence[Space], labels: LabelSet) -> tuple[str, ...]:
    """Return the labels that no model of these spaces knows the script of."""
    cards = []
    for space in spaces:
        with suppress(ModelError):
            cards.append(library.searcher.encoder(space.name).card)
    return tuple(name for name, _ in labels.labels if cards and all(knows(card, name) < KNOWN for card in cards))
