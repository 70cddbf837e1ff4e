"""Passages and pictures -> one ranking, by relevance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np

from quarry.search.media.base import medium
from quarry.search.queries.query import Query
from quarry.search.ranking import excluding, fusion
from quarry.search.ranking.ranked_list import RankedList
from quarry.search.stores.lookups import picture_rows
from quarry.search.types import KINDS, MAX_LIMIT, MAX_REACH, WORDS, Candidates, Kind
from quarry.search.values.notes import Note, once
from quarry.search.views import LibraryView


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was found, best first: parallel lists, and for each place the list it came from and its place there.

    Args:
        also: ids of the passages with the same text, by that of the one which stands for all; of those with nearly the
            same text, too, where these are folded.
        near: those of them that are nearly the same, and not equal.
        further: what else was found of the document, by the id of its best hit.
    """

    candidates: Candidates
    relevance: tuple[float, ...]
    origins: tuple[tuple[RankedList, int], ...]
    notes: tuple[Note, ...] = ()
    also: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    near: frozenset[int] = frozenset()
    further: Mapping[int, Ranking] = field(default_factory=dict)

    def only(self, places: Sequence[int]) -> Ranking:
        """Return the ranking of some of its places."""
        found = Candidates(self.candidates.ids[places], self.candidates.scores[places])
        relevance, origins = self.relevance, self.origins
        return replace(
            self,
            candidates=found,
            relevance=tuple(relevance[place] for place in places),
            origins=tuple(origins[place] for place in places),
        )

    def at_least(self, least: float | None) -> Ranking:
        """Return the ranking of those that are relevant enough, or that are likely to be meant where None."""
        if least is None:
            return self.meant()
        return self.only([place for place, relevance in enumerate(self.relevance) if relevance >= least])

    def meant(self) -> Ranking:
        """Return the ranking of those that are likely to be meant."""
        return self.only([n for n, (one, place) in enumerate(self.origins) if one.meant is None or one.meant[place]])

    def explain(self, place: int) -> Mapping[str, Any]:
        """Tell what speaks for a hit."""
        found, own = self.origins[place]
        return {**found.explain(own), "relevance": round(self.relevance[place], 4)}


def rank(query: Query, view: LibraryView) -> Ranking:
    """Rank as far down as the page that is asked for reaches.

    A picture is one hit, whether it was found by itself or by what is said about it: by the better of the two.
    """
    ranking, sure = _ranked(query, view)
    reach = query.offset + query.limit
    if sure < reach <= 2 * fusion.DEPTH:  # passages of one caption used up the depth, which are one hit
        ranking, _ = _ranked(replace(query, limit=MAX_LIMIT), view)
    return ranking


def _ranked(query: Query, view: LibraryView) -> tuple[Ranking, int]:
    """Return the ranking, and how far down deeper searches would not change it."""
    found = [_list(kind, query, view) for kind in reversed(KINDS)]  # a thing itself before as relevant a passage
    notes = once(note for one in found for note in one.notes)
    origins = [(one, place) for one in found for place in range(len(one))]
    relevance = np.concatenate([one.relevance for one in found])
    # Stable, so that within a list the order is the list's own where relevance is the same.
    order = np.argsort(-relevance, kind="stable")
    ids = np.concatenate([one.ids for one in found])[order]
    scores = np.concatenate([one.scores for one in found])[order].astype(np.float32)
    ordered = tuple(origins[place] for place in order.tolist())
    ranking = Ranking(Candidates(ids, scores), tuple(relevance[order].tolist()), ordered, notes)
    if view.kinds <= {WORDS}:  # each passage is a hit of its own
        return ranking, MAX_REACH
    kept, sure = _distinct(ranking, view)
    return ranking.only(kept), sure


def _list(kind: Kind, query: Query, view: LibraryView) -> RankedList:
    """Return the list of a medium."""
    found: RankedList = import_module(medium(kind).ranked_by).ranked(query, view)
    return excluding.kept(query, view, kind, found)


def _distinct(ranking: Ranking, view: LibraryView) -> tuple[list[int], int]:
    """Keep the first hit of each document that is no text: itself, or the passage about it that speaks for it more.

    Return the places of what is kept, and how far down deeper searches would not change it.
    """
    ids = ranking.candidates.ids.tolist()
    owners = picture_rows.whole_documents(view.snapshot.connection, list(set(ids)))
    seen = set()
    kept: list[int] = []
    sure = MAX_REACH
    for at, (id, (one, place)) in enumerate(zip(ids, ranking.origins, strict=True)):
        owner = owners.get(id)
        if owner is None or owner not in seen:
            kept.append(at)
        if owner is not None:
            seen.add(owner)
        if place == len(one) - 1 >= fusion.DEPTH - 1:  # there may be more of these
            sure = min(sure, len(kept))
    return kept, sure
