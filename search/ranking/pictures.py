"""Ranking pictures: by words, by another picture, or by both at once, in the spaces of image models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from quarry.search.language.analysis import query_terms
from quarry.search.language.scripts import is_foreign
from quarry.search.notes import Note
from quarry.search.queries import Query
from quarry.search.ranking.ranked_list import ONLY_THE_PICTURE, RankedList, told
from quarry.search.ranking.retrievers import InSpace, down_to, together, unit
from quarry.search.relevance import ALIKE, ALIKE_UNKNOWN, CALIBRATIONS, GENERAL, least
from quarry.search.types import Vectors
from quarry.search.views import LibraryView, SpaceView

MEDIUM = "image"


def ranked(query: Query, view: LibraryView) -> RankedList:
    """Rank pictures by their vectors; nothing where the library has none, or no model can be used."""
    if MEDIUM not in query.kinds or (query.example is None and query.mode == "lexical"):
        return RankedList.empty()
    members, notes = list[InSpace](), list[Note]()
    for space in view.of(MEDIUM):
        given = None if query.example is None else query.example.get(space.name)
        if query.example is not None and given is None:
            continue  # by a text, no picture is found
        if space.vectors is None:
            if space.missing:
                notes.append(Note.of_error("model_missing_pictures", space.missing, "Pictures were not searched."))
        elif given is not None:
            if query.text and is_foreign(space, query.text):
                notes.append(ONLY_THE_PICTURE)
                members.append(_like(space, given, replace(query, text="")))
            else:
                members.append(_like(space, given, query))
        elif space.missing:
            cost = "Pictures were found by what is said about them only."
            notes.append(Note.of_error("model_missing_pictures_by_words", space.missing, cost))
        elif not is_foreign(space, query.text):  # otherwise the passages' list says so
            members.append(_by_words(space, query))
    if not members:
        return RankedList.empty(*notes)
    retriever = together(members)
    found = down_to(query, retriever.nearest)
    evidence = "image" if len(query_terms(query.text)) > GENERAL else "general"
    evidence = evidence if query.example is None else "alike"
    relevance = CALIBRATIONS[evidence].of(retriever.null.distance(found.scores))
    meant = relevance >= least(evidence, retriever.model)
    explain = told(MEDIUM, found, retriever.null)
    return RankedList(found.ids, found.scores, relevance, explain, tuple(notes), meant, retriever)


def _by_words(space: SpaceView, query: Query) -> InSpace:
    """Return what finds by words, away from pictures that hits are not to be like."""
    away = query.away.get(space.name)
    if away is not None and space.encoder is not None:
        weight = float(np.linalg.norm(away)) * space.null.spread / ALIKE.get(space.model, ALIKE_UNKNOWN).spread
        away = np.float32(weight) * space.encoder.as_query(unit(away))
    return InSpace.by_words(space, query.text, away)


def _like(space: SpaceView, picture: Vectors, query: Query) -> InSpace:
    """Return what finds by a picture, and by words where there are any; raise why these have no encoder."""
    text = query.text
    if space.encoder is None:
        if text:
            space.encoded(text)
        return InSpace(space, picture, ALIKE_UNKNOWN)
    like, alike = space.encoder.as_query(picture), ALIKE.get(space.model, ALIKE_UNKNOWN)
    if not text:
        return InSpace(space, like, alike)
    # Cosines to a text are spread less than those to a picture: as they are, words would hardly count.
    weight = alike.spread / space.null.spread
    both = np.float32(query.pull) * like + np.float32(weight) * space.encoded(text)
    length = max(float(np.linalg.norm(both)), 1e-12)
    return InSpace(space, (both / length).astype(np.float32), alike.plus(space.null, length, weight, query.pull))
