"""Ranking pictures: by words, by another picture, or by both at once, in the spaces of image models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from quarry.search.beside import PICTURES_MISSING
from quarry.search.errors import ModelError
from quarry.search.language.analysis import query_terms
from quarry.search.language.scripts import is_foreign
from quarry.search.models.names import DEFAULT_IMAGE_MODEL
from quarry.search.queries.query import Query
from quarry.search.ranking.ranked_list import ONLY_THE_PICTURE, RankedList, told
from quarry.search.ranking.retrievers import InSpace, down_to, together, unit
from quarry.search.relevance import ALIKE, ALIKE_UNKNOWN, CALIBRATIONS, GENERAL, OTHER_LANGUAGES, Null, least
from quarry.search.types import Vectors
from quarry.search.values.notes import Note
from quarry.search.views import LibraryView, SpaceView

MEDIUM = "image"
_BY_WORDS = "Pictures were found by what is said about them only."


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
            notes.append(Note.of_error("model_missing_pictures_by_words", space.missing, _BY_WORDS))
        elif is_foreign(space, query.text):  # where nothing can be done about it, the passages' list says so
            notes += [PICTURES_MISSING] if space.model == DEFAULT_IMAGE_MODEL else []
        else:
            try:
                members.append(_by_words(space, query))
            except ModelError as error:  # of the multilingual model
                notes.append(Note.of_error("model_missing_pictures_by_words", error, _BY_WORDS))
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
    away, null = query.away.get(space.name), _null(space, query.text)
    if away is not None and space.encoder is not None:
        weight = float(np.linalg.norm(away)) * null.spread / ALIKE.get(space.model, ALIKE_UNKNOWN).spread
        away = np.float32(weight) * space.encoder.as_query(unit(away))
    return replace(InSpace.by_words(space, query.text, away), null=null)


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
    null = _null(space, text)
    weight = alike.spread / null.spread
    both = np.float32(query.pull) * like + np.float32(weight) * space.encoded(text)
    length = max(float(np.linalg.norm(both)), 1e-12)
    return InSpace(space, (both / length).astype(np.float32), alike.plus(null, length, weight, query.pull))


def _null(space: SpaceView, text: str) -> Null:
    """Return what cosines to words are by chance, by their language."""
    if space.model != DEFAULT_IMAGE_MODEL:
        return space.null
    from quarry.search.models.image.languages import InEveryLanguage  # not for who has no pictures

    is_other = isinstance(space.encoder, InEveryLanguage) and not space.encoder.is_own(text)
    return space.null.wider(OTHER_LANGUAGES) if is_other else space.null
