"""Ranking sounds, by words."""

from __future__ import annotations

from quarry.search.ranked_list import RankedList, told
from quarry.search.relevance import CALIBRATIONS
from quarry.search.retrievers import InSpace, down_to, together
from quarry.search.types import Query
from quarry.search.views import LibraryView

MEDIUM = "sound"


def ranked(query: Query, view: LibraryView) -> RankedList:
    """Rank sounds by their vectors."""
    members = [InSpace.by_words(space, query.text) for space in view.of(MEDIUM) if space.vectors is not None]
    if not members or query.mode == "lexical":
        return RankedList.empty()
    retriever = together(members)
    found = down_to(query, retriever.nearest)
    relevance = CALIBRATIONS["image"].of(retriever.null.distance(found.scores))
    return RankedList(found.ids, found.scores, relevance, told(MEDIUM, found))
