"""`POST /v1/search`, and searching with a picture."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from quarry.api.bodies import response_body
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID, NO_LOADER, TOO_LARGE
from quarry.api.routes.sent import body_of, in_turn, sent_file
from quarry.api.schemas import PictureParameters, SearchRequest, SearchResponse

router = APIRouter(prefix="/v1", tags=["search"])


@router.post("/search", response_model=SearchResponse, responses=INVALID | TOO_LARGE, summary="Find passages")
def search(request: SearchRequest, library: LibraryDependency) -> JSONResponse:
    """Find passages by meaning and by words, best first."""
    response = library.search(
        request.query,
        mode=request.mode,
        limit=request.limit,
        offset=request.offset,
        filter=request.filter,
        explain=request.explain,
        kinds=request.kinds,
        min_relevance=request.min_relevance,
        rerank=request.rerank,
        answer=request.answer,
        summarize=request.summarize,
        group=request.group,
    )
    return JSONResponse(response_body(response))


@router.post(
    "/search/image",
    response_model=SearchResponse,
    responses=INVALID | TOO_LARGE | NO_LOADER,
    summary="Find by a picture",
    openapi_extra=body_of("image/*"),
)
async def search_by_picture(
    request: Request, parameters: Annotated[PictureParameters, Query()], library: LibraryDependency
) -> JSONResponse:
    """Find pictures like the one that is sent as the body or in a form, and passages about what it shows."""
    sent = await sent_file(request)
    response = await in_turn(
        request,
        library.search,
        parameters.text,
        picture=sent.content,
        kinds=parameters.kind,
        limit=parameters.limit,
        offset=parameters.offset,
        min_relevance=parameters.min_relevance,
    )
    return JSONResponse(response_body(response))
