"""Request and response bodies as pydantic models: what HTTP accepts is checked by them, what it answers described.

Bounds that belong to a query itself are checked where it is answered (`search.pipeline`), so that Python, the command
line and HTTP refuse the same things in the same words.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from quarry.api.hit_schemas import HitBody, HitDocument, OccurrenceBody
from quarry.api.request_body import RequestBody
from quarry.search.types import KINDS

MAX_DOCUMENTS = 1_000  # in one request
LEAST_RELEVANCE = (
    'Leave out hits that are less relevant, 0 to 1; "meant" leaves out those that are not likely to be meant.'
)


class SearchRequest(RequestBody):
    """What to find."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "how do stars form"},
                {
                    "query": "price of bread",
                    "mode": "lexical",
                    "limit": 5,
                    "filter": {"type": "text/csv", "year": {"$gte": 1990}},
                    "explain": True,
                },
                {"query": "a red bicycle", "kinds": ["image"], "min_relevance": 0.5},
                {"query": "when was the Panama Canal opened", "rerank": "reader", "answer": True, "summarize": True},
            ]
        }
    )

    query: str = Field(description="A question, a phrase or words; 1 to 10,000 characters.")
    mode: Literal["semantic", "lexical", "hybrid"] = Field("hybrid", description="How passages are found.")
    limit: int = Field(10, description="How many hits, 1 to 1,000.")
    offset: int = Field(0, description="How many hits to pass by; offset + limit is at most 10,000.")
    filter: dict[str, Any] | None = Field(
        None,
        description="Only documents that match: fields path, type, title, date or any metadata (`GET /v1/fields` lists "
        "them); operators $eq $ne $in $nin $gt $gte $lt $lte $exists $contains $and $or $not. `path` takes a file, a "
        "folder or a pattern, `type` also `markdown` or `md`.",
    )
    explain: bool = Field(False, description="Tell for each hit how it was found.")
    kinds: list[Literal["text", "image"]] = Field(list(KINDS), description="What hits may be: passages, pictures.")
    min_relevance: float | Literal["meant"] = Field(0.0, description=LEAST_RELEVANCE)
    rerank: Literal["reader", "cross-encoder"] | None = Field(
        None, description="Put the first 20 hits in order once more: by how well they answer, or by a cross-encoder."
    )
    answer: bool = Field(False, description="Look for exact answers in the first 10 hits.")
    summarize: bool = Field(False, description="Say in a few sentences what the first 10 hits hold on the query.")
    group: Literal["document"] | None = Field(
        None, description="One hit a document, its further passages in `more`; limit and offset count documents."
    )


class AnswerRequest(RequestBody):
    """What to answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "when was the Panama Canal opened"},
                {"query": "which ocean did Magellan name", "choices": ["Atlantic", "Pacific"]},
            ]
        }
    )

    query: str = Field(description="A question; 1 to 10,000 characters.")
    limit: int = Field(5, description="How many of the nearest passages to return with it, 1 to 1,000.")
    filter: dict[str, Any] | None = Field(None, description="Only documents that match, as in a search.")
    choices: list[str] = Field(
        default_factory=list, description="Answers to choose from, 2 to 20; none for an open question."
    )
    write: bool = Field(False, description="Have the server's generator write an answer from the passages.")
    stream: bool = Field(False, description="With `write`: send what is written as server-sent events, as it comes.")


class ImageParameters(BaseModel):
    """Which pictures to find."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(description="What they show; 1 to 10,000 characters.", examples=["a red bicycle"])
    limit: int = Field(10, description="How many hits, 1 to 1,000.")
    offset: int = Field(0, description="How many hits to pass by; offset + limit is at most 10,000.")
    min_relevance: float | Literal["meant"] = Field(0.0, description=LEAST_RELEVANCE)


class PictureParameters(BaseModel):
    """What to find by a picture."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", description="What else is wanted, in words.", examples=["but at night"])
    kind: list[Literal["text", "image"]] = Field(list(KINDS), description="What hits may be: passages, pictures.")
    limit: int = Field(10, description="How many hits, 1 to 1,000.")
    offset: int = Field(0, description="How many hits to pass by; offset + limit is at most 10,000.")
    min_relevance: float | Literal["meant"] = Field(0.0, description=LEAST_RELEVANCE)


class SourceBody(BaseModel):
    """What a sentence rests on: a span of a document's text."""

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


class ChoiceBody(BaseModel):
    """One of the choices, and where the documents speak for it."""

    text: str
    confidence: float
    support: AnswerBody | None


class WrittenBody(BaseModel):
    """What a model wrote from the hits; `refused` says why it did not."""

    text: str | None
    model: str | None
    sentences: list[CitedBody]
    passages: list[str] = Field(description="Ids of the hits it was given, in the order of the numbers that it cites.")
    refused: str | None


class AnswerResponse(BaseModel):
    """Answers, best first; none where the library holds none, and then the nearest passages are in `hits`."""

    query: str
    answers: list[AnswerBody]
    choices: list[ChoiceBody]
    written: WrittenBody | None
    hits: list[HitBody]
    took_ms: float
    generation: int
    degraded: list[str]


class SearchResponse(BaseModel):
    """What was found, best first."""

    query: str
    mode: str
    hits: list[HitBody]
    answers: list[AnswerBody]
    summary: SummaryBody | None
    facets: dict[str, Any]
    took_ms: float
    generation: int = Field(description="The library's state that was searched: the number of its last commit.")
    degraded: list[str] = Field(
        description="Which part was missing and what it cost, in words; empty when all is well."
    )
    left_out: int = Field(description="How many hits are no part of the list because they are not likely to be meant.")


class ListParameters(BaseModel):
    """Which page of the documents to list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, description="How many, 0 to 1,000.")
    offset: int = Field(0, description="How many to pass by.")
    filter: str | None = Field(
        None, description="A filter as JSON, as in a search.", examples=['{"type": "text/markdown"}']
    )


class FileParameters(BaseModel):
    """How an uploaded file is read."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="The file's name, with folders if you like; its suffix says how it is read. A form brings its own.",
        examples=["notes.md"],
    )
    metadata: str | None = Field(
        None, description="A JSON object that is added to what is read.", examples=['{"project": "atlas"}']
    )


class NewDocumentBody(RequestBody):
    """A document to add."""

    text: str
    title: str = ""
    uri: str | None = Field(None, description="What names it; one that exists is replaced, a synced file's is refused.")
    id: str | None = Field(None, description="Made where it is not given; one that exists is replaced.")
    metadata: dict[str, Any] = Field(default_factory=dict)


class AddRequest(RequestBody):
    """Documents to add; all become visible at once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": [
                        {"title": "Tides", "text": "The Moon raises two tides a day.", "metadata": {"year": 2024}}
                    ]
                }
            ]
        }
    )

    documents: list[NewDocumentBody] = Field(min_length=1, max_length=MAX_DOCUMENTS)


class AddResponse(BaseModel):
    """The ids of what was added, in order."""

    ids: list[str]


class DocumentBody(BaseModel):
    """A document without its text."""

    id: str
    uri: str
    title: str
    kind: str
    type: str
    metadata: dict[str, Any]
    enriched: dict[str, Any] = Field(
        description="What was found out about it: `language`, where its text is long enough to tell."
    )
    modified: str | None
    indexed: str | None
    characters: int
    passages: int


class DocumentWithText(DocumentBody):
    """A document with its whole text."""

    text: str


class DocumentList(BaseModel):
    """A page of documents, in the order they were added."""

    documents: list[DocumentBody]
    total: int
    limit: int
    offset: int
    degraded: list[str] = Field(description="What the filter may have been meant as, where it can't be as it is.")


class DeleteResponse(BaseModel):
    """How many documents were deleted."""

    deleted: int


class UndeleteRequest(RequestBody):
    """What to bring back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["f34c15be6e5836bc"]}, {}]})

    ids: list[str] = Field(
        default_factory=list,
        max_length=MAX_DOCUMENTS,
        description="Ids or URIs of deleted documents; none for what was deleted last.",
    )


class Health(BaseModel):
    """Whether the server runs, or can answer; `causes` says why not."""

    status: str
    causes: list[str] = []


class Problem(BaseModel):
    """What was wrong and what to do (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Invalid request",
                    "status": 422,
                    "detail": "limit is 0; it can be 1 to 1,000.",
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
