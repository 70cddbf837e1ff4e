"""Candidates -> one ranking: what each mode makes of what the retrievers found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


from search.models.cards import knows
from search.retrieval import DEEP, DEPTH, View
from search.types import Candidates, Query


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage's place in a ranking, and what speaks for it."""

    id: int
    score: float
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Passages, best first; `notes` say what could not be weighed."""

    items: list[Ranked]
    notes: tuple[str, ...] = ()


def rank(query: Query, view: View) -> Ranking:
    """Rank by the query's mode."""
    if query.mode == "semantic":
        return Ranking(
            _plain(
                view.nearest(view.encode(query.text), DEEP if query.offset + query.limit > DEPTH else DEPTH), "semantic"
            )
        )
    if query.mode == "lexical":
        return Ranking(
            _plain(view.matching(query.text, DEEP if query.offset + query.limit > DEPTH else DEPTH), "lexical")
        )
    dense = view.nearest(view.encode(query.text))
    lexical = view.matching(query.text)
    scores: dict[int, float] = {}
    for c, w in (
        (dense, 0.7 if view.encoder is None or knows(view.encoder.card, query.text) > 0.5 else 0.0),
        (lexical, 0.3),
    ):
        if len(c):
            lo, hi = c.scores[-1], c.scores[0]
            for i, s in zip(c.ids.tolist(), ((c.scores - lo) / max(hi - lo, 1e-9)).tolist(), strict=True):
                scores[i] = scores.get(i, 0.0) + w * s
    order = sorted(scores, key=lambda i: (-scores[i], i))
    return Ranking([Ranked(i, scores[i]) for i in order])


def _plain(found: Candidates, name: str) -> list[Ranked]:
    return [
        Ranked(id, score, {name: {"rank": place, "score": round(score, 4)}})
        for place, (id, score) in enumerate(zip(found.ids.tolist(), found.scores.tolist(), strict=True), start=1)
    ]
