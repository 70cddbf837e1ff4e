"""Ranking pictures: by words, by another picture, or by both at once, in the space of the image model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search import fusion
from search.models.cards import knows
from search.relevance import CALIBRATIONS
from search.retrieval import DEEP, Found, View
from search.types import Query, Vectors

_KNOWN_SHARE = 0.5
_SAME = 12.0  # spreads from the null at which two pictures are as good as one


def rank(query: Query, view: View) -> Found:
    """Rank pictures by their vectors; nothing where the library has none, or the model can't be used."""
    if view.pictures is None:
        return Found.empty((f"{view.why['image']} Pictures were not searched.",) if "image" in view.why else ())
    if query.like is None and view.image_encoder is None:
        return Found.empty((f"{view.why['image']} Pictures were found by what is said about them only.",))
    if query.like is None and _unknown(query.text, view):
        return Found.empty()  # the passages' ranking has said so already
    vector = _vector(query, view)
    depth = fusion.DEPTH if query.offset + query.limit <= fusion.DEPTH else DEEP
    found = view.pictures.search(vector, depth, view.allowed)
    relevance = CALIBRATIONS["image"].of(view.null("image").distance(found.scores))

    def explain(place: int) -> Mapping[str, Any]:
        return {"image": {"rank": place + 1, "score": round(float(found.scores[place]), 4)}}

    return Found(found.ids, found.scores, relevance, explain)


def _vector(query: Query, view: View) -> Vectors:
    """Return the (d,) unit vector of what is looked for: of words, of a picture, or the middle of both."""
    if query.like is None or not query.text:
        return query.like if query.like is not None else view.encode_for_pictures(query.text)
    words = view.encode_for_pictures(query.text)
    both = query.like + words
    middle: Vectors = (both / np.linalg.norm(both)).astype(np.float32)
    return middle


def _unknown(text: str, view: View) -> bool:
    return view.image_encoder is not None and knows(view.image_encoder.card, text) < _KNOWN_SHARE
