"""The first hits in a better order, by a model that looks at query and passage together.

`reader`         by the evidence for the best span: a passage that answers the question comes before one about it
`cross-encoder`  by the score of a sentence-transformers CrossEncoder alone, which was trained for just that

The depth is fixed, whatever the limit and the offset, so that pages never reshuffle. What lies below keeps its order
and counts for no more than what was weighed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from quarry.search.answers.answering import Readings
from quarry.search.answers.evidence import Asked, Evidence, features, fitting
from quarry.search.models.contracts import CrossEncoder
from quarry.search.models.names import DEFAULT_READER
from quarry.search.types import Hit, Reading

RERANKED = 20  # hits
# What speaks for a hit to hold an answer, by its best span: how relevant it is counts more than for the span itself.
RERANKING: Mapping[str, Evidence] = {DEFAULT_READER: Evidence(-2.335, 0.104, 0.311, 0.218, -0.409, -0.273)}


def by_reader(asked: Asked, hits: Sequence[Hit], readings: Readings, evidence: Evidence) -> list[Hit]:
    """Return hits by the evidence for their best answers; where nothing was read, as for the least of those spans."""
    best = {id: max(found, key=lambda one: one.score) for id, found in readings.items() if found}
    least = min((one.score for one in best.values()), default=0.0)
    spans = [(hit, best.get(hit.id, Reading(0, 0, least))) for hit in hits]
    relevance = {}
    for hit, one in zip(hits, features(asked, spans), strict=True):
        weights = fitting(asked, hit, evidence) if hit.id in best else evidence
        relevance[hit.id] = weights.confidence(one)
    scores = {id: one.score for id, one in best.items()}
    return _ordered(hits, relevance, "reader", scores)


def by_cross_encoder(query: str, hits: Sequence[Hit], encoder: CrossEncoder) -> list[Hit]:
    """Return hits by a cross-encoder; pictures about which nothing is said keep their own relevance."""
    read = [hit for hit in hits if hit.text]
    logits = encoder.score(query, [hit.text for hit in read])
    scores = {hit.id: float(logit) for hit, logit in zip(read, logits, strict=True)}
    relevance = {hit.id: float(1 / (1 + np.exp(-np.clip(scores[hit.id], -30, 30)))) for hit in read}
    return _ordered(hits, relevance, "cross_encoder", scores)


def _ordered(hits: Sequence[Hit], relevance: Mapping[str, float], name: str, scores: Mapping[str, float]) -> list[Hit]:
    found = []
    for rank, hit in enumerate(hits, 1):
        told = hit.explanation
        if told is not None:
            score = scores.get(hit.id)
            told = {**told, name: {"rank_before": rank, "score": None if score is None else round(score, 4)}}
        found.append(replace(hit, relevance=relevance.get(hit.id, hit.relevance), explanation=told))
    return sorted(found, key=lambda hit: -hit.relevance)
