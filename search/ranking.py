"""Candidates -> one ranking: what each mode makes of what the retrievers found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from search import fusion
from search.models.cards import knows
from search.retrieval import DEEP, View
from search.stores.lexical import LexicalView
from search.types import Candidates, Query

_KNOWN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Ranking:
    """Passages, best first. `explain` tells of one, by its place, what speaks for it; `notes` what was not weighed."""

    candidates: Candidates
    explain: Callable[[int], Mapping[str, Any]]
    notes: tuple[str, ...] = ()


def rank(query: Query, view: View) -> Ranking:
    """Rank by the query's mode, as far down as the page that is asked for reaches."""
    if query.mode == "semantic":
        return _semantic(query, view)
    if query.mode == "lexical":
        return _lexical(query, view)
    if view.encoder is None:
        return _lexical(query, view, (f"{view.why['encoder']} It was searched by words only.",))
    if view.lexical is None:
        lost = (f"{view.why['lexical']} It was searched by meaning only.",) if "lexical" in view.why else ()
        return _semantic(query, view, lost)
    return _hybrid(query, view, view.lexical)


def _semantic(query: Query, view: View, notes: tuple[str, ...] = ()) -> Ranking:
    vector = view.encode(query.text)
    if (unknown := _unknown_script(query, view)) and view.lexical is None:
        notes += (f"{unknown}; what it found by meaning is little better than chance.",)
    return _single("semantic", lambda k: view.nearest(vector, k), query, notes)


def _lexical(query: Query, view: View, notes: tuple[str, ...] = ()) -> Ranking:
    return _single("lexical", lambda k: view.matching(query.text, k), query, notes)


def _single(name: str, search: Callable[[int], Candidates], query: Query, notes: tuple[str, ...]) -> Ranking:
    found = search(fusion.DEPTH)
    if query.offset + query.limit > fusion.DEPTH and len(found) == fusion.DEPTH:
        found = _deepened(found, search(DEEP))

    def explain(place: int) -> Mapping[str, Any]:
        return {name: {"rank": place + 1, "score": _rounded(found.scores[place])}}

    return Ranking(found, explain, notes)


def _deepened(head: Candidates, deep: Candidates) -> Candidates:
    """Append what a deeper search found to the head, which stays as it is: pages must not reshuffle."""
    more = ~np.isin(deep.ids, head.ids)
    return Candidates(np.concatenate([head.ids, deep.ids[more]]), np.concatenate([head.scores, deep.scores[more]]))


def _hybrid(query: Query, view: View, index: LexicalView) -> Ranking:
    dense_weight, notes = fusion.DENSE_WEIGHT, tuple[str, ...]()
    if unknown := _unknown_script(query, view):
        dense_weight, notes = 0.0, (f"{unknown}; it was searched by words only.",)
    vector = view.encode(query.text) if dense_weight else np.empty(0, np.float32)
    dense = view.nearest(vector, fusion.DEPTH) if dense_weight else Candidates.empty()
    lexical = view.matching(query.text, fusion.DEPTH)
    fused = fusion.hybrid(
        vector,
        dense,
        lexical,
        view.stored,
        lambda ids: index.scores_for(query.text, ids, view.tail),
        weight=index.weight(query.text, view.tail),
        dense_weight=dense_weight,
    )
    found = fused.candidates
    if query.offset + query.limit > len(found):
        deep = view.nearest(vector, DEEP) if dense_weight else dense
        found = fusion.extend(fused, deep, view.matching(query.text, DEEP), dense_weight)
    return Ranking(found, _explainer(fused, dense, lexical, dense_weight), notes)


def _explainer(
    fused: fusion.Fused, dense: Candidates, lexical: Candidates, dense_weight: float
) -> Callable[[int], Mapping[str, Any]]:
    places = {
        name: {id: place for place, id in enumerate(found.ids.tolist(), start=1)}
        for name, found in (("semantic", dense), ("lexical", lexical))
    }

    def explain(place: int) -> Mapping[str, Any]:
        if place >= len(fused.ids):
            return {"fusion": {"beyond": "ranked after everything that was fused exactly"}}
        id = int(fused.ids[place])
        return {
            "semantic": {"rank": places["semantic"].get(id), "score": _rounded(fused.semantic[place])},
            "lexical": {"rank": places["lexical"].get(id), "score": _rounded(fused.lexical[place])},
            "fusion": {
                "semantic_weight": dense_weight,
                "own": _rounded(fused.own[place]),
                "with_neighbours": _rounded(fused.scores[place]),
            },
        }

    return explain


def _unknown_script(query: Query, view: View) -> str:
    """Say that the encoder does not know the query's script; "" where it does."""
    if view.encoder is None or knows(view.encoder.card, query.text) >= _KNOWN_SHARE:
        return ""
    return f"{view.encoder.card.name} does not know the query's script"


def _rounded(value: np.floating[Any]) -> float:
    return round(float(value), 4)
