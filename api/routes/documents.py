"""`/v1/documents`: list, add, get, delete."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.bodies import document_body, documents_body
from api.library import Text
from api.routes.library import LibraryDependency
from api.routes.problems import INVALID, NO_LOADER, NOT_FOUND, TOO_LARGE
from api.schemas import (
    AddRequest,
    AddResponse,
    DeleteResponse,
    DocumentList,
    DocumentWithText,
    FileParameters,
    ListParameters,
)
from search.errors import InvalidRequest

router = APIRouter(prefix="/v1/documents", tags=["documents"])


@router.get("", response_model=DocumentList, responses=INVALID, summary="List documents")
def list_documents(parameters: Annotated[ListParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """List documents in the order they were added."""
    filter = None
    if parameters.filter is not None:
        try:
            filter = json.loads(parameters.filter)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest("filter is not JSON.") from error
    limit, offset = parameters.limit, parameters.offset
    documents, total = library.documents(filter=filter, limit=limit, offset=offset)
    return JSONResponse(documents_body(documents, total, limit, offset))


@router.post("", response_model=AddResponse, responses=INVALID | TOO_LARGE, status_code=201, summary="Add documents")
def add_documents(request: AddRequest, library: LibraryDependency) -> JSONResponse:
    """Add texts, or replace those with the same id or uri; all become visible at once."""
    texts = [Text(one.text, one.title, one.uri, one.id, one.metadata) for one in request.documents]
    return JSONResponse({"ids": library.add(texts)}, 201)


@router.post(
    "/file",
    response_model=AddResponse,
    responses=INVALID | TOO_LARGE | NO_LOADER,
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
    request: Request, parameters: Annotated[FileParameters, Query()], library: LibraryDependency
) -> JSONResponse:
    """Add the documents of one file, sent as the body."""
    ids = await run_in_threadpool(library.add_file, await request.body(), parameters.name)
    return JSONResponse({"ids": ids}, 201)


# A path, because whoever adds a document may give it an id with slashes.
@router.get("/{id:path}", response_model=DocumentWithText, responses=NOT_FOUND, summary="Get a document")
def get_document(id: str, library: LibraryDependency) -> JSONResponse:
    """Get a document with its text, by its id."""
    with library.catalog().snapshot():  # both from one generation
        return JSONResponse({**document_body(library.get(id)), "text": library.text(id)})


@router.delete("/{id:path}", response_model=DeleteResponse, responses=NOT_FOUND, summary="Delete a document")
def delete_document(id: str, library: LibraryDependency) -> JSONResponse:
    """Delete a document by its id."""
    return JSONResponse({"deleted": library.delete([id])})
