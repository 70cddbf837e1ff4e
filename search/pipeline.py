"""How a query is answered, top to bottom.

    Query                what is asked: words, and what hits are to be like
      -> retrievers      `retrievers`: one in each vector space whose model knows the query, one by its words
      -> RankedList      `passages` (meaning and words weighed together by `fusion`) and `pictures`: one for each medium
      -> Ranking         `merging` puts the lists into one by `relevance`; `grouping` folds equal texts, or documents
      -> FoundHits       `hits` reads those of the page that is asked for
      -> Response        reranked, with answers and a summary, as far as the query asks for these

All up to the ranking is made in `ranking/`, from one generation of the library, a `LibraryView` (`views`), which
`wiring` opens. What follows the hits looks at them alone: it takes time, and must not hold back a checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from quarry.search.answers import answering
from quarry.search.answers.answering import READ
from quarry.search.answers.evidence import Asked
from quarry.search.answers.reranking import RERANKED, RERANKING, by_cross_encoder, by_reader
from quarry.search.errors import ModelError
from quarry.search.fields import facets, sorting
from quarry.search.hits.reading import assemble, damage
from quarry.search.models.contracts import CrossEncoder, Reader, TextEncoder
from quarry.search.queries.query import Query, Response
from quarry.search.ranking.grouping import listed
from quarry.search.ranking.merging import Ranking
from quarry.search.requests import deadline
from quarry.search.requests.timing import Stage
from quarry.search.types import RELEVANCE, Answer, Facet, Hit, Summary
from quarry.search.values.notes import Note, once
from quarry.search.views import LibraryView, SpaceView


class Models(Protocol):
    """What hits are looked at with once they are found; each is loaded when it is first asked for."""

    def reader(self) -> Reader:
        """Return what finds answers; raise `ModelError` where it can't be loaded."""
        ...

    def cross_encoder(self) -> CrossEncoder:
        """Return what reranks; raise `InvalidRequest` where none was chosen, `ModelError` where it can't be loaded."""
        ...

    def encoder_for(self, text: str) -> TextEncoder | None:
        """Return the library's text encoder, None where there is none or it does not know the script of `text`."""
        ...

    def summarize(self, query: str, hits: Sequence[Hit]) -> Summary | None:
        """Return what hits hold on a query; None where they hold no text."""
        ...


@dataclass(frozen=True, slots=True)
class FoundHits:
    """What one generation holds on a query: the hits of the page, and the first of all, which are looked at again.

    `meant` are the ids of those that are likely to be, of all that was found; None where that is not asked. `spaces`
    are those of pictures, where it is asked what is where in them.
    """

    page: list[Hit]
    first: list[Hit]
    generation: int
    notes: tuple[Note, ...]
    meant: frozenset[str] | None = None
    left_out: int = 0
    facets: Mapping[str, Facet] = field(default_factory=dict)
    spaces: Sequence[SpaceView] = ()

    def keeps(self, hit: Hit, least: float | None) -> bool:
        """Whether a hit is relevant enough."""
        return self.meant is None or hit.id in self.meant if least is None else hit.relevance >= least


def find(query: Query, view: LibraryView) -> FoundHits:
    """Rank, and read the hits; the view can be closed then: what follows takes time, and needs the library no more."""
    found = listed(query, view)
    meant = found.hits.meant() if query.least is None else found.hits
    left_out = found.left_out if query.is_deep else len(found.hits.relevance) - len(meant.relevance)
    counted: Mapping[str, Facet] = {}
    if found.passing is not None:
        counted, passing = _looked_over(query, view, found.passing)
        meant = meant if query.least == 0 else passing
    with Stage("read"):
        page = assemble(query, view, meant)
    if query.explain:
        from quarry.search.hits.explaining import explained  # rarely needed

        with Stage("explain"):
            page = explained(query, view, page, meant)
    first: list[Hit] = []
    if query.rerank:
        known = {hit.id: hit for hit in page}
        first = assemble(replace(query, offset=0, limit=RERANKED, min_relevance=0.0), view, found.hits)
        first = [known.get(hit.id, hit) for hit in first]
    elif query.answer or query.summarize:
        first = assemble(replace(query, offset=0, limit=READ), view, found.flat)
    notes = (*view.notes, *found.hits.notes, *damage(query, meant, page))
    spaces = _pictures(view) if query.ground else ()
    if query.least is not None:
        return FoundHits(page, first, view.snapshot.generation, notes, facets=counted, spaces=spaces)
    ids = frozenset(str(id) for id in found.flat.meant().candidates.ids.tolist())
    return FoundHits(page, first, view.snapshot.generation, notes, ids, left_out, counted, spaces)


def _looked_over(query: Query, view: LibraryView, passing: Ranking) -> tuple[Mapping[str, Facet], Ranking]:
    """Count facets over what passes the relevance cut, and put it in order."""
    ids, connection = passing.candidates.ids.tolist(), view.snapshot.connection
    with Stage("facets"):
        counted = facets.count(connection, query.facets, ids)
    if query.sort == RELEVANCE:
        return counted, passing
    with Stage("sort"):
        return counted, passing.only(sorting.order(connection, query.sort, ids))


def complete(query: Query, found: FoundHits, models: Models, started: float) -> Response:
    """Rerank, answer and summarize, as far as the query asks for it.

    Raises:
        InvalidRequest: the question is longer than the reader takes, or no cross-encoder was chosen.
    """
    deadline.check()
    page, first, notes = found.page, found.first, found.notes
    answers: tuple[Answer, ...] = ()
    try:
        if query.rerank == "cross-encoder":
            with Stage("rerank"):
                page, first = repaged(query, found, by_cross_encoder(query.text, first, models.cross_encoder()))
        if query.rerank == "reader" or query.answer:
            reader, asked = models.reader(), Asked(query.text, models.encoder_for(query.text))
            with Stage("answer"):
                readings, unread = answering.read(query.text, first, reader)
            notes += unread
            if query.rerank == "reader":
                evidence = answering.evidence_of(reader, query.text, RERANKING)
                page, first = repaged(query, found, by_reader(asked, first, readings, evidence))
            if query.answer:
                # As relevant as they were found to be: what put them in another order has weighed the spans already.
                as_found = {hit.id: hit for hit in found.first}
                answers = answering.answers(asked, [as_found[hit.id] for hit in first], readings, reader)
    except ModelError as error:
        unmoved = query.rerank and page is found.page
        lost = [
            "Hits are in the order in which they were found." if unmoved else "",
            "Answers were not looked for." if query.answer else "",
        ]
        code = "model_missing_reranking" if unmoved else "model_missing_answers"
        notes += (Note.of_error(code, error, " ".join(filter(None, lost))),)
        query = replace(query, answer=False)  # that there are none is more than anybody knows
        first = first[:READ]
    summary = None
    if query.summarize:
        deadline.check()
        try:
            with Stage("summarize"):
                summary = models.summarize(query.text, [hit for hit in first if found.keeps(hit, query.least)])
        except ModelError as error:
            notes += (Note.of_error("model_missing_summary", error, "There is no summary."),)
    if query.ground:
        page, told = _grounded(query, found, page)
        notes += told
    took_ms = (time.perf_counter() - started) * 1e3
    return Response(
        query,
        page,
        found.generation,
        took_ms,
        once(notes),
        answers,
        summary,
        found.left_out,
        found.facets,
    )


def _pictures(view: LibraryView) -> Sequence[SpaceView]:
    from quarry.search.hits import grounding  # rarely needed

    return view.of(grounding.MEDIUM)


def _grounded(query: Query, found: FoundHits, page: list[Hit]) -> tuple[list[Hit], tuple[Note, ...]]:
    """Mark in pictures where they show what is asked for."""
    from quarry.search.hits import grounding  # rarely needed

    if query.thumbnail is None:
        return page, ()
    deadline.check()
    try:
        with Stage("ground"):
            return grounding.ground(query.text, page, found.spaces, query.thumbnail)
    except ModelError as error:
        return page, (Note.of_error("model_missing_grounding", error, grounding.COST),)


def repaged(query: Query, found: FoundHits, first: Sequence[Hit]) -> tuple[list[Hit], list[Hit]]:
    """Return the page as it is once the first of all hits stand in another order, and those that are looked at next."""
    reordered = {hit.id for hit in first}
    head = first[query.offset : query.offset + query.limit]
    lowest = min((hit.relevance for hit in first), default=1.0)
    rest = [replace(hit, relevance=min(hit.relevance, lowest)) for hit in found.page if hit.id not in reordered]
    return (
        [hit for hit in (*head, *rest)[: query.limit] if found.keeps(hit, query.least)],
        [hit for hit in first[:READ] if query.least is None or hit.relevance >= query.least],
    )
