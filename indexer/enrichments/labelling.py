"""Which labels the documents of a library get: choosing a set, and taking one away again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quarry.indexer.enrichments.tasks.choosing import check_name
from quarry.search.alike.labels import read_labels
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import tasks
from quarry.search.stores.rows.label_sets import LabelSet, keep_label_sets, label_sets
from quarry.search.types import KINDS

FIELD = "label"


def label_set(labels: Iterable[str], kind: str, field: str) -> LabelSet:
    """Return the set that is meant.

    Raises:
        InvalidRequest: a label can't be read, there is no such kind, or nothing can have that name.
    """
    check_name(field)
    if kind and kind not in KINDS:
        raise InvalidRequest(f"kind is {kind!r}; it can be {' or '.join(KINDS)}.")
    return LabelSet(field, kind, tuple((one.name, one.description) for one in read_labels(labels)))


def choose_labels(catalog: Catalog, chosen: Sequence[LabelSet] = (), remove: Sequence[str] = ()) -> None:
    """Have documents get sets of labels from now on, each in place of the one in its field.

    Args:
        remove: the fields of those that they get no more.

    Raises:
        NotFound: there are none in such a field.
        InvalidRequest: a model says something in it.
    """
    with catalog.transaction(bump=False) as connection:
        known = {one.field: one for one in label_sets(connection)}
        for field in remove:
            if field not in known:
                there = f"there are labels in {', '.join(known)}" if known else "there are none"
                raise NotFound(f"No labels are in the field {field!r}; {there}.")
        taken = {one.name for one in tasks.chosen(connection)}
        for one in chosen:
            if one.field in taken:
                raise InvalidRequest(
                    f"a model says something in the field {one.field!r} already: name another with --as, or take that "
                    f"away: `quarry enrich --remove {one.field}`."
                )
        kept = {field: one for field, one in known.items() if field not in remove} | {one.field: one for one in chosen}
        if kept != known:
            keep_label_sets(connection, list(kept.values()))
