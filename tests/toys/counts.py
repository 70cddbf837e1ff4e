"""GET /v1/counts: how many documents there are of a type."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID

router = APIRouter(prefix="/v1/counts", tags=["documents"])


class CountParameters(BaseModel):
    """What to count."""

    model_config = ConfigDict(extra="forbid")

    type: str


class Count(BaseModel):
    """How many there are."""

    documents: int


@router.get("", response_model=Count, responses=INVALID, summary="Count documents")
def count(parameters: Annotated[CountParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """Count the documents of a type."""
    return JSONResponse({"documents": library.documents(filter={"type": parameters.type}, limit=0)[1]})
