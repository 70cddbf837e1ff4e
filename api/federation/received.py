"""What another server answered -> the values that a library of this machine gives.

It is read by the models that the routes describe it by, and refused where no library answers so: another server's
numbers decide where its hits stand among those of others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from quarry.api.routes.results import (
    AnswerBody,
    FacetBody,
    GroundingBody,
    HitBody,
    HitDocument,
    NoteBody,
    OccurrenceBody,
    PlaceBody,
    SearchResponse,
)
from quarry.search.errors import LibraryUnreachable
from quarry.search.queries.query import Query, Response
from quarry.search.types import Answer, Document, Facet, Hit, Kind, Occurrence
from quarry.search.values.notes import CODES, Note, Value
from quarry.search.values.places import Grounding, Pages, Place


def response_of(query: Query, body: SearchResponse) -> Response:
    """Return the response that a body tells of, but for its summary: that is made of the hits of all.

    Raises:
        LibraryUnreachable: it is none that a library gives.
    """
    hits = [hit_of(one) for one in body.hits]
    if len(hits) > query.limit:
        raise LibraryUnreachable(f"it gives {len(hits):,} hits where {query.limit:,} were asked for")
    _check(hit.relevance for hit in hits)
    _check(answer.confidence for answer in body.answers)
    known = {hit.id: hit for hit in hits}
    return Response(
        query,
        hits,
        body.generation,
        body.took_ms,
        notes_of(body.notes),
        tuple(_answer(one, known) for one in body.answers),
        left_out=body.left_out,
        facets={name: facet_of(facet) for name, facet in body.facets.items()},
    )


def _check(shares: Iterable[float]) -> None:
    if not all(math.isfinite(share) and 0 <= share <= 1 for share in shares):
        raise LibraryUnreachable("it gives a relevance or confidence that is not 0 to 1")


def hit_of(body: HitBody) -> Hit:
    """Return a hit."""
    pages = None
    if body.pages is not None:  # where the pages between begin is not told: words are on the first, or beyond the last
        first, last = body.pages
        pages = Pages(first, (body.end,) * max(0, min(last - first, len(body.text))))
    return Hit(
        id=body.id,
        score=body.score if math.isfinite(body.score) else 0.0,
        relevance=body.relevance,
        document=_document(body.document, body.kind, body.citation.hash if body.citation else ""),
        text=body.text,
        start=body.start,
        end=body.end,
        page=body.page,
        heading=body.heading or "",
        highlights=_spans(body.highlights, len(body.text)),
        kind=body.kind,
        explanation=None if body.explanation is None else body.explanation.model_dump(exclude_unset=True),
        also=tuple(_occurrence(one, body.kind) for one in body.also),
        equal=body.equal,
        near=body.near,
        more=tuple(hit_of(one) for one in body.more),
        pages=pages,
        place=_place(body.place),
        said_by=body.said_by or "",
        confidence=body.confidence,
        grounding=_grounding(body.grounding),
    )


def _spans(spans: Sequence[tuple[int, int]], length: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in spans if 0 <= start < end <= length)


def _document(body: HitDocument, kind: Kind, hash: str = "") -> Document:
    named = (body.id, body.uri, body.title, body.type, body.metadata)
    return Document(*named, kind, body.modified, enriched=body.enriched, hash=hash)


def _occurrence(body: OccurrenceBody, kind: Kind) -> Occurrence:
    document = _document(body.document, kind)
    return Occurrence(body.id, document, body.start, body.end, body.page, body.heading or "", body.near)


def _place(body: PlaceBody | None) -> Place | None:
    return None if body is None else Place.of(body.model_dump(exclude_none=True))


def _grounding(body: GroundingBody | None) -> Grounding | None:
    return None if body is None else Grounding(body.box, body.confidence, tuple(map(tuple, body.heat)))


def _answer(body: AnswerBody, hits: Mapping[str, Hit]) -> Answer:
    """Return an answer; the hit that it stands in may be none of the page, and then is its sentence alone."""
    said, hash = body.sentence, body.citation.hash if body.citation else ""
    own = _document(body.document, "text", hash)
    place = Hit(body.hit, 0.0, 0.0, own, said.text, said.start, said.end, body.page)
    also = tuple(
        Occurrence(one.id, _document(one.document, "text"), one.start, one.end, one.page, one.heading or "")
        for one in body.also
    )
    hit = hits.get(body.hit, place)
    if not (hit.start <= said.start <= body.start <= body.end <= said.end <= hit.end):
        raise LibraryUnreachable("it gives an answer that does not stand where it says")
    where = (said.start, said.end)
    return Answer(body.text, body.start, body.end, body.page, body.confidence, body.score, where, hit, also)


def facet_of(body: FacetBody) -> Facet:
    """Return a facet."""
    below = {one.value: facet_of(one.below) for one in body.values if one.below is not None}
    return Facet(tuple((one.value, one.count) for one in body.values), body.other, body.missing, below)


def notes_of(notes: Sequence[NoteBody]) -> tuple[Note, ...]:
    """Return notes; those with a code that is not known here are of a newer version, and left out."""
    known = [one for one in notes if one.code in CODES]
    return tuple(Note(one.code, one.message, dict[str, Value](one.values)) for one in known)
