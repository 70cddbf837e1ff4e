"""Query -> Candidates -> Hits -> Response, top to bottom."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import replace

from search import analysis
from search.errors import InvalidRequest
from search.ranking import Ranking, rank
from search.retrieval import View
from search.stores import documents
from search.types import KINDS, MAX_LIMIT, MAX_QUERY_CHARACTERS, MAX_REACH, Hit, Query, Response


def search(query: Query, view: View) -> Response:
    """Answer a checked query from one generation."""
    started = time.perf_counter()
    ranking = rank(query, view)
    hits = assemble(query, view, ranking)
    took_ms = (time.perf_counter() - started) * 1e3
    return Response(query, hits, view.snapshot.generation, took_ms, (*view.notes, *ranking.notes))


def checked(query: Query) -> Query:
    """Return the query as it is searched, control characters as spaces.

    Raises:
        InvalidRequest: it is empty, too long or not valid Unicode, or limit and offset are out of bounds.
    """
    if len(query.text) > MAX_QUERY_CHARACTERS:
        raise InvalidRequest(
            f"The query has {len(query.text):,} characters; at most {MAX_QUERY_CHARACTERS:,} can be searched."
        )
    try:
        query.text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"The query has a lone surrogate at character {error.start}; send valid Unicode."
        ) from error
    text = "".join(" " if unicodedata.category(character) == "Cc" else character for character in query.text).strip()
    if not text and query.like is None:
        raise InvalidRequest("The query is empty; say what to look for.")
    if not query.kinds or set(query.kinds) - set(KINDS):
        raise InvalidRequest(f"kinds is {list(query.kinds)}; it can hold {' and '.join(KINDS)}.")
    if not 0 <= query.min_relevance <= 1:
        raise InvalidRequest(f"min_relevance is {query.min_relevance}; it can be 0 to 1.")
    for name, value, low, high in (
        ("limit", query.limit, 1, MAX_LIMIT),
        ("offset", query.offset, 0, MAX_REACH),
        ("offset + limit", query.offset + query.limit, 1, MAX_REACH),
    ):
        if not low <= value <= high:
            raise InvalidRequest(f"{name} is {value}; it can be {low:,} to {high:,}.")
    return replace(query, text=text)


def assemble(query: Query, view: View, ranking: Ranking) -> list[Hit]:
    """Read the passages of one page of the ranking, and mark what matches."""
    relevant = sum(relevance >= query.min_relevance for relevance in ranking.relevance)
    page = range(query.offset, min(query.offset + query.limit, relevant))
    ids, scores = ranking.candidates.ids, ranking.candidates.scores
    rows = documents.hydrate(view.snapshot.connection, ids[page.start : page.stop].tolist())
    said = documents.said_about(view.snapshot.connection, [id for id, row in rows.items() if row[1].kind == "image"])
    hits = []
    for place in page:
        row = rows.get(int(ids[place]))
        if row is None:  # an index that disagrees with the catalog, which `quarry doctor` finds
            continue
        chunk, document = row
        chunk = said.get(int(ids[place]), chunk)
        hits.append(
            Hit(
                id=str(ids[place]),
                score=float(scores[place]),
                relevance=ranking.relevance[place],
                document=document,
                text=chunk.text,
                start=chunk.start,
                end=chunk.end,
                page=chunk.page,
                heading=chunk.heading,
                kind=document.kind,
                highlights=tuple(analysis.spans(chunk.text, query.text)),
                explanation=ranking.explain(place) if query.explain else None,
            )
        )
    return hits
