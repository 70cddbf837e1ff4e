"""Ranking passages: what each mode makes of what the retrievers found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from quarry.search import fusion
from quarry.search.relevance import CALIBRATIONS, WORDS_ENOUGH, at_least, coverage, enveloped, least
from quarry.search.retrieval import DEEP, ONLY_THE_PICTURE, Found, View, down_to, middle
from quarry.search.scripts import is_foreign, knows
from quarry.search.stores.lexical import LexicalView
from quarry.search.types import Candidates, Query, Vectors


def rank(query: Query, view: View) -> Found:
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


def rank_like(query: Query, view: View) -> Found:
    """Rank passages by what a picture shows; words that are given as well count for as much."""
    if lost := [view.why[part] for part in ("encoder", "image") if part in view.why]:
        return Found.empty((f"{lost[0]} Passages were not searched.",))
    if query.like is None or view.vectors is None or view.image_encoder is None or view.encoder is None:
        return Found.empty()
    vector = view.image_encoder.as_text_query(query.like, view.encoder.identity)
    if vector is None:
        return Found.empty((f"{view.image_encoder.card.name} can't find passages by a picture.",))
    if _unknown_script(query, view):
        return _by_meaning(vector, query, view, (ONLY_THE_PICTURE,))
    return _by_meaning(middle(vector, view.encode(query.text)) if query.text else vector, query, view)


def rank_near(query: Query, view: View, near: Vectors) -> Found:
    """Rank passages by how near they are to a text; words that are given as well count for as much."""
    if "text" not in query.kinds:
        return Found.empty(("Only passages are found by a text; search for pictures with words.",))
    if query.text and not _unknown_script(query, view):
        near = middle(near, view.encode(query.text))
    return _by_meaning(near, query, view)


def _semantic(query: Query, view: View, notes: tuple[str, ...] = ()) -> Found:
    vector = view.encode(query.text)
    if (unknown := _unknown_script(query, view)) and view.lexical is None:
        notes += (f"{unknown}; what it found by meaning is little better than chance.",)
    return _by_meaning(vector, query, view, notes)


def _by_meaning(vector: Vectors, query: Query, view: View, notes: tuple[str, ...] = ()) -> Found:
    found = down_to(query, lambda k: view.nearest(vector, k))
    relevance = CALIBRATIONS["semantic"].of(view.null("text").distance(found.scores))
    meant = relevance >= least("semantic", view.encoder.card.name if view.encoder else "")
    return Found(found.ids, found.scores, relevance, _told("semantic", found), notes, meant)


def _lexical(query: Query, view: View, notes: tuple[str, ...] = ()) -> Found:
    found = down_to(query, lambda k: view.matching(query.text, k))
    weight = view.lexical.weight(query.text, view.tail) if view.lexical is not None else 1.0
    relevance = CALIBRATIONS["lexical"].of(coverage=coverage(found.scores, weight))
    return Found(found.ids, found.scores, relevance, _told("lexical", found), notes)


def _told(name: str, found: Candidates) -> Callable[[int], Mapping[str, Any]]:
    return lambda place: {name: {"rank": place + 1, "score": _rounded(found.scores[place])}}


def _hybrid(query: Query, view: View, index: LexicalView) -> Found:
    notes = tuple[str, ...]()
    known = knows(view.encoder.card, query.text) if view.encoder is not None else 0.0
    if unknown := _unknown_script(query, view):
        known, notes = 0.0, (f"{unknown}; it was searched by words only.",)
    # Of a query in two scripts the encoder understands a part: it counts for less, and from half on for nothing.
    weight = index.weight(query.text, view.tail)
    scale = fusion.Scale(view.null("text"), weight, fusion.DENSE_WEIGHT * max(0.0, 2 * known - 1))
    vector = view.encode(query.text) if scale.dense_weight else np.empty(0, np.float32)
    dense = view.nearest(vector, fusion.DEPTH) if scale.dense_weight else Candidates.empty()
    lexical = view.matching(query.text, fusion.DEPTH)
    fused = fusion.hybrid(
        vector,
        dense,
        lexical,
        view.stored,
        lambda ids: index.scores_for(query.text, ids, view.tail),
        lambda ids: index.held_by(query.text, ids, view.tail),
        scale,
    )
    words = coverage(fused.lexical, weight)
    relevance = CALIBRATIONS["lexical"].of(coverage=words)
    evidence = "hybrid" if scale.dense_weight else "lexical"
    if scale.dense_weight:
        both = CALIBRATIONS[evidence].of(scale.null.distance(fused.semantic), fused.held)
        # What has no vector, such as a picture found by the words of its path, is judged by its words alone.
        relevance = np.where(fused.semantic != 0, both, relevance)
    relevance = enveloped(at_least(relevance, fused.singled_out, fused.held))
    low = least(evidence, view.encoder.card.name if view.encoder else "")
    said = fused.held >= WORDS_ENOUGH
    found = fused.candidates
    if query.offset + query.limit > len(found):
        deep = view.nearest(vector, DEEP) if scale.dense_weight else dense
        found = fusion.extend(fused, deep, view.matching(query.text, DEEP), scale)
        # What lies beyond was not weighed exactly, and counts for less than all that was.
        beyond = np.geomspace(1, 0.1, len(found) - len(relevance) + 1, dtype=np.float32)[1:]
        relevance = np.concatenate([relevance, (relevance[-1] if len(relevance) else 0) * beyond])
    meant = relevance >= low
    meant[: len(said)] |= said
    return Found(
        found.ids, found.scores, relevance, _explainer(fused, dense, lexical, scale.dense_weight), notes, meant
    )


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
            "lexical": {
                "rank": places["lexical"].get(id),
                "score": _rounded(fused.lexical[place]),
                "share_of_words": _rounded(np.minimum(fused.held[place], 1)),
            },
            "fusion": {
                "semantic_weight": round(dense_weight, 4),
                "own": _rounded(fused.own[place]),
                "with_neighbours": _rounded(fused.scores[place]),
            },
        }

    return explain


def _unknown_script(query: Query, view: View) -> str:
    """Say that the encoder does not know the query's script; "" where it does."""
    if view.encoder is None or not is_foreign(view.encoder.card, query.text):
        return ""
    return f"{view.encoder.card.name} does not know the query's script"


def _rounded(value: np.floating[Any]) -> float:
    return round(float(value), 4)
