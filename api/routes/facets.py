"""`GET /v1/facets`: how many documents, or hits, have which value of a field."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.responses import facets_body
from quarry.api.routes.documents import SomeParameters
from quarry.api.routes.library import SearchedDependency
from quarry.api.routes.problems import INVALID
from quarry.api.routes.results import FacetBody, NoteBody

router = APIRouter(prefix="/v1", tags=["search"])


class FacetParameters(SomeParameters):
    """What is counted, of what."""

    field: list[str] = Field(description="A field that a filter can name; may be repeated.", examples=[["type"]])
    q: str = Field("", description="Of what a search for this finds and is likely to mean; else of all documents.")


class FacetsBody(BaseModel):
    """The values of some fields, with their counts."""

    facets: dict[str, FacetBody]
    degraded: list[str] = Field(description="What the filter may have been meant as, where it can't be as it is.")
    notes: list[NoteBody] = Field([], description="The same, each with its code.")


@router.get("/facets", response_model=FacetsBody, responses=INVALID, summary="Count values")
def count_values(parameters: Annotated[FacetParameters, Query()], library: SearchedDependency) -> JSONResponse:
    """Count how many documents have which value of a field, or how many hits of a query."""
    filter = parameters.whole_filter()
    counted = library.facets(parameters.field, query=parameters.q, filter=filter)
    found, notes = counted if isinstance(counted, tuple) else (counted, library.filter_notes(filter))
    return JSONResponse(facets_body(found) | notes_body(notes))
