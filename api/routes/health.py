"""`/healthz`: the process answers. `/readyz`: it can search, or why not."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from quarry.api.routes.library import SearchedDependency
from quarry.search.errors import QuarryError

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether the server runs, or can answer; `causes` says why not."""

    status: str
    causes: list[str] = []


@router.get("/healthz", response_model=Health, summary="Is it alive")
async def healthz() -> JSONResponse:
    """Answer without touching the library."""
    return JSONResponse({"status": "ok", "causes": []})


@router.get(
    "/readyz",
    response_model=Health,
    responses={503: {"model": Health, "description": "It can't search; `causes` says why."}},
    summary="Can it search",
)
def readyz(request: Request, library: SearchedDependency) -> JSONResponse:
    """Say whether the catalog, the indexes and the encoder are at hand."""
    try:
        library.warm()
    except QuarryError as error:
        # Causes name files of this machine: without a key, where one is needed, they are not told.
        causes = [str(error)] if request.scope.get("admitted", True) else []
        return JSONResponse({"status": "unavailable", "causes": causes}, 503)
    return JSONResponse({"status": "ready", "causes": []})
