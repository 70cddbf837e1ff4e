"""What hits are not to be about, said in words: those are left out that are nearer to it than to what is asked.

That is Rocchio's classifier (Manning, Raghavan, Schuetze 2008, "Introduction to Information Retrieval", 14.2) with a
class for what is asked and one for each text that is excluded, the vector of the text being its middle. Nothing else
changes: neither the order nor the relevance of what stays. Subtracting what is excluded from the query (Widdows 2003,
"Orthogonal negation in vector spaces") leaves out more, and wrongly where both have much in common: of "jaguar" without
"jaguar cars", it leaves no animal.
"""

from __future__ import annotations

import numpy as np

from quarry.search.language.scripts import is_foreign, knows
from quarry.search.queries.query import Query
from quarry.search.ranking.ranked_list import RankedList
from quarry.search.ranking.retrievers import middle
from quarry.search.requests.timing import Stage
from quarry.search.types import Vectors
from quarry.search.values.notes import Note
from quarry.search.views import LibraryView, SpaceView


def kept(query: Query, view: LibraryView, medium: str, found: RankedList) -> RankedList:
    """Return the list of a medium without what is rather about what the query excludes."""
    if not query.exclude or not len(found):
        return found
    with Stage("exclude"):
        is_kept = np.ones(len(found), np.bool_)
        unknown = []
        for text in query.exclude:
            known = [space for space in view.of(medium) if _is_known(space, text)]
            known.sort(key=lambda space: -knows(space, text))
            asked = next(((space, vector) for space in known if (vector := _asked(query, space)) is not None), None)
            if asked is None:
                unknown.append(text)
                continue
            space, vector = asked
            stored = space.stored(found.ids)
            is_kept &= stored @ space.encoded(text) <= stored @ vector  # what has no vector stays
        notes = [
            Note("not_excluded", f"What is about {text!r} could not be left out: no model knows it.", {"text": text})
            for text in unknown
        ]
        return found.only(np.flatnonzero(is_kept), *notes)


def _asked(query: Query, space: SpaceView) -> Vectors | None:
    """Return the (d,) unit vector of what is asked in a space, None where it is nothing there."""
    example = None if query.example is None else query.example.get(space.name)
    if example is not None and space.encoder is not None:
        example = space.encoder.as_query(example)
    text = space.encoded(query.text) if query.text and not is_foreign(space, query.text) else None
    return middle(example, text) if example is not None and text is not None else text if example is None else example


def _is_known(space: SpaceView, text: str) -> bool:
    return space.encoder is not None and space.vectors is not None and not is_foreign(space, text)
