"""Hits, answers and documents -> what a reply says of them, within a budget of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import BaseModel

from quarry.api.mcp.budget import as_json, fitting, json_tokens
from quarry.api.mcp.citing import passage_id, url_of
from quarry.api.mcp.replies import ExactAnswer, FoundPassage
from quarry.search.queries.query import Response
from quarry.search.types import Answer, Document, Hit

PASSAGE = 300  # tokens of a passage's text
ENVELOPE = 250  # tokens that are kept for what a reply says beside its results
_FEW = 40  # tokens of a passage that say too little
_AROUND = 4  # what is shown of a long text has up to one part in so many before the place that matters
_LINE, _NOTE, _NOTES = 160, 300, 5  # characters of a title, of a note; how many notes


def reply(body: BaseModel, images: Sequence[ImageContent] = ()) -> CallToolResult:
    """Return a reply as typed content, and as the one text that hosts read which know no typed content."""
    values = written(body)
    return CallToolResult(content=[TextContent(type="text", text=as_json(values)), *images], structured_content=values)


def written(body: BaseModel) -> dict[str, Any]:
    """Return a reply as JSON values; what is null or empty by default is left out."""
    return body.model_dump(mode="json", exclude_defaults=True)


def passages(hits: Sequence[Hit], budget: int) -> list[FoundPassage]:
    """Return as many of the first hits as the budget has room for, and one at least."""
    found: list[FoundPassage] = []
    for hit in hits:
        body = _without_text(hit)
        room = min(PASSAGE, budget - json_tokens(written(body)))
        if found and room < min(_FEW, len(hit.text)):
            break
        body.text, body.cut = _excerpt(hit, max(room, 0))
        budget -= json_tokens(written(body))
        found.append(body)
    return found


def answer(found: Answer) -> ExactAnswer:
    """Return an exact answer with its sentence."""
    hit, (start, end) = found.hit, found.sentence
    sentence = hit.text[max(start - hit.start, 0) : end - hit.start]
    return ExactAnswer(
        text=found.text,
        confidence=round(found.confidence, 3),
        sentence=sentence[: fitting(sentence, PASSAGE)],
        id=passage_id(hit.document, hit.start, hit.end),
        title=line(hit.document.title),
        url=url_of(hit.document, found.page),
        page=found.page,
    )


def metadata(document: Document, room: int) -> tuple[dict[str, Any], list[str]]:
    """Return what is known of a document, as far as there is room for it, and what to say of the rest."""
    known: dict[str, Any] = {}
    missing: list[str] = []
    own = {"type": document.type, "path": document.uri, "modified": document.modified}
    for name, value in {**own, **document.enriched, **document.metadata}.items():
        if value is None:
            continue
        if json_tokens({**known, name: value}) <= room:
            known[name] = value
        else:
            missing.append(line(name))
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return known, [f"Metadata too long to be shown: {', '.join(missing[:3])}{more}."] if missing else []


def rest(response: Response, shown: int) -> tuple[int | None, list[str]]:
    """Return the offset that goes on after the results that are shown, and what to say of the reply."""
    said, query, found = notes(response.degraded), response.query, len(response.hits)
    if shown < found:
        said.append(f"{found - shown} of {found} results are left out for the budget of tokens; `more` goes on there.")
    elif response.left_out and found < query.limit:
        said.append(f"{response.left_out} weaker ones are not likely to be meant; min_relevance 0 shows them, too.")
    return query.offset + shown if shown < found or found == query.limit else None, said


def notes(degraded: Sequence[str]) -> list[str]:
    """Return what a response says of itself, at most so much of it."""
    return [one if len(one) <= _NOTE else f"{one[:_NOTE]}..." for one in degraded[:_NOTES]]


def line(text: str) -> str:
    """Return a title, or the beginning of one that is very long."""
    return text if len(text) <= _LINE else f"{text[:_LINE]}..."


def window(text: str, place: int, room: int) -> int:
    """Return where to begin so that what is around a place is shown: at a paragraph, a line or a word."""
    before = room // _AROUND
    begin = place - fitting(text[max(place - before * 8, 0) : place][::-1], before)
    if begin == 0:
        return 0
    for border in ("\n\n", "\n", " "):
        at = text.find(border, begin, place)
        if at >= 0:
            return at + len(border)
    return begin


def end_of(text: str, room: int) -> int:
    """Return where to end what is shown of a text: at its end, or after a paragraph, a line, a sentence or a word."""
    end = fitting(text, room)
    if end == len(text):
        return end
    for border in ("\n\n", "\n", r"[.!?。] ", r"\s"):
        ends = [match.end() for match in re.finditer(border, text[end // 2 : end])]
        if ends:
            return end // 2 + ends[-1]
    return end


def _without_text(hit: Hit) -> FoundPassage:
    return FoundPassage(
        id=passage_id(hit.document, hit.start, hit.end) if hit.kind == "text" else hit.document.id,
        title=line(hit.document.title),
        url=url_of(hit.document, hit.page),
        text="",
        kind=hit.kind,
        relevance=round(hit.relevance, 3),
        heading=line(hit.heading) or None,
        page=hit.page,
        lines=hit.place.lines if hit.place else None,
        modified=hit.document.modified,
        equal=hit.equal,
        near=hit.near,
    )


def _excerpt(hit: Hit, room: int) -> tuple[str, bool]:
    """Return the text of a passage, or what of it is around its first match; and whether it is cut."""
    taken = fitting(hit.text, room)
    if taken == len(hit.text):
        return hit.text, False
    first = hit.highlights[0][0] if hit.highlights else 0
    begin = window(hit.text, first, room) if first >= taken else 0
    return hit.text[begin : begin + fitting(hit.text[begin:], room)], True
