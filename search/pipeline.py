"""Query -> Candidates -> Hits -> Answers and Summary -> Response, top to bottom."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from quarry.search import analysis, arguments, field_words
from quarry.search.answers import answering
from quarry.search.answers.answering import READ
from quarry.search.answers.evidence import Asked
from quarry.search.answers.reranking import RERANKED, RERANKING, by_cross_encoder, by_reader
from quarry.search.encoders.base import TextEncoder
from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.grouping import ranked
from quarry.search.ranking import Ranking
from quarry.search.readers.base import CrossEncoder, Reader
from quarry.search.retrieval import View
from quarry.search.stores import documents, picture_rows
from quarry.search.types import (
    KINDS,
    MAX_LIMIT,
    MAX_PLACES,
    MAX_QUERY_CHARACTERS,
    MAX_REACH,
    RERANKS,
    Answer,
    Chunk,
    Document,
    Hit,
    Pages,
    Place,
    Query,
    Response,
    Summary,
)


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
class Found:
    """What one generation holds on a query: the hits of the page, and the first of all, which are looked at again.

    `meant` are the ids of those that are likely to be, of all that was found; None where that is not asked.
    """

    page: list[Hit]
    first: list[Hit]
    generation: int
    notes: tuple[str, ...]
    meant: frozenset[str] | None = None
    left_out: int = 0

    def keeps(self, hit: Hit, least: float | None) -> bool:
        """Whether a hit is relevant enough."""
        return self.meant is None or hit.id in self.meant if least is None else hit.relevance >= least


def find(query: Query, view: View) -> Found:
    """Rank, and read the hits; the view can be closed then: what follows takes time, and needs the library no more."""
    ranking, flat = ranked(query, view)
    meant = ranking.meant() if query.min_relevance is None else ranking
    page = assemble(query, view, meant)
    first: list[Hit] = []
    if query.rerank:
        first = assemble(replace(query, offset=0, limit=RERANKED, min_relevance=0.0), view, ranking)
    elif query.answer or query.summarize:
        first = assemble(replace(query, offset=0, limit=READ), view, flat)
    notes = (*view.notes, *ranking.notes)
    if query.min_relevance is not None:
        return Found(page, first, view.snapshot.generation, notes)
    ids = frozenset(str(id) for id in flat.meant().candidates.ids.tolist())
    left_out = len(ranking.relevance) - len(meant.relevance)
    return Found(page, first, view.snapshot.generation, notes, ids, left_out)


def complete(query: Query, found: Found, models: Models, started: float) -> Response:
    """Rerank, answer and summarize, as far as the query asks for it.

    Raises:
        InvalidRequest: the question is longer than the reader takes, or no cross-encoder was chosen.
    """
    page, first, notes = found.page, found.first, found.notes
    answers: tuple[Answer, ...] = ()
    try:
        if query.rerank == "cross-encoder":
            page, first = repaged(query, found, by_cross_encoder(query.text, first, models.cross_encoder()))
        if query.rerank == "reader" or query.answer:
            reader, asked = models.reader(), Asked(query.text, models.encoder_for(query.text))
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
        notes += (" ".join([str(error), *filter(None, lost)]),)
        query = replace(query, answer=False)  # that there are none is more than anybody knows
        first = first[:READ]
    summary = None
    if query.summarize:
        try:
            summary = models.summarize(query.text, [hit for hit in first if found.keeps(hit, query.min_relevance)])
        except ModelError as error:
            notes += (f"{error} There is no summary.",)
    took_ms = (time.perf_counter() - started) * 1e3
    return Response(
        query, page, found.generation, took_ms, tuple(dict.fromkeys(notes)), answers, summary, found.left_out
    )


def repaged(query: Query, found: Found, first: Sequence[Hit]) -> tuple[list[Hit], list[Hit]]:
    """Return the page as it is once the first of all hits stand in another order, and those that are looked at next."""
    reordered = {hit.id for hit in first}
    head = first[query.offset : query.offset + query.limit]
    lowest = min((hit.relevance for hit in first), default=1.0)
    rest = [replace(hit, relevance=min(hit.relevance, lowest)) for hit in found.page if hit.id not in reordered]
    return (
        [hit for hit in (*head, *rest)[: query.limit] if found.keeps(hit, query.min_relevance)],
        [hit for hit in first[:READ] if query.min_relevance is None or hit.relevance >= query.min_relevance],
    )


def checked(query: Query) -> Query:
    """Return the query as it is searched, control characters as spaces.

    Raises:
        InvalidRequest: it is empty, too long or not valid Unicode, or limit and offset are out of bounds.
    """
    arguments.text(query.text, "query")
    for name in ("explain", "answer", "summarize"):
        arguments.flag(getattr(query, name), name)
    query = replace(
        query,
        limit=arguments.whole(query.limit, "limit"),
        offset=arguments.whole(query.offset, "offset"),
        min_relevance=None if query.min_relevance is None else arguments.number(query.min_relevance, "min_relevance"),
    )
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
    if not text and query.like is None and query.near is None:
        raise InvalidRequest("The query is empty; say what to look for.")
    if not query.kinds or set(query.kinds) - set(KINDS):
        raise InvalidRequest(f"kinds is {list(query.kinds)}; it can hold {' and '.join(KINDS)}.")
    if query.rerank is not None and query.rerank not in RERANKS:
        raise InvalidRequest(f"rerank is {query.rerank!r}; it can be {' or '.join(RERANKS)}.")
    if query.group not in (None, "document"):
        raise InvalidRequest(f"group is {query.group!r}; it can be 'document', or left out.")
    if not text and (query.answer or query.rerank):
        raise InvalidRequest("Answers and reranking go by words, and the query has none; say what is asked.")
    if query.min_relevance is not None and not 0 <= query.min_relevance <= 1:
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
    least = query.min_relevance or 0.0
    relevant = sum(relevance >= least for relevance in ranking.relevance)
    page = range(query.offset, min(query.offset + query.limit, relevant))
    ids, scores = ranking.candidates.ids, ranking.candidates.scores
    shown = ids[page.start : page.stop].tolist()
    also = {id: ranking.also.get(id, ())[:MAX_PLACES] for id in shown}
    rows = documents.hydrate(view.snapshot.connection, [*shown, *(one for own in also.values() for one in own)])
    said = picture_rows.said_about(view.snapshot.connection, [id for id, row in rows.items() if row[1].kind == "image"])
    starts = documents.page_starts(view.snapshot.connection, [id for id, row in rows.items() if row[0].page])
    hits = []
    for place in page:
        row = rows.get(int(ids[place]))
        if row is None:  # an index that disagrees with the catalog, which `quarry doctor` finds
            continue
        chunk, document = row
        chunk = said.get(int(ids[place]), chunk)
        highlights = tuple(analysis.spans(chunk.text, query.text))
        pages = Pages(chunk.page, starts.get(int(ids[place]), ())) if chunk.page else None
        hits.append(
            Hit(
                id=str(ids[place]),
                score=float(scores[place]),
                relevance=ranking.relevance[place],
                document=document,
                text=chunk.text,
                start=chunk.start,
                end=chunk.end,
                page=_page_of_most(pages, chunk, highlights) if pages else None,
                pages=pages,
                heading=chunk.heading,
                kind=document.kind,
                highlights=highlights,
                fields=field_words.matching(document, chunk.text, query.text),
                explanation=ranking.explain(place) if query.explain else None,
                also=tuple(_place(one, *rows[one]) for one in also[int(ids[place])] if one in rows),
                more=_more(query, view, ranking.further.get(int(ids[place]))),
            )
        )
    return hits


def _more(query: Query, view: View, further: Ranking | None) -> tuple[Hit, ...]:
    if further is None:
        return ()
    return tuple(assemble(replace(query, offset=0, limit=len(further.relevance)), view, further))


def _place(id: int, chunk: Chunk, document: Document) -> Place:
    return Place(str(id), document, chunk.start, chunk.end, chunk.page, chunk.heading)


def _page_of_most(pages: Pages, chunk: Chunk, highlights: Iterable[tuple[int, int]]) -> int:
    """Return the page of a passage on which most words stand that match, each counted once; the first of equals."""
    words: dict[int, set[str]] = {}
    for start, end in highlights if pages.starts else ():
        words.setdefault(pages.at(chunk.start + start), set()).add(chunk.text[start:end].casefold())
    return max(sorted(words), key=lambda page: len(words[page]), default=pages.first)
