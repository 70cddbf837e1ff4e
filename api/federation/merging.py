"""Hits of several libraries -> one list, in the order of relevance or of a field, each text once.

A library's relevance is calibrated on the library itself (`search.relevance`), so that lists need no weights to be
merged: raw scores of several collections do (Callan 2000, "Distributed Information Retrieval"). The merge is one of k
sorted lists. It never puts a hit before one that its own library has before it, and where two are equal, the library
that is named first comes first: so what stands at the top stays as it is however far down each library was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from quarry.search.fields import sorting
from quarry.search.queries.query import Query, Response
from quarry.search.ranking.near_copies import near_copies
from quarry.search.types import MAX_PLACES, RELEVANCE, WORDS, Fold, Hit, Occurrence

SEPARATOR = "/"  # between a library and the id of a hit or a document, as in a path


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one library answered.

    Args:
        asked: how many hits, of which it has no more where it gave fewer.
    """

    name: str
    response: Response
    asked: int

    @property
    def is_whole(self) -> bool:
        """Whether these are all the hits that the library has."""
        return len(self.response.hits) < self.asked


@dataclass(frozen=True, slots=True)
class Merged:
    """One list.

    Args:
        hits: as far down as no library could have another one between them.
        is_whole: whether there are no further ones.
    """

    hits: tuple[Hit, ...]
    is_whole: bool


def placed(hit: Hit, library: str) -> Hit:
    """Return a hit as one of several libraries: its document names the library, and its id begins with that name."""
    return replace(
        hit,
        id=f"{library}{SEPARATOR}{hit.id}",
        document=replace(hit.document, library=library),
        also=tuple(placed_occurrence(one, library) for one in hit.also),
        more=tuple(placed(one, library) for one in hit.more),
    )


def placed_occurrence(place: Occurrence, library: str) -> Occurrence:
    """Return another place of a text as one of several libraries."""
    return replace(place, id=f"{library}{SEPARATOR}{place.id}", document=replace(place.document, library=library))


def merged(query: Query, parts: Sequence[Contribution]) -> Merged:
    """Merge the hits of libraries, which have their names."""
    descending = query.sort == RELEVANCE or query.sort.startswith("-")
    worse = min if descending else max
    entries: list[tuple[Any, int, Hit]] = []
    for number, part in enumerate(parts):
        keys = (_key(hit, query.sort) for hit in part.response.hits)
        entries += zip(accumulate(keys, worse), [number] * len(part.response.hits), part.response.hits, strict=True)
    entries.sort(key=lambda one: one[0], reverse=descending)  # stable: equals stay in the order of libraries
    last = {number: place for place, (_, number, _) in enumerate(entries)}
    sure = min((last.get(number, -1) + 1 for number, part in enumerate(parts) if not part.is_whole), default=None)
    return Merged(_folded([hit for *_, hit in entries[:sure]], query.fold), sure is None)


def _key(hit: Hit, sort: str) -> Any:
    return hit.relevance if sort == RELEVANCE else sorting.key_of(hit.document, sort)


def _folded(hits: Sequence[Hit], fold: Fold) -> tuple[Hit, ...]:
    """Return each text once, the other places in `also` of the first, as within one library."""
    firsts: dict[str, int] = {}
    first_of: dict[int, int] = {}
    for number, hit in enumerate(hits):
        if hit.kind == WORDS and hit.text and firsts.setdefault(hit.text, number) != number:
            first_of[number] = firsts[hit.text]
    near: set[int] = set()
    if fold == "near":
        rest = ((number, hit) for number, hit in enumerate(hits) if number not in first_of)
        alike = near_copies((number, hit.text) for number, hit in rest if _may_be_near(hit))
        first_of |= alike
        near |= alike.keys()
    found = list(hits)
    for number, first in first_of.items():
        into, hit = first_of.get(first, first), hits[number]
        is_near = number in near or first in near
        found[into] = _with(found[into], hit, is_near=is_near)
    return tuple(hit for number, hit in enumerate(found) if number not in first_of)


def _with(first: Hit, hit: Hit, *, is_near: bool) -> Hit:
    """Return a hit that stands for another one, too, and for all that this one stood for."""
    more = [replace(one, near=True) if is_near else one for one in places(hit)]
    equal, near = (0, 1 + hit.equal + hit.near) if is_near else (1 + hit.equal, hit.near)
    return replace(first, also=(*first.also, *more)[:MAX_PLACES], equal=first.equal + equal, near=first.near + near)


def _may_be_near(hit: Hit) -> bool:
    """Whether something else may say nearly the same: rows of tables do, and mean something else."""
    return hit.kind == WORDS and (hit.place is None or hit.place.rows is None)


def places(hit: Hit) -> Iterable[Occurrence]:
    """Return where a hit stands, and where its text stands as well."""
    return (Occurrence(hit.id, hit.document, hit.start, hit.end, hit.page, hit.heading), *hit.also)
