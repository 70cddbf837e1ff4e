"""`GET /v1/fields`: what filters can name."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from quarry.api.bodies import fields_body
from quarry.api.field_schemas import FieldList
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID

router = APIRouter(prefix="/v1", tags=["search"])


@router.get("/fields", response_model=FieldList, responses=INVALID, summary="List fields")
def list_fields(library: LibraryDependency) -> JSONResponse:
    """List what a filter can name, with counts and the most frequent values: what every document has comes first."""
    return JSONResponse(fields_body(library.fields()))
