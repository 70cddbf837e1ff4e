"""`POST /v1/search`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.bodies import response_body
from api.routes.library import LibraryDependency
from api.schemas import Problem, SearchRequest, SearchResponse

router = APIRouter(prefix="/v1", tags=["search"])

PROBLEMS: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "The request can't be answered as it stands."},
    503: {"model": Problem, "description": "The library or a model is unavailable."},
}


@router.post("/search", response_model=SearchResponse, responses=PROBLEMS, summary="Find passages")
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
