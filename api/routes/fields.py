"""`GET /v1/fields`: what filters can name."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from quarry.api.bodies.holdings import fields_body
from quarry.api.routes.library import SearchedDependency
from quarry.api.routes.problems import INVALID

router = APIRouter(prefix="/v1", tags=["search"])


class ValueCount(BaseModel):
    """A value of a field, and how often it occurs."""

    value: str | int | float | bool
    count: int


class FieldBody(BaseModel):
    """A field that a filter can name."""

    name: str = Field(description="As a filter names it; `metadata.type` is the files' own field `type`.")
    documents: int = Field(description="How many documents have it.")
    types: dict[str, int] = Field(description="How many values are `text`, `number`, `date` or `boolean`.")
    distinct: int = Field(description="How many different values there are; counted up to 10,000.")
    values: list[ValueCount] = Field(description="The most frequent values; of dates that all documents have, years.")
    unclear: list[str] = Field(description="Some values that could be two dates, such as 03/04/2021: they are texts.")


class FieldList(BaseModel):
    """What filters can name."""

    fields: list[FieldBody]


@router.get("/fields", response_model=FieldList, responses=INVALID, summary="List fields")
def list_fields(library: SearchedDependency) -> JSONResponse:
    """List what a filter can name, with counts and the most frequent values: what every document has comes first."""
    return JSONResponse(fields_body(library.fields()))
