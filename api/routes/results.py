"""What several routes answer with, as pydantic models: hits, answers, summaries. `api.bodies` makes the bodies."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from quarry.api.routes.explanation import ExplanationBody
from quarry.search.types import Kind
from quarry.search.values.notes import CODES


class HitDocument(BaseModel):
    """The document of a hit."""

    library: str | None = Field(None, description="Which of several libraries it is from, where they are one.")
    id: str
    uri: str
    title: str
    type: str
    modified: str | None
    metadata: dict[str, Any]
    enriched: dict[str, Any] = Field(
        description="What was found out about it: `language`, where its text is long enough to tell."
    )


class OccurrenceBody(BaseModel):
    """Where the text of a hit stands as well."""

    id: str = Field(description="The passage's own id.")
    document: HitDocument
    start: int
    end: int
    page: int | None
    heading: str | None
    near: bool = Field(description="Whether it is nearly the same, and not equal.")


class PlaceBody(BaseModel):
    """A place in a file, in the terms of its medium; what is not known of it is left out."""

    page: int | None = None
    lines: tuple[int, int] | None = Field(None, description="The first and the last, as an editor counts them.")
    rows: tuple[int, int] | None = Field(None, description="The first and the last, without the names of columns.")
    seconds: tuple[float, float] | None = None
    box: tuple[float, float, float, float] | None = Field(
        None, description="Left, top, right and bottom, as shares of the width and height."
    )
    cells: str | None = Field(None, description="Of a sheet, as spreadsheets name them: `Sheet1!A2:D9`.")
    outline: list[float] | None = Field(
        None, description="A polygon around a part of a picture, x and y in turn, as shares of its width and height."
    )
    characters: tuple[int, int] | None = Field(
        None, description="Of the document's own text, which is said here in other words."
    )


class MatchedField(BaseModel):
    """A field of a document that words of the query stand in."""

    name: str = Field(description="Its key in `metadata`, with a dot for each step into an object.")
    value: str = Field(description="Its value; of a list, the item that matches.")
    highlights: list[tuple[int, int]] = Field(description="Spans of `value` that match words of the query.")


class CitationBody(BaseModel):
    """Which words of which document: kept, it says later whether they still stand (`POST /v1/verify`)."""

    library: str | None = Field(None, description="Which of several libraries it is from, where they are one.")
    document: str
    uri: str
    hash: str = Field(description="The document's, when it was cited.")
    start: int
    end: int
    page: int | None = Field(description="The page that they begin on.")
    quote_hash: str = Field(description="SHA-256 of the words, as UTF-8.")


class GroundingBody(BaseModel):
    """Where in a picture it shows what is asked for."""

    box: tuple[float, float, float, float] | None = Field(
        description="Left, top, right and bottom, as shares of the width and height; null where that is not sure."
    )
    confidence: float = Field(description="How likely it is that the picture shows it there at all, 0 to 1.")
    heat: list[list[float]] = Field(
        description="Rows of a grid over the picture, from the upper left: how much of it each part shows, 0 to 1."
    )


class HitBody(BaseModel):
    """A passage or a picture found."""

    id: str = Field(description="The passage's or picture's own id.")
    kind: Kind
    score: float = Field(description="What the retrievers gave; comparable among hits of one kind and response only.")
    relevance: float = Field(description="How likely the hit is to be relevant, 0 to 1: what hits are ordered by.")
    document: HitDocument
    text: str
    start: int = Field(description="Character offset of the passage in the document's text.")
    end: int
    page: int | None = Field(
        description="The page that most words of the query stand on, from 1; the first where none does."
    )
    pages: tuple[int, int] | None = Field(description="The first and the last page that the passage stands on.")
    place: PlaceBody | None = Field(description="Where in its file the passage stands, as far as that is known.")
    said_by: str | None = Field(
        description="Null where the text itself says it; else who does: `caption`, or the name of an enrichment."
    )
    confidence: float | None = Field(description="How sure that is, 0 to 1; null where the text itself says it.")
    heading: str | None
    citation: CitationBody | None = Field(description="Null where the text is not the document's own.")
    highlights: list[tuple[int, int]] = Field(description="Spans of `text` that match words of the query.")
    also: list[OccurrenceBody] = Field(
        description="Other places of this very text, and with `fold: near` of nearly the same, which are no hits of "
        "their own; at most 100."
    )
    equal: int = Field(description="How many other places have this very text, or picture, in all.")
    near: int = Field(
        description="With `fold: near`, how many have nearly the same text, or a picture that looks alike."
    )
    more: list[HitBody] = Field(description="With `group`: what else was found in the document; else empty.")
    fields: list[MatchedField] = Field(
        description="Fields of the document that words of the query stand in, at most 5."
    )
    original: str | None = Field(None, description="What a model says in another language: the document's own words.")
    grounding: GroundingBody | None = Field(
        None, description="With `ground`, of a picture: where in it what is asked for is seen."
    )
    explanation: ExplanationBody | None = Field(None, description="With `explain`: how it was found.")


class SourceBody(BaseModel):
    """What a sentence rests on: a span of a document's text."""

    library: str | None = Field(None, description="Which of several libraries it is from, where they are one.")
    hit: str
    document: str
    uri: str
    start: int
    end: int
    page: int | None = Field(description="The page that the span begins on.")


class SentenceBody(BaseModel):
    """The sentence around an answer."""

    text: str
    start: int
    end: int


class AnswerBody(BaseModel):
    """An exact answer: a span of a document."""

    text: str
    confidence: float = Field(description="How likely it is to be right, 0 to 1.")
    score: float = Field(description="The reader's log odds of it against no answer.")
    start: int = Field(description="Character offset in the document's text.")
    end: int
    page: int | None = Field(description="The page that it stands on.")
    sentence: SentenceBody
    hit: str = Field(description="Id of the hit that it stands in.")
    document: HitDocument
    citation: CitationBody | None
    also: list[OccurrenceBody] = Field(description="Where else the same is said, in other documents.")


class CitedBody(BaseModel):
    """A sentence and its sources."""

    text: str
    sources: list[SourceBody]


class SummaryBody(BaseModel):
    """A few sentences on what the hits hold."""

    text: str
    model: str | None = Field(description="Who wrote it; null where it consists of the documents' own sentences.")
    sentences: list[CitedBody]


class NoteBody(BaseModel):
    """Which part was missing and what it cost, or what a filter may have been meant as."""

    code: str = Field(
        description="Which note it is; there may be further ones. "
        + " ".join(f"`{code}`: {said}" for code, said in CODES.items()),
        examples=["field_unknown"],
    )
    message: str = Field(description="What `degraded` says, in English.")
    values: dict[str, str | float | list[str]] = Field(
        description="What it names; which, stands with its code. `cause` is a kind of error, `reason` its message.",
        examples=[{"field": "autor", "near": ["author"]}],
    )


class FacetValue(BaseModel):
    """A value of a field."""

    value: str | float | bool = Field(
        description="As a filter takes it: of dates the year, or the month where there is one year; of paths a folder."
    )
    count: int = Field(description="How many hits have it.")
    below: FacetBody | None = Field(None, description="What lies below a folder, or another value that is a path.")


class FacetBody(BaseModel):
    """How often hits have a field's values."""

    values: list[FacetValue] = Field(description="The most frequent ones, at most 20.")
    other: int = Field(description="How often hits have further values.")
    missing: int = Field(description="How many hits have none.")


class SearchResponse(BaseModel):
    """What was found, best first."""

    query: str = Field(description="What was looked for: the text without the words that hits may not hold.")
    without: list[str] = Field(description="These words and phrases: what the query has with a minus before it.")
    mode: str
    hits: list[HitBody]
    answers: list[AnswerBody]
    summary: SummaryBody | None
    facets: dict[str, FacetBody] = Field(
        description="Counts over all hits that pass `min_relevance`, or that are likely to be meant where that is 0."
    )
    took_ms: float
    generation: int = Field(description="The library's state that was searched: the number of its last commit.")
    degraded: list[str] = Field(
        description="Which part was missing and what it cost, in words; empty when all is well."
    )
    notes: list[NoteBody] = Field([], description="The same, each with its code.")
    left_out: int = Field(description="How many hits are no part of the list because they are not likely to be meant.")
    timings: dict[str, float] | None = Field(
        None, description="With `explain`: how many milliseconds each stage of the search took."
    )
