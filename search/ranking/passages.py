"""Ranking passages: what each mode makes of what the retrievers found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelError
from quarry.search.language.scripts import is_foreign
from quarry.search.queries.query import Query
from quarry.search.ranking import fusion
from quarry.search.ranking.discounting import Discount
from quarry.search.ranking.languages import PassageLanguages, languages
from quarry.search.ranking.ranked_list import ONLY_THE_PICTURE, RankedList, calibration, rounded, told
from quarry.search.ranking.retrievers import DEEP, Dense, InSpace, Lexical, down_to, middle, together
from quarry.search.relevance import (
    CALIBRATIONS,
    UNKNOWN,
    WORDS_ENOUGH,
    apart,
    at_least,
    coverage,
    enveloped,
    least,
)
from quarry.search.requests.timing import Stage
from quarry.search.types import Candidates, Vectors
from quarry.search.values.notes import Note
from quarry.search.views import LibraryView, SpaceView

MEDIUM = "text"
_UNKNOWN = ("script_unknown_words_only", "script_unknown_by_chance")


def ranked(query: Query, view: LibraryView) -> RankedList:
    """Rank by the query's mode, or by what passages are to be like; as far down as the page that is asked for reaches.

    What is said about documents of other kinds is found here, too.
    """
    if query.example is not None:
        return _like(query, query.example, view)
    found = _by_mode(query, view)
    if _asks_for_passages(query, view):
        return found
    return replace(found, notes=tuple(note for note in found.notes if note.code not in _UNKNOWN))


def _asks_for_passages(query: Query, view: LibraryView) -> bool:
    """Whether there is a loss in passages that a query does not reach: not where pictures are meant, and reached."""
    pictures = [space for space in view.of("image") if space.vectors is not None]
    is_there = any(space.vectors is not None for space in view.of(MEDIUM))
    return not pictures or (is_there and MEDIUM in query.kinds) or any(is_foreign(one, query.text) for one in pictures)


def _by_mode(query: Query, view: LibraryView) -> RankedList:
    words, discount = Lexical(view.words, query.text, MEDIUM), Discount(view.boilerplate)
    if query.mode == "lexical":
        return _lexical(query, words, discount)
    spaces = [space for space in view.of(MEDIUM) if space.encoder is not None]
    lost = [space for space in view.of(MEDIUM) if space.encoder is None]
    if query.mode == "hybrid" and not spaces:
        cost = "It was searched by words only."
        why = [space.missing for space in lost if space.missing]
        return _lexical(
            query, words, discount, *(Note.of_error("model_missing_words_only", error, cost) for error in why)
        )
    notes = [_unsearched(space.name, space.missing) for space in lost if spaces and space.missing]
    spoken = languages(view.snapshot, query.text, spaces)
    if query.mode == "hybrid" and words.words.index is not None:
        return _hybrid(query, spaces, words, spoken, discount, *notes)
    if query.mode == "hybrid" and words.words.missing:
        notes.append(Note.of_error("words_missing", words.words.missing, "It was searched by meaning only."))
    return _semantic(query, spaces or lost, spoken, discount, *notes)


def _like(query: Query, like: Mapping[str, Vectors], view: LibraryView) -> RankedList:
    """Rank passages by how near they are to a text, or by what a picture shows; words given as well count as much."""
    spaces = view.of(MEDIUM)
    own = [space for space in spaces if space.name in like]
    if MEDIUM not in query.kinds:
        only = Note("no_pictures_by_text", "Only passages are found by a text; search for pictures with words.")
        return RankedList.empty(*([only] if own else []))
    if own:
        members = [InSpace(space, _with_words(like[space.name], query, space), space.null) for space in own]
        return _by_meaning(query, together(members), Discount(view.boilerplate))
    sources = [view.spaces[name] for name in like if name in view.spaces]
    if lost := [space.missing for space in (*spaces, *sources) if space.missing]:
        return RankedList.empty(Note.of_error("model_missing_passages", lost[0], "Passages were not searched."))
    members = [
        InSpace(space, _with_words(vector, query, space), space.null)
        for space in spaces
        if space.vectors is not None and (vector := _reached(space, like, sources)) is not None
    ]
    if not members:
        models = [source.model for source in sources if any(space.vectors is not None for space in spaces)]
        said = "can't find passages by a picture."
        return RankedList.empty(*(Note("no_passages_by_picture", f"{one} {said}", {"model": one}) for one in models))
    foreign = query.text and all(is_foreign(one.space, query.text) for one in members)
    return _by_meaning(query, together(members), Discount(view.boilerplate), *([ONLY_THE_PICTURE] if foreign else []))


def _reached(space: SpaceView, like: Mapping[str, Vectors], sources: Sequence[SpaceView]) -> Vectors | None:
    """Return the (d,) unit vector by which passages are found in a space that say what is given in another one."""
    for source in sources:
        if source.encoder is not None and space.encoder is not None:
            vector = source.encoder.as_text_query(like[source.name], space.encoder.identity)
            if vector is not None:
                return vector
    return None


def _with_words(vector: Vectors, query: Query, space: SpaceView) -> Vectors:
    """Return a (d,) vector moved half-way to words or further, where there are any that the space knows."""
    if not query.text or is_foreign(space, query.text):
        return vector
    return middle(np.float32(query.pull) * vector, space.encoded(query.text))


def _by_words(space: SpaceView, query: Query) -> InSpace:
    return InSpace.by_words(space, query.text, query.away.get(space.name))


def _semantic(
    query: Query, spaces: Sequence[SpaceView], spoken: PassageLanguages | None, discount: Discount, *notes: Note
) -> RankedList:
    known = [space for space in spaces if not is_foreign(space, query.text)]
    if not known:
        cost = "what it found by meaning is little better than chance."
        notes += (_unknown_script("script_unknown_by_chance", spaces, cost),)
    members = [_by_words(space, query) for space in known or spaces[:1]]
    return _by_meaning(query, together(members), discount, *notes, spoken=spoken)


def _by_meaning(
    query: Query, retriever: Dense, discount: Discount, *notes: Note, spoken: PassageLanguages | None = None
) -> RankedList:
    found = down_to(query, lambda k: discount.nearest(retriever, k))
    distance = retriever.null.distance(found.scores)
    relevance = CALIBRATIONS["semantic"].of(distance)
    if spoken is not None:
        others = spoken.are_others(found.ids)
        distance = apart(distance, spoken.shared(found.ids, others))
        own, across = (CALIBRATIONS[name].of(distance) for name in ("semantic", "across"))
        relevance = enveloped(np.where(others, across, own))
    meant = relevance >= least("semantic", retriever.model)
    explain = told("semantic", found, retriever.null, distance)
    return RankedList(found.ids, found.scores, relevance, explain, notes, meant, retriever)


def _lexical(query: Query, words: Lexical, discount: Discount, *notes: Note) -> RankedList:
    found = down_to(query, lambda k: discount.ranked(words.nearest, k))
    relevance = CALIBRATIONS["lexical"].of(coverage=coverage(found.scores, words.idf))
    return RankedList(found.ids, found.scores, relevance, told(words.name, found), notes)


def _hybrid(
    query: Query,
    spaces: Sequence[SpaceView],
    words: Lexical,
    spoken: PassageLanguages | None,
    discount: Discount,
    *notes: Note,
) -> RankedList:
    known = [space for space in spaces if not is_foreign(space, query.text)]
    if not known:
        notes += (_unknown_script("script_unknown_words_only", spaces, "it was searched by words only."),)
    dense = together([_by_words(space, query) for space in known]) if known else None
    if dense is not None and not dense.weight:  # a model knows just half of the query
        dense = None
    weight = 0.0 if dense is None else fusion.DENSE_WEIGHT * dense.weight
    scale = fusion.Scale(UNKNOWN if dense is None else dense.null, words.idf, weight)
    near = discount.head(dense.nearest, fusion.DEPTH) if dense is not None else Candidates.empty()
    lexical = discount.head(words.nearest, fusion.DEPTH)
    with Stage("fuse"):
        fused = fusion.hybrid(near, lexical, dense, words, scale, spoken, discount)
    held = coverage(fused.lexical, words.idf)
    distance = scale.null.distance(fused.semantic)
    if spoken is not None:
        distance = apart(distance, spoken.shared(fused.ids, fused.others))
    relevance = CALIBRATIONS["lexical"].of(coverage=held)
    evidence = "lexical" if dense is None else "hybrid"
    if dense is not None:
        both = CALIBRATIONS[evidence].of(distance, fused.held)
        both = np.where(fused.others, np.maximum(both, CALIBRATIONS["across"].of(distance)), both)
        # What has no vector, such as a picture found by the words of its path, is judged by its words alone.
        relevance = np.where(fused.semantic != 0, both, relevance)
    relevance = enveloped(at_least(relevance, fused.singled_out, fused.held))
    low = least(evidence, spaces[0].model)
    said = fused.held >= WORDS_ENOUGH
    found = fused.candidates
    if query.offset + query.limit > len(found):
        deep = discount.nearest(dense, DEEP) if dense is not None else near
        deep_words = discount.ranked(words.nearest, DEEP)
        found = fusion.extend(fused, deep, deep_words, scale)
        ids = found.ids[len(fused.ids) :]
        cosines, held = fusion.beyond(ids, deep, deep_words, words.idf)
        own = CALIBRATIONS["lexical"].of(coverage=held)
        if dense is not None:
            far = scale.null.distance(cosines)
            if spoken is not None:
                far = apart(far, spoken.shared(ids, spoken.are_others(ids)))
            own = np.where(cosines != 0, CALIBRATIONS[evidence].of(far, held), own)
        # What lies beyond was not weighed exactly, and counts for no more than all that was.
        most = relevance[-1] if len(relevance) else np.float32(1)
        meant = np.concatenate([relevance, own]) >= low
        relevance = np.concatenate([relevance, enveloped(np.minimum(own, most))])
        said = np.concatenate([said, held >= WORDS_ENOUGH])
    else:
        meant = relevance >= low
    meant |= said
    # A word of boilerplate hardly counts, and whoever asks for it is not told that it stands nowhere.
    repeated = ~meant & discount.boilerplate.frame_of(found.ids).astype(np.bool_)
    if repeated.any() and len(lexical):
        meant[repeated] = words.said_by(found.ids[repeated]) >= WORDS_ENOUGH
    explain = _explainer(fused, {"semantic": near, "lexical": lexical}, scale, distance)
    return RankedList(found.ids, found.scores, relevance, explain, notes, meant, dense)


def _explainer(
    fused: fusion.Fused, lists: Mapping[str, Candidates], scale: fusion.Scale, distance: NDArray[np.float64]
) -> Callable[[int], Mapping[str, Any]]:
    places = {
        name: {id: place for place, id in enumerate(found.ids.tolist(), start=1)} for name, found in lists.items()
    }

    def explain(place: int) -> Mapping[str, Any]:
        if place >= len(fused.ids):
            return {"fusion": {"beyond": "ranked after everything that was fused exactly"}}
        id = int(fused.ids[place])
        return {
            "semantic": {"rank": places["semantic"].get(id), "score": rounded(fused.semantic[place])},
            "lexical": {
                "rank": places["lexical"].get(id),
                "score": rounded(fused.lexical[place]),
                "share_of_words": rounded(np.minimum(fused.held[place], 1)),
            },
            "fusion": {
                "semantic_weight": round(scale.dense_weight, 4),
                "own": rounded(fused.own[place]),
                "with_neighbours": rounded(fused.scores[place]),
                "singled_out": bool(fused.singled_out[place]),
            },
            "calibration": calibration(scale.null, float(fused.semantic[place]), float(distance[place]))
            | {"share_of_words": rounded(np.minimum(fused.held[place], 1))},
        }

    return explain


def _unsearched(space: str, why: ModelError) -> Note:
    return Note.of_error("model_missing_space", why, f"The space {space} was not searched.", space=space)


def _unknown_script(code: str, spaces: Sequence[SpaceView], cost: str) -> Note:
    """Say that the models of spaces do not know the query's script."""
    models = [space.model for space in spaces]
    named = models[0] if len(models) == 1 else f"{', '.join(models[:-1])} and {models[-1]}"
    verb = "does" if len(models) == 1 else "do"
    return Note(code, f"{named} {verb} not know the query's script; {cost}", {"models": models})
