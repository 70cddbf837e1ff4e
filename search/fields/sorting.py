"""Hits in the order of a field in place of relevance: what passes the relevance cut, equals by relevance.

Numbers come before texts, which are compared whatever their case; where all texts of a field are dates, as moments.
What has no such field comes last, whichever way. A list counts by the first of its elements in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quarry.search.fields.named import DATES, FilterField
from quarry.search.fields.values import Value, Values, held_by, read
from quarry.search.language import dates
from quarry.search.language.texts import folded
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import field_rows
from quarry.search.types import Document


def field_of(sort: str) -> tuple[FilterField, bool]:
    """Return the field that is sorted by, and whether the largest comes first.

    Raises:
        InvalidFilter: no field can have such a name.
    """
    return FilterField.named(sort.removeprefix("-"), "sort"), sort.startswith("-")


def order(connection: Connection, sort: str, chunk_ids: Sequence[int]) -> list[int]:
    """Return the places of hits, which are named by their chunks best first, in the order of a field."""
    field, descending = field_of(sort)
    owners = field_rows.owners(connection, chunk_ids)
    (values,) = read(connection, [field], set(owners.values()))
    key = _key(values)
    first = max if descending else min
    chosen = {document: first(map(key, held)) for document, held in values.items() if held}
    places = range(len(chunk_ids))
    held = [place for place in places if owners.get(chunk_ids[place]) in chosen]
    held.sort(key=lambda place: chosen[owners[chunk_ids[place]]], reverse=descending)  # equals stay as they are
    return [*held, *(place for place in places if owners.get(chunk_ids[place]) not in chosen)]


def key_of(document: Document, sort: str) -> tuple[int, float, str]:
    """Return what a document is ordered by among those of several libraries; the other way round for a minus.

    It goes by what a hit tells of its document, and by nothing of the others: texts that are dates are moments by
    themselves. What has no such field comes last.
    """
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    keys = [_alone(value, name in DATES) for value in held_by(document, name)]
    if not keys:
        return (-1 if descending else 2), 0.0, ""
    return max(keys) if descending else min(keys)


def _alone(value: Value, is_moment: bool) -> tuple[int, float, str]:
    if isinstance(value, str):
        return 1, 0.0, dates.start_of(value, coarse=is_moment) or folded(value)
    return 0, float(value), ""


def _key(values: Values) -> Callable[[Value], tuple[int, float, str]]:
    """Return what values are compared by."""
    texts = {value for held in values.values() for value in held if isinstance(value, str)}
    moments = {text: dates.start_of(text, coarse=False) for text in texts}
    are_dates = all(moments.values())

    def key(value: Value) -> tuple[int, float, str]:
        if isinstance(value, str):
            return 1, 0.0, (moments[value] or "") if are_dates else folded(value)
        return 0, float(value), ""

    return key
