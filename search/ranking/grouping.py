"""One ranking -> one with each text once, and on request with each document once: what else was found hangs below.

This comes after passages and pictures were put into one list, and before a page is cut from it: so limits and offsets
count what is seen, and pages do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quarry.search.queries.query import Query
from quarry.search.ranking import fusion
from quarry.search.ranking.merging import Ranking, rank
from quarry.search.requests.timing import Stage
from quarry.search.stores.lookups import sketched
from quarry.search.stores.lookups.repeats import documents_of, repeats, texts_of
from quarry.search.types import MAX_LIMIT
from quarry.search.views import LibraryView

NEAR = 1_000  # hits, beyond which only equal texts are one
SAME_PICTURE = 0.85  # copies that are smaller or coarser are more alike, two invoices of one sender less
FURTHER = 3  # hits of a document below its best


@dataclass(frozen=True, slots=True)
class Grouped:
    """What a query comes to as a list.

    Args:
        hits: as far down as the page that is asked for reaches.
        flat: those that are looked at again. The two differ where hits are grouped: an answer may stand in any passage
            of a document.
        passing: all hits that pass the relevance cut, where the query looks at all of them.
        left_out: how many of all that was found do not pass it, then.
    """

    hits: Ranking
    flat: Ranking
    passing: Ranking | None = None
    left_out: int = 0


def listed(query: Query, view: LibraryView) -> Grouped:
    """Rank as far down as the page that is asked for reaches, or all there is where the query looks at that."""
    reach = query.offset + query.limit
    if query.is_deep:
        whole = rank(replace(query, limit=MAX_LIMIT), view)
        cut = whole.at_least(query.least or None)
        _, passing = _folded(query, view, cut)
        flat, hits = _folded(query, view, whole.only(range(min(len(whole.relevance), 2 * max(reach, fusion.DEPTH)))))
        if len(hits.relevance) < reach and not query.least and query.least is not None:
            flat, hits = _folded(query, view, whole)
        return Grouped(hits, flat, passing, len(whole.relevance) - len(cut.relevance))
    whole = rank(query, view)
    flat, hits = _folded(query, view, whole)
    if len(hits.relevance) < reach and len(whole.relevance) >= fusion.DEPTH:
        flat, hits = _folded(query, view, rank(replace(query, limit=MAX_LIMIT), view))  # what was folded leaves room
    return Grouped(hits, flat)


def _folded(query: Query, view: LibraryView, ranking: Ranking) -> tuple[Ranking, Ranking]:
    with Stage("fold"):
        flat = _each_text_once(ranking, view)
        if query.fold == "near":
            flat = _near_copies_once(flat, view)
        return flat, _each_document_once(flat, view) if query.group else flat


def _each_text_once(ranking: Ranking, view: LibraryView) -> Ranking:
    ids = ranking.candidates.ids.tolist()
    same = repeats(view.snapshot.connection, ids)
    if not same:
        return ranking
    also: dict[int, list[int]] = {}
    for id, first in same.items():
        also.setdefault(first, []).append(id)
    kept = ranking.only([place for place, id in enumerate(ids) if id not in same])
    return replace(kept, also={first: tuple(others) for first, others in also.items()})


def _near_copies_once(ranking: Ranking, view: LibraryView) -> Ranking:
    """Fold what is nearly the same as a better hit, among the first `NEAR` hits."""
    from quarry.search.ranking.near_copies import near_copies  # rarely needed

    ids = ranking.candidates.ids[:NEAR].tolist()
    texts = texts_of(view.snapshot.connection, ids)
    pictures, same = _near_pictures(ids, view)
    near = near_copies((id, texts[id]) for id in ids if id in texts) | pictures
    if not near:
        return ranking
    also = dict(ranking.also)
    unequal: set[int] = set()
    for id, first in near.items():
        folded = (id, *also.pop(id, ()))
        also[first] = (*also.get(first, ()), *folded)
        unequal.update(folded)
    every = ranking.candidates.ids.tolist()
    kept = ranking.only([place for place, id in enumerate(every) if id not in near])
    return replace(kept, also=also, near=frozenset(unequal - same))


def _near_pictures(ids: Sequence[int], view: LibraryView) -> tuple[dict[int, int], set[int]]:
    """Return, by its id, the first of hits that show the same picture, for those that have one before them.

    And which of those are the very same picture. Not what OCR read something in: a form that is filled in twice looks
    the same, and says something else.
    """
    from quarry.search.alike.duplicates import groups
    from quarry.search.alike.sketches import PictureSketches

    sketches = sketched.of_chunks(view.snapshot.connection, "image", ids)
    shown = [id for id in ids if id in sketches]
    found = groups(PictureSketches.of([sketches[id] for id in shown]), SAME_PICTURE) if len(shown) > 1 else []
    firsts = {shown[other]: shown[group.keep] for group in found for other in group.others.tolist()}
    return firsts, {shown[other] for group in found for other in group.others[group.same].tolist()}


def _each_document_once(ranking: Ranking, view: LibraryView) -> Ranking:
    ids = ranking.candidates.ids.tolist()
    owners = documents_of(view.snapshot.connection, ids)
    places: dict[int, list[int]] = {}  # of the hits of a document, which come best first
    for place, id in enumerate(ids):
        places.setdefault(owners.get(id, -id), []).append(place)
    further = {ids[own[0]]: ranking.only(own[1 : 1 + FURTHER]) for own in places.values() if len(own) > 1}
    return replace(ranking.only([own[0] for own in places.values()]), further=further)
