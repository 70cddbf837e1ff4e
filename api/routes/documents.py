"""`/v1/documents`, read: listed, and one of them told whole, in parts, as its file, and with what is like it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quarry.api.bodies.answers import model_answers_body
from quarry.api.bodies.hits import document_body, notes_body, passages_body
from quarry.api.bodies.holdings import documents_body
from quarry.api.library import Library
from quarry.api.routes import contents
from quarry.api.routes.images import THUMBNAIL_S, Size
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID, NOT_FOUND, Responses
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.results import ModelAnswersBody, NoteBody, PlaceBody, SearchResponse
from quarry.api.routes.search import ExampleParameters, answered
from quarry.api.routes.sent import in_turn, json_object
from quarry.api.server.paths import ID
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.types import THUMBNAIL

router = APIRouter(prefix="/v1/documents", tags=["documents"])


class SomeParameters(BaseModel):
    """Which documents are meant."""

    model_config = ConfigDict(extra="forbid")

    filter: str | None = Field(
        None, description="A filter as JSON, as in a search.", examples=['{"type": "text/markdown"}']
    )
    path: str | None = Field(None, description="A file, a folder or a pattern that they lie at.", examples=["notes/*"])
    type: str | None = Field(None, description="What they are: `text/html`, `image/*`, `markdown`, `md`.")

    def whole_filter(self) -> dict[str, Any] | None:
        """Return the filter that they all make together, None where there is none."""
        parts = [json_object(self.filter, "filter")]
        parts += [{name: value} for name, value in (("path", self.path), ("type", self.type)) if value is not None]
        given = [part for part in parts if part is not None]
        return {"$and": given} if len(given) > 1 else given[0] if given else None


class ListParameters(SomeParameters):
    """Which page of which documents to list."""

    sort: str = Field(
        "added",
        description="`added`, `characters`, or any field that a filter can name, such as `title` or `date`; with a "
        "minus before it the other way round. Documents without the field come last.",
        examples=["-modified"],
    )
    limit: int = Field(100, description="How many, 0 to 1,000.")
    offset: int = Field(0, description="How many to pass by, from the cursor on.")
    cursor: str | None = Field(
        None, description="`next` of the page before, of the same sort: stays right while documents come and go."
    )


class DocumentBody(BaseModel):
    """A document without its text."""

    id: str
    uri: str
    title: str
    kind: str
    type: str
    metadata: dict[str, Any]
    enriched: dict[str, Any] = Field(
        description="What was found out about it: `language`, where its text is long enough to tell; `town`, `country` "
        "and `place`, where it has coordinates."
    )
    modified: str | None
    indexed: str | None
    characters: int
    passages: int
    hash: str = Field(description="Changes when its text or metadata do.")


class DocumentWithText(DocumentBody):
    """A document with its whole text."""

    text: str


class DocumentList(BaseModel):
    """A page of documents."""

    documents: list[DocumentBody]
    total: int
    limit: int
    offset: int
    next: str | None = Field(description="The `cursor` of the next page; null where this is the last.")
    degraded: list[str] = Field(description="What the filter may have been meant as, where it can't be as it is.")
    notes: list[NoteBody] = Field([], description="The same, each with its code.")


class RangeParameters(BaseModel):
    """Which part of the text."""

    model_config = ConfigDict(extra="forbid")

    start: int = Field(0, description="The first character, from 0.")
    end: int | None = Field(None, description="The one after the last; none for all that is left.")


class ContentBody(BaseModel):
    """A part of a document's text."""

    id: str
    text: str
    start: int
    end: int
    characters: int = Field(description="Of the whole text.")
    hash: str


class PassagesParameters(BaseModel):
    """Around which place, and how many."""

    model_config = ConfigDict(extra="forbid")

    around: int | None = Field(None, description="A character of the text, such as the `start` of a hit.")
    page: int | None = Field(None, description="Instead: the page that the first of them stands on, from 1.")
    count: int = Field(20, description="How many, 1 to 200.")


class PassageBody(BaseModel):
    """A passage of a document's text, or of what was read in its pictures of text."""

    id: str = Field(description="As of a hit.")
    text: str
    start: int
    end: int
    page: int | None
    place: PlaceBody | None
    said_by: str | None = Field(description="As of a hit.")
    heading: str | None


class PassagesBody(BaseModel):
    """Some passages of a document, in order."""

    id: str
    characters: int
    first: int = Field(description="How many passages come before these.")
    total: int
    passages: list[PassageBody]


@router.get("", response_model=DocumentList, responses=INVALID, summary="List documents")
def list_documents(parameters: Annotated[ListParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """List documents, by default in the order they were added."""
    filter = parameters.whole_filter()
    limit, offset = parameters.limit, parameters.offset
    found = library.listing(filter=filter, sort=parameters.sort, limit=limit, offset=offset, cursor=parameters.cursor)
    return JSONResponse(documents_body(found, limit, offset) | notes_body(library.filter_notes(filter)))


# A path, because whoever adds a document may give it an id with slashes.
@router.get(f"/{ID}/content", response_model=ContentBody, responses=NOT_FOUND, summary="Get a document's text")
def content(id: str, parameters: Annotated[RangeParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """Get a document's text, or a range of it by characters, end-exclusive; what lies beyond its end is empty."""
    with library.catalog().snapshot():
        document, text = library.get(id), library.text(id)
    start, end = parameters.start, parameters.end
    if start < 0 or (end is not None and end < start):
        raise InvalidRequest("start must be 0 or more, and end no less than start.")
    start, end = min(start, len(text)), len(text) if end is None else min(end, len(text))
    part = {"text": text[start:end], "start": start, "end": end}
    return JSONResponse({"id": document.id, **part, "characters": len(text), "hash": document.hash})


@router.get(f"/{ID}/passages", response_model=PassagesBody, responses=NOT_FOUND, summary="Get passages of a document")
def passages(id: str, parameters: Annotated[PassagesParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """Get passages of a document's text around a place, in order."""
    return JSONResponse(passages_body(library.passages(id, **dict(parameters))))


_PICTURE: Responses = {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}
_FILE: Responses = {200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}}


@router.get(f"/{ID}/thumbnail", response_class=Response, responses=NOT_FOUND | _PICTURE, summary="Get a small picture")
def thumbnail(id: str, request: Request, library: LibraryDependency, size: Size = THUMBNAIL) -> Response:
    """Get a JPEG of at most 320 pixels of a picture; 304 where the client has it, by its ETag."""
    return contents.small_picture(request, library.thumbnail(id, size), THUMBNAIL_S)


@router.get(f"/{ID}/original", response_class=Response, responses=NOT_FOUND | _FILE, summary="Get a document's file")
async def original(id: str, request: Request, library: LibraryDependency) -> Response:
    """Get the file that was indexed, or a range of its bytes; 404 where it has changed since, or lies elsewhere.

    Of a document within another file (a member of an archive, an attachment, a message of a mailbox) that is the member
    itself, taken out as it is asked for. A picture is sent as what it is, anything else as a file to be saved.
    """
    return await in_turn(request, lambda: contents.original(request, library.get(id), library.open_original(id)))


@router.get(f"/{ID}/similar", response_model=SearchResponse, responses=NOT_FOUND, summary="Find what is like it")
def similar(id: str, parameters: Annotated[ExampleParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """Find passages like those of a text, or pictures like a picture, which is left out itself.

    In place of a document's id, that of a hit stands for its passage.
    """
    return JSONResponse(answered(parameters.request(), library, like=[id]))


class DocumentQuestion(RequestBody):
    """A question about a document."""

    question: str = Field(description="What to answer from it.", examples=["what is the total?"])
    page: int | None = Field(None, ge=1, description="The page that is asked about; null for the first 20.")


@router.post(
    f"/{ID}/answer",
    response_model=ModelAnswersBody,
    responses=INVALID | NOT_FOUND,
    summary="Answer a question about a document",
)
def answer(id: str, request: DocumentQuestion, library: LibraryDependency) -> JSONResponse:
    """Have the server's page reader answer a question about a PDF or picture of a page as it looks, or its table reader
    one about a table.

    The server is started with `--page-reader`, or `--table-reader`.
    """
    found = library.ask_document(request.question, id, page=request.page)
    return JSONResponse(model_answers_body(request.question, found))


@router.get(f"/{ID}", response_model=DocumentWithText, responses=NOT_FOUND, summary="Get a document")
def get_document(id: str, library: LibraryDependency) -> JSONResponse:
    """Get a document with its text, by its id.

    Slashes of an id may be sent as they are, or as %2F: that tells the document `a/content` from the content of `a`.
    """
    with library.catalog().snapshot():  # all from one generation
        id = without_slash(id, library)
        return JSONResponse({**document_body(library.get(id)), "text": library.text(id)})


def without_slash(id: str, library: Library) -> str:
    """Return the id or URI that is meant, which may end in a slash itself; any other slash at the end is too much."""
    try:
        library.get(id)
    except NotFound:
        return id.rstrip("/") or id
    return id
