"""`POST /v1/search`."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.bodies import response_body
from api.routes.library import LibraryDependency
from api.routes.problems import INVALID, TOO_LARGE
from api.schemas import SearchRequest, SearchResponse

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
    )
    return JSONResponse(response_body(response))
