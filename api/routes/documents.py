"""`/v1/documents`: list, add, get, delete."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.bodies import document_body, documents_body
from api.library import Text
from api.routes.library import LibraryDependency
from api.routes.search import PROBLEMS
from api.schemas import AddRequest, AddResponse, DeleteResponse, DocumentList, DocumentWithText, Problem
from search.errors import InvalidRequest

router = APIRouter(prefix="/v1/documents", tags=["documents"])

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No such document."}}


@router.get("", response_model=DocumentList, responses=PROBLEMS, summary="List documents")
def list_documents(
    library: LibraryDependency,
    limit: Annotated[int, Query(description="How many, 0 to 1,000.")] = 100,
    offset: Annotated[int, Query(description="How many to pass by.")] = 0,
    filter: Annotated[str | None, Query(description="A filter as JSON, as in a search.")] = None,
) -> JSONResponse:
    """List documents in the order they were added."""
    parsed = None
    if filter is not None:
        try:
            parsed = json.loads(filter)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest("filter is not JSON.") from error
    documents, total = library.documents(filter=parsed, limit=limit, offset=offset)
    return JSONResponse(documents_body(documents, total, limit, offset))


@router.post("", response_model=AddResponse, responses=PROBLEMS, status_code=201, summary="Add documents")
def add_documents(request: AddRequest, library: LibraryDependency) -> JSONResponse:
    """Add texts, or replace those with the same id or uri; all become visible at once."""
    texts = [Text(one.text, one.title, one.uri, one.id, one.metadata) for one in request.documents]
    return JSONResponse({"ids": library.add(texts)}, 201)


@router.post(
    "/file",
    response_model=AddResponse,
    responses={**PROBLEMS, 415: {"model": Problem, "description": "No loader reads this type."}},
    status_code=201,
    summary="Add a file",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def add_file(
    request: Request,
    library: LibraryDependency,
    name: Annotated[str, Query(description="The file's name; its suffix says how it is read.", max_length=255)],
) -> JSONResponse:
    """Add the documents of one file, sent as the body."""
    return JSONResponse({"ids": await run_in_threadpool(library.add_file, await request.body(), name)}, 201)


@router.get("/{id}", response_model=DocumentWithText, responses={**PROBLEMS, **_NOT_FOUND}, summary="Get a document")
def get_document(id: str, library: LibraryDependency) -> JSONResponse:
    """Get a document with its text, by its id."""
    return JSONResponse({**document_body(library.get(id)), "text": library.text(id)})


@router.delete(
    "/{id}", response_model=DeleteResponse, responses={**PROBLEMS, **_NOT_FOUND}, summary="Delete a document"
)
def delete_document(id: str, library: LibraryDependency) -> JSONResponse:
    """Delete a document by its id."""
    return JSONResponse({"deleted": library.delete([id])})
