"""`POST /v1/check`."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.bodies.answers import check_body
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID, TOO_LARGE
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.results import HitBody, NoteBody

router = APIRouter(prefix="/v1", tags=["search"])


class CheckRequest(RequestBody):
    """A claim to hold against the documents."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"claim": "The ferry runs on Sundays."}]})

    claim: str = Field(description="A statement; 1 to 10,000 characters, and no more than the model takes.")
    limit: int = Field(10, description="How many of the nearest passages are looked at, 1 to 100.")
    filter: dict[str, Any] | None = Field(None, description="Only documents that match, as in a search.")


class JudgedBody(BaseModel):
    """What a passage says of the claim, as the model reads it."""

    verdict: Literal["supports", "contradicts", "neither"]
    supports: float = Field(description="How likely it is that the passage supports the claim, 0 to 1.")
    contradicts: float
    neither: float
    hit: HitBody


class CheckResponse(BaseModel):
    """What the nearest passages say of a claim: those that say something first, the surest before all."""

    claim: str
    supported: int = Field(description="How many passages support it.")
    contradicted: int
    judged: list[JudgedBody]
    took_ms: float
    generation: int
    degraded: list[str] = Field(description="As in a search.")
    notes: list[NoteBody] = Field([], description="The same, each with its code.")


@router.post(
    "/check", response_model=CheckResponse, responses=INVALID | TOO_LARGE, summary="Hold a claim against the documents"
)
def check(request: CheckRequest, library: LibraryDependency) -> JSONResponse:
    """Have the server's checker say of the nearest passages whether they support a claim, contradict it, or neither.

    The server is started with `--checker`. A passage is read by itself: what it says of the claim is a model's word.
    """
    return JSONResponse(check_body(library.check(request.claim, limit=request.limit, filter=request.filter)))
