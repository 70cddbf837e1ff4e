"""What several libraries say beside hits, put together: counts, notes, fields, answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from quarry.api.federation.merging import placed, placed_occurrence
from quarry.search.fields.facets import added
from quarry.search.fields.held import Field
from quarry.search.queries.query import Response
from quarry.search.types import Answer, Facet
from quarry.search.values.notes import Note, once

# What is told of a filter holds of all only where it holds of each.
OF_ALL = frozenset({"field_unknown", "filter_unmet", "filter_unmet_together"})
_SHOWN = 5  # values of a field


def notes(given: Mapping[str, Response]) -> tuple[Note, ...]:
    """Return what libraries say of themselves; what all say once, and what holds of all only where all say it."""
    said = Counter(note.text for response in given.values() for note in response.notes)
    codes = [{note.code for note in response.notes} for response in given.values()]
    kept = []
    for name, response in given.items():
        for note in response.notes:
            if len(given) == said[note.text] > 0:
                kept.append(note)
            elif note.code not in OF_ALL or all(note.code in own for own in codes):
                kept.append(note.of_library(name))
    return once(kept)


def placed_answer(answer: Answer, library: str) -> Answer:
    """Return an answer as one of several libraries."""
    return replace(
        answer, hit=placed(answer.hit, library), also=tuple(placed_occurrence(one, library) for one in answer.also)
    )


def facets(given: Sequence[Mapping[str, Facet]]) -> dict[str, Facet]:
    """Return the counts of several libraries together."""
    names = dict.fromkeys(name for own in given for name in own)
    return {name: added([own[name] for own in given if name in own], name) for name in names}


def field(same: Sequence[Field]) -> Field:
    """Return a field of several libraries."""
    types, values = Counter[str](), Counter[tuple[bool, Any]]()
    for one in same:
        types.update(one.types)
        for value, times in one.values:
            values[isinstance(value, bool), value] += times
    top = sorted(values.items(), key=lambda one: (-one[1], str(one[0][1])))[:_SHOWN]
    unclear = dict.fromkeys(text for one in same for text in one.unclear)
    return Field(
        same[0].name,
        sum(one.documents for one in same),
        dict(types.most_common()),
        tuple((value, times) for (_, value), times in top),
        max(len(values), *(one.distinct for one in same)),
        tuple(unclear)[:_SHOWN],
    )
