"""Ranking pictures: by words, by another picture, or by both at once, in the space of the image model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from quarry.search.analysis import query_terms
from quarry.search.relevance import ALIKE, ALIKE_UNKNOWN, CALIBRATIONS, GENERAL, Null, least
from quarry.search.retrieval import ONLY_THE_PICTURE, Found, View, down_to
from quarry.search.scripts import is_foreign
from quarry.search.types import Query, Vectors


def rank(query: Query, view: View) -> Found:
    """Rank pictures by their vectors; nothing where the library has none, or the model can't be used."""
    if view.pictures is None:
        return Found.empty((f"{view.why['image']} Pictures were not searched.",) if "image" in view.why else ())
    if query.like is None and view.image_encoder is None:
        return Found.empty((f"{view.why['image']} Pictures were found by what is said about them only.",))
    notes: tuple[str, ...] = ()
    if _unknown(query.text, view):
        if query.like is None:
            return Found.empty()  # the passages' ranking has said so already
        query, notes = replace(query, text=""), (ONLY_THE_PICTURE,)
    vector, null = _asked(query, view)
    pictures = view.pictures
    found = down_to(query, lambda k: pictures.search(vector, k, view.allowed_pictures))
    evidence = "image" if len(query_terms(query.text)) > GENERAL else "general"
    evidence = evidence if query.like is None else "alike"
    relevance = CALIBRATIONS[evidence].of(null.distance(found.scores))

    def explain(place: int) -> Mapping[str, Any]:
        return {"image": {"rank": place + 1, "score": round(float(found.scores[place]), 4)}}

    meant = relevance >= least(evidence, view.image_encoder.card.name if view.image_encoder else "")
    return Found(found.ids, found.scores, relevance, explain, notes, meant)


def _asked(query: Query, view: View) -> tuple[Vectors, Null]:
    """Return the (d,) unit vector of words, of a picture, or between both, and what it scores by chance."""
    if query.like is None:
        return view.encode_for_pictures(query.text), view.null("image")
    if view.image_encoder is None:
        if query.text:
            raise view.why["image"]
        return query.like, ALIKE_UNKNOWN
    card = view.image_encoder.card
    like, alike = card.as_query(query.like), ALIKE.get(card.name, ALIKE_UNKNOWN)
    if not query.text:
        return like, alike
    # Cosines to a text are spread less than those to a picture: as they are, words would hardly count.
    chance = view.null("image")
    weight = alike.spread / chance.spread
    both = like + np.float32(weight) * view.encode_for_pictures(query.text)
    length = max(float(np.linalg.norm(both)), 1e-12)
    return (both / length).astype(np.float32), alike.plus(chance, length, weight)


def _unknown(text: str, view: View) -> bool:
    return bool(text) and view.image_encoder is not None and is_foreign(view.image_encoder.card, text)
