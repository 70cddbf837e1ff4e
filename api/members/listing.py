"""The documents of a library in an order, page by page: what comes and goes meanwhile moves none of the others."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quarry.api.opened import OpenLibrary
from quarry.search.errors import InvalidRequest
from quarry.search.fields.filters import compile_filter
from quarry.search.fields.named import FilterField, check_text
from quarry.search.queries import arguments
from quarry.search.stores.lookups import filtered
from quarry.search.stores.lookups.filtered import ADDED, Place
from quarry.search.types import Document

MAX_LIMIT = 1_000
_INT64 = 2**63 - 1
_OWN = {"added": ADDED, "characters": "d.characters"}  # beside what a filter can name


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of documents.

    Args:
        total: how many there are in all.
        next: the cursor of the page after it, None where this is the last.
    """

    documents: list[Document]
    total: int
    next: str | None


def listing(
    library: OpenLibrary,
    *,
    filter: Mapping[str, Any] | None = None,
    sort: str = "added",
    limit: int = 100,
    offset: int = 0,
    cursor: str | None = None,
) -> Listing:
    """Return a page of documents, and the cursor of the next.

    A cursor names a place in the order, not a number of documents: those that come and go meanwhile make no other be
    passed by or told twice.

    Args:
        sort: `added`, `characters`, or any field that a filter can name, such as `title`, `date` or a document's own;
            with a minus before it the other way round. Documents without the field come last.
        offset: how many to pass by, from the cursor on.
        cursor: `next` of the page before, of the same sort.

    Raises:
        InvalidRequest: limit, offset, sort or cursor can't be.
    """
    limit, offset = arguments.whole(limit, "limit"), arguments.whole(offset, "offset")
    if not 0 <= limit <= MAX_LIMIT or offset < 0:
        raise InvalidRequest(f"limit must be 0 to {MAX_LIMIT:,} and offset 0 or more.")
    order = _order(arguments.text(sort, "sort").removeprefix("-"))
    after = None if cursor is None else _place(arguments.text(cursor, "cursor"), sort)
    where, params = compile_filter(filter) if filter is not None else (filtered.ALL, [])
    with library.catalog().snapshot() as snapshot:
        places = filtered.places(
            snapshot.connection,
            where,
            params,
            limit + 1,
            min(offset, 2**62),
            order=order,
            descending=sort.startswith("-"),
            after=after,
        )
        total = filtered.count(snapshot.connection, where, params)
        shown = places[:limit]
        documents = filtered.listing(snapshot.connection, [row_id for _, row_id in shown])
    return Listing(documents, total, _cursor(sort, shown[-1]) if shown and len(places) > limit else None)


def _order(name: str) -> str:
    if name in _OWN:
        return _OWN[name]
    _, value = FilterField.named(name, "sort").read
    return f"iif(typeof({value}) = 'text', folded({value}), {value})"


def _cursor(sort: str, place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([sort, *place]).encode()).decode().rstrip("=")


def _place(cursor: str, sort: str) -> Place:
    try:
        named, value, row_id = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        is_place = isinstance(value, str | int | float | None) and type(row_id) is int and named == sort
        if isinstance(value, str):
            check_text(value, "cursor")
        if not is_place or abs(row_id) > _INT64 or (isinstance(value, int) and abs(value) > _INT64):
            raise ValueError
    except (ValueError, TypeError, RecursionError, InvalidRequest) as error:
        raise InvalidRequest("cursor is no `next` of a list in this order; begin without one.") from error
    return value, row_id
