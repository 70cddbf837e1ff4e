"""`/v1/documents`: list, add, get, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.bodies import document_body, documents_body
from quarry.api.library import Library, Text
from quarry.api.paths import ID
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import CONFLICT, INVALID, NO_LOADER, NOT_FOUND, TOO_LARGE
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.sent import body_of, in_turn, json_object, sent_file
from quarry.search.errors import InvalidRequest, NotFound

router = APIRouter(prefix="/v1/documents", tags=["documents"])
MAX_DOCUMENTS = 1_000  # in one request


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


@router.get("", response_model=DocumentList, responses=INVALID, summary="List documents")
def list_documents(parameters: Annotated[ListParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """List documents in the order they were added."""
    filter = json_object(parameters.filter, "filter")
    limit, offset = parameters.limit, parameters.offset
    documents, total = library.documents(filter=filter, limit=limit, offset=offset)
    notes = list(library.filter_notes(filter))
    return JSONResponse(documents_body(documents, total, limit, offset) | {"degraded": notes})


@router.post(
    "",
    response_model=AddResponse,
    responses=INVALID | TOO_LARGE | CONFLICT,
    status_code=201,
    summary="Add documents",
)
async def add_documents(added: AddRequest, request: Request, library: LibraryDependency) -> JSONResponse:
    """Add texts, or replace those with the same id or uri; all become visible at once.

    A name that belongs to a synced file is refused: change the file instead.
    """
    texts = [Text(one.text, one.title, one.uri, one.id, one.metadata) for one in added.documents]
    return JSONResponse({"ids": await in_turn(request, library.add, texts)}, 201)


@router.post(
    "/file",
    response_model=AddResponse,
    responses=INVALID | TOO_LARGE | NO_LOADER | CONFLICT,
    status_code=201,
    summary="Add a file",
    openapi_extra=body_of(
        "application/octet-stream", {"name": {"type": "string"}, "metadata": {"type": "string", "format": "json"}}
    ),
)
async def add_file(
    request: Request, parameters: Annotated[FileParameters, Query()], library: LibraryDependency
) -> JSONResponse:
    """Add the documents of one file, sent as the body or in a form; they replace those of that name.

    A form's file brings its own name, unless `name` gives another; `metadata`, a JSON object, is added to what is read.
    """
    sent = await sent_file(request, {"name", "metadata"})
    name = parameters.name or sent.fields.get("name") or sent.name
    if not name:
        raise InvalidRequest("name: say what the file is called; its suffix says how it is read.")
    metadata = json_object(parameters.metadata or sent.fields.get("metadata"), "metadata")
    ids = await in_turn(request, library.add_file, sent.content, name, metadata)
    return JSONResponse({"ids": ids}, 201)


@router.post("/undelete", response_model=AddResponse, responses=NOT_FOUND | CONFLICT, summary="Undo a deletion")
def undelete_documents(library: LibraryDependency, request: UndeleteRequest | None = None) -> JSONResponse:
    """Bring back deleted documents, or what was deleted last, as without a body; until the library is compacted."""
    return JSONResponse({"ids": library.undelete(request.ids if request else ())})


# A path, because whoever adds a document may give it an id with slashes.
@router.get(f"/{ID}", response_model=DocumentWithText, responses=NOT_FOUND, summary="Get a document")
def get_document(id: str, library: LibraryDependency) -> JSONResponse:
    """Get a document with its text, by its id."""
    with library.catalog().snapshot():  # all from one generation
        id = _without_slash(id, library)
        return JSONResponse({**document_body(library.get(id)), "text": library.text(id)})


@router.delete(f"/{ID}", response_model=DeleteResponse, responses=NOT_FOUND, summary="Delete a document")
def delete_document(id: str, library: LibraryDependency) -> JSONResponse:
    """Delete a document by its id; it can be undone until the library is compacted."""
    return JSONResponse({"deleted": library.delete([_without_slash(id, library)])})


def _without_slash(id: str, library: Library) -> str:
    """Return the id or URI that is meant, which may end in a slash itself; any other slash at the end is too much."""
    try:
        library.get(id)
    except NotFound:
        return id.rstrip("/") or id
    return id
