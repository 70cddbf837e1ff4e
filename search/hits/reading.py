"""Ranking -> Hits: the passages and pictures of one page are read, and what matches in them is marked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from quarry.search.language import analysis, field_words
from quarry.search.queries.query import Query
from quarry.search.ranking.merging import Ranking
from quarry.search.stores.database.checksums import ADVICE
from quarry.search.stores.lookups import hit_rows, picture_rows
from quarry.search.types import MAX_PLACES, WORDS, Chunk, Document, Hit, Occurrence
from quarry.search.values.notes import Note
from quarry.search.values.places import Pages, Place
from quarry.search.views import LibraryView


def assemble(query: Query, view: LibraryView, ranking: Ranking) -> list[Hit]:
    """Read the passages of one page of the ranking, and mark what matches."""
    wanted = _places(query, ranking)
    ids, scores = ranking.candidates.ids, ranking.candidates.scores
    shown = ids[wanted.start : wanted.stop].tolist()
    also = {id: ranking.also.get(id, ())[:MAX_PLACES] for id in shown}
    rows = hit_rows.hydrate(view.snapshot.connection, [*shown, *(one for own in also.values() for one in own)])
    mute = [id for id, (chunk, _) in rows.items() if chunk.medium != WORDS]  # they show what is said about them
    said = picture_rows.said_about(view.snapshot.connection, mute)
    starts = hit_rows.page_starts(view.snapshot.connection, [id for id, row in rows.items() if row[0].page])
    played = [id for id, row in rows.items() if row[0].place and row[0].place.seconds and row[0].medium == WORDS]
    translated = {id: row[0].place.characters for id, row in rows.items() if row[0].place and row[0].place.characters}
    originals = hit_rows.originals(view.snapshot.connection, translated)
    moments = hit_rows.moments(view.snapshot.connection, played)
    hits = []
    for place in wanted:
        row = rows.get(int(ids[place]))
        if row is None:  # it is damaged, or an index disagrees with the catalog; `quarry doctor` finds either
            continue
        chunk, document = row
        chunk = said.get(int(ids[place]), chunk)
        highlights = tuple(analysis.spans(chunk.text, query.text))
        where = row[0].place or chunk.place  # of what was found, not of what is said about it
        original, page = originals.get(int(ids[place]), ("", chunk.page))
        pages = Pages(page, starts.get(int(ids[place]), ())) if page else None
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
                place=_moment(where, chunk, moments.get(int(ids[place]), ()), highlights),
                said_by=chunk.said_by,
                confidence=chunk.confidence,
                original=original,
                heading=chunk.heading,
                kind=document.kind,
                highlights=highlights,
                fields=field_words.matching(document, chunk.text, query.text),
                explanation=ranking.explain(place) if query.explain else None,
                also=tuple(_occurrence(one, *rows[one], ranking) for one in also[int(ids[place])] if one in rows),
                equal=sum(one not in ranking.near for one in ranking.also.get(int(ids[place]), ())),
                near=sum(one in ranking.near for one in ranking.also.get(int(ids[place]), ())),
                more=_more(query, view, ranking.further.get(int(ids[place]))),
            )
        )
    return hits


def damage(query: Query, ranking: Ranking, page: Sequence[Hit]) -> tuple[Note, ...]:
    """Say how many hits of a page are left out because the catalog does not hold them as they were written."""
    lost = len(_places(query, ranking)) - len(page)
    if not lost:
        return ()
    what = (
        "1 hit is left out: the catalog does not hold it as it was"
        if lost == 1
        else (f"{lost:,} hits are left out: the catalog does not hold them as they were")
    )
    return (Note("hits_damaged", f"{what} written. {ADVICE}", {"count": lost}),)


def _places(query: Query, ranking: Ranking) -> range:
    least = query.least
    relevant = sum(relevance >= least for relevance in ranking.relevance) if least else len(ranking.relevance)
    return range(query.offset, min(query.offset + query.limit, relevant))


def _more(query: Query, view: LibraryView, further: Ranking | None) -> tuple[Hit, ...]:
    if further is None:
        return ()
    return tuple(assemble(replace(query, offset=0, limit=len(further.relevance)), view, further))


def _occurrence(id: int, chunk: Chunk, document: Document, ranking: Ranking) -> Occurrence:
    return Occurrence(str(id), document, chunk.start, chunk.end, chunk.page, chunk.heading, id in ranking.near)


def _moment(
    where: Place | None, chunk: Chunk, moments: Sequence[tuple[int, Place]], highlights: Iterable[tuple[int, int]]
) -> Place | None:
    """Return where a passage is; of what is played, from where most words are said that match, the first of equals."""
    if where is None or where.seconds is None or not moments:
        return where
    starts = [0, *(start - chunk.start for start, _ in moments)]
    seconds = [where.seconds[0], *(place.seconds[0] for _, place in moments if place.seconds)]
    words: dict[int, set[str]] = {}
    for start, end in highlights:
        words.setdefault(bisect_right(starts, start) - 1, set()).add(chunk.text[start:end].casefold())
    most = max(sorted(words), key=lambda one: len(words[one]), default=0)
    return replace(where, seconds=(seconds[most], max(seconds[most], where.seconds[1])))


def _page_of_most(pages: Pages, chunk: Chunk, highlights: Iterable[tuple[int, int]]) -> int:
    """Return the page of a passage on which most words stand that match, each counted once; the first of equals."""
    words: dict[int, set[str]] = {}
    for start, end in highlights if pages.starts else ():
        words.setdefault(pages.at(chunk.start + start), set()).add(chunk.text[start:end].casefold())
    return max(sorted(words), key=lambda page: len(words[page]), default=pages.first)
