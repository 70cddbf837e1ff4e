"""What a search answers, and a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quarry.api.bodies.answers import answer_body, summary_body
from quarry.api.bodies.hits import hit_body, notes_body
from quarry.search.answers.choosing import Choice
from quarry.search.queries.query import Response
from quarry.search.types import Facet


def response_body(response: Response) -> dict[str, Any]:
    """Return what `POST /v1/search` answers."""
    body = {
        "query": response.query.text,
        "without": list(response.query.without),
        "mode": response.query.mode,
        "hits": [hit_body(hit) for hit in response.hits],
        "answers": [answer_body(answer) for answer in response.answers],
        "summary": summary_body(response.summary) if response.summary else None,
        "facets": {name: facet_body(facet) for name, facet in response.facets.items()},
        "took_ms": round(response.took_ms, 3),
        "generation": response.generation,
        **notes_body(response.notes),
        "left_out": response.left_out,
    }
    if response.query.explain:
        body["timings"] = {stage: round(took, 3) for stage, took in response.timings.items()}
    return body


def facet_body(facet: Facet) -> dict[str, Any]:
    """Return the counts of a field's values, each with those that lie below it."""
    values = [
        {"value": value, "count": count} | ({"below": facet_body(facet.below[value])} if value in facet.below else {})
        for value, count in facet.values
    ]
    return {"values": values, "other": facet.other, "missing": facet.missing}


def facets_body(facets: Mapping[str, Facet]) -> dict[str, Any]:
    """Return what `GET /v1/facets` answers."""
    return {"facets": {name: facet_body(facet) for name, facet in facets.items()}}


def ask_body(response: Response, choices: Sequence[Choice] = ()) -> dict[str, Any]:
    """Return what `POST /v1/answer` answers, but for what a model writes."""
    return {
        "query": response.query.text,
        "answers": [answer_body(answer) for answer in response.answers],
        "choices": [
            {
                "text": choice.text,
                "confidence": round(choice.confidence, 4),
                "support": answer_body(choice.support) if choice.support else None,
            }
            for choice in choices
        ],
        "written": None,
        "hits": [hit_body(hit) for hit in response.hits],
        "took_ms": round(response.took_ms, 3),
        "generation": response.generation,
        **notes_body(response.notes),
    }
