"""`GET /v1/outliers`: which documents are like nothing else in the library."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.holdings import outliers_body
from quarry.api.members.outliers import LEAST
from quarry.api.routes.documents import DocumentBody, SomeParameters
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID
from quarry.api.routes.results import NoteBody
from quarry.search.types import Kind

router = APIRouter(prefix="/v1", tags=["documents"])


class OutliersParameters(SomeParameters):
    """Among which documents to look, and how strange they are to be."""

    kind: Kind | None = Field(None, description="Texts or pictures alone.")
    least: float = Field(LEAST, description="How many spreads further than usual from others they are at least.")
    limit: int = Field(20, description="How many documents, 0 to 1,000.")
    offset: int = Field(0, description="How many documents to pass by.")


class OutlierBody(BaseModel):
    """A document that is like nothing else in the library."""

    kind: Kind
    spreads: float = Field(description="How much further from its fifth nearest neighbour it is than is usual.")
    distance: float = Field(description="To that neighbour, 1 - cosine.")
    document: DocumentBody
    nearest: DocumentBody = Field(description="What it is the least unlike.")


class OutliersBody(BaseModel):
    """Documents that are like nothing else, the strangest first."""

    outliers: list[OutlierBody]
    total: int = Field(description="How many there are in all.")
    compared: int = Field(description="How many documents were compared with others.")
    left_out: int = Field(description="How many were not: without a vector, or with fewer than twenty to compare with.")
    limit: int
    offset: int
    degraded: list[str] = Field(description="What the filter may have been meant as, where it can't be as it is.")
    notes: list[NoteBody] = Field([], description="The same, each with its code.")


@router.get("/outliers", response_model=OutliersBody, responses=INVALID, summary="List outliers")
def list_outliers(parameters: Annotated[OutliersParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """List documents that are like nothing else in the library, per kind, the strangest first."""
    filter, limit, offset = parameters.whole_filter(), parameters.limit, parameters.offset
    found = library.outliers(filter=filter, kind=parameters.kind, least=parameters.least, limit=limit, offset=offset)
    return JSONResponse(outliers_body(found, limit, offset) | notes_body(library.filter_notes(filter)))
