"""Passages and pictures -> one ranking, by relevance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from search import passages, pictures
from search.retrieval import Found, View
from search.stores import documents
from search.types import Candidates, Query


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was found, best first: parallel lists, and for each place the list it came from and its place there."""

    candidates: Candidates
    relevance: tuple[float, ...]
    origins: tuple[tuple[Found, int], ...]
    notes: tuple[str, ...] = ()

    def explain(self, place: int) -> Mapping[str, Any]:
        """Tell what speaks for a hit."""
        found, own = self.origins[place]
        return {**found.explain(own), "relevance": round(self.relevance[place], 4)}


def rank(query: Query, view: View) -> Ranking:
    """Rank as far down as the page that is asked for reaches.

    A picture is one hit, whether it was found by itself or by what is said about it: by the better of the two.
    """
    found = []
    if "image" in query.kinds and (query.like is not None or query.mode != "lexical"):
        found.append(pictures.rank(query, view))
    if query.text and query.like is None:  # what is said about pictures is found among the passages
        found.append(passages.rank(query, view))
    elif "text" in query.kinds:
        found.append(passages.rank_like(query, view))
    notes = tuple(note for one in found for note in one.notes)
    if len(found) == 1 and not view.has_pictures:
        return _ranking([(one, place) for one in found for place in range(len(one.ids))], notes)
    origins = [(one, place) for one in found for place in range(len(one.ids))]
    # Stable, so that within a list the order is the list's own where relevance is the same.
    origins.sort(key=lambda origin: -origin[0].relevance[origin[1]])
    return _ranking(_distinct(origins, view), notes)


def _distinct(origins: list[tuple[Found, int]], view: View) -> list[tuple[Found, int]]:
    """Keep the first hit of each picture, and put its own id, the picture's, in place of its caption's."""
    owners = documents.pictures_among(view.snapshot.connection, list({int(one.ids[place]) for one, place in origins}))
    seen = set()
    kept = []
    for one, place in origins:
        owner = owners.get(int(one.ids[place]))
        if owner is not None:
            if owner in seen:
                continue
            seen.add(owner)
        kept.append((one, place))
    return kept


def _ranking(origins: list[tuple[Found, int]], notes: tuple[str, ...]) -> Ranking:
    ids = np.array([one.ids[place] for one, place in origins], np.int64)
    scores = np.array([one.scores[place] for one, place in origins], np.float32)
    relevance = tuple(float(one.relevance[place]) for one, place in origins)
    return Ranking(Candidates(ids, scores), relevance, tuple(origins), notes)
