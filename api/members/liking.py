"""More like this, less like that: a query is moved towards documents and hits, and away from others (Rocchio 1971).

    vector of the query = words + pull * like - UNLIKE * unlike

`like` and `unlike` are the means of what is named, each weighed by its strength, and `pull` is how strong the strongest
is. What hits are not to be like counts half: it says where not to look, and not where to (Manning, Raghavan, Schuetze
2008, "Introduction to Information Retrieval", 9.1.1, have a fifth, of means over hits that nobody looked at).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from quarry.api.members.reading import find
from quarry.api.opened import OpenLibrary
from quarry.search.errors import NotFound
from quarry.search.queries.query import Liked, Query
from quarry.search.ranking.retrievers import unit
from quarry.search.stores.lookups import vector_rows
from quarry.search.types import Vectors

UNLIKE = 0.5


def moved(library: OpenLibrary, query: Query) -> Query:
    """Return a query for what is like some documents and hits and unlike others, but for these themselves.

    Raises:
        NotFound: there is no such document or hit.
        InvalidRequest: it has no vector.
    """
    documents: list[str] = []
    chunks: list[int] = []
    like, unlike = (_middle(library, named, documents, chunks) for named in query.feedback)
    filter = query.filter
    if documents:
        others = {"id": {"$nin": documents}}
        filter = others if filter is None else {"$and": [filter, others]}
    query = replace(query, filter=filter, apart=(*query.apart, *chunks))
    away = {name: np.float32(UNLIKE) * vector for name, vector in unlike.items()}
    if not like and query.example is None:
        return replace(query, away=away)
    towards = {**(query.example or {}), **like}
    example = {name: unit(vector - away[name]) if name in away else unit(vector) for name, vector in towards.items()}
    return replace(query, example=example, pull=max((one.strength for one in query.feedback[0]), default=1.0))


def _middle(
    library: OpenLibrary, named: Sequence[Liked], documents: list[str], chunks: list[int]
) -> Mapping[str, Vectors]:
    """Return the (d,) means of what is named by the names of spaces, as long as the strongest is strong.

    What is named is added to the ids of documents, or of chunks.
    """
    sums: dict[str, Vectors] = {}
    weights: dict[str, float] = {}
    strongest: dict[str, float] = {}
    for one in named:
        for space, vector in _vectors(library, one.id, documents, chunks).items():
            sums[space] = sums.get(space, np.zeros_like(vector)) + np.float32(one.strength) * vector
            weights[space] = weights.get(space, 0.0) + one.strength
            strongest[space] = max(strongest.get(space, 0.0), one.strength)
    return {space: total * np.float32(strongest[space] / max(weights[space], 1e-12)) for space, total in sums.items()}


def _vectors(library: OpenLibrary, reference: str, documents: list[str], chunks: list[int]) -> Mapping[str, Vectors]:
    """Return the (d,) unit vectors of a document or a hit, by the names of their spaces."""
    try:
        row_id, document = find(library, reference)
    except NotFound:
        if not (reference.isascii() and reference.isdecimal() and len(reference) < 19):
            raise
        with library.catalog().snapshot() as snapshot:
            owner = vector_rows.chunk_owner(snapshot.connection, int(reference))
        if owner is None:
            raise
        row_id, public_id, kind = owner
        if kind == "text":
            chunks.append(int(reference))
            return library.searcher.like_passage(int(reference))
    else:
        public_id, kind = document.id, document.kind
    documents.append(public_id)
    return library.searcher.like(row_id, kind)
