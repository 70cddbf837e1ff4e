"""`GET /v1/duplicates`: which documents are the same or nearly the same."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.holdings import duplicates_body
from quarry.api.members.duplicates import ALIKE, By
from quarry.api.routes.documents import DocumentBody, SomeParameters
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID
from quarry.api.routes.results import NoteBody

router = APIRouter(prefix="/v1", tags=["documents"])


class DuplicatesParameters(SomeParameters):
    """Among which documents to look, and how alike they are to be."""

    by: By = Field("copies", description="`meaning` for texts that say the same in other words.")
    alike: float = Field(ALIKE, description="How alike documents are at least, 0.5 to 1; 1 for the very same.")
    limit: int = Field(100, description="How many groups, 0 to 1,000.")
    offset: int = Field(0, description="How many groups to pass by.")


class CopyBody(BaseModel):
    """A document of a group."""

    alike: float = Field(description="How alike it is to the one to keep, 0 to 1: an estimate.")
    same: bool = Field(description="Whether its text, or picture, is the very same.")
    bytes: int | None = Field(description="The size of its file; null where it is a part of one, or of none.")
    document: DocumentBody


class GroupBody(BaseModel):
    """Documents that are the same or nearly the same."""

    keep: CopyBody = Field(description="The longest text or largest picture, of about as long ones the oldest.")
    copies: list[CopyBody] = Field(description="The others, the most alike first, at most 100.")
    total: int = Field(description="How many others there are.")


class DuplicatesBody(BaseModel):
    """Groups of documents, those with the most copies first."""

    groups: list[GroupBody]
    total: int = Field(description="How many groups there are in all.")
    copies: int = Field(description="How many documents there are in all groups beside those to keep.")
    unseen: int = Field(description="How many documents wait to be looked at by the next run of the indexer.")
    limit: int
    offset: int
    degraded: list[str] = Field(description="What the filter may have been meant as, where it can't be as it is.")
    notes: list[NoteBody] = Field([], description="The same, each with its code.")


@router.get("/duplicates", response_model=DuplicatesBody, responses=INVALID, summary="List duplicates")
def list_duplicates(parameters: Annotated[DuplicatesParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """List documents that are the same or nearly the same, in groups: the one to keep, and its copies."""
    filter, limit, offset = parameters.whole_filter(), parameters.limit, parameters.offset
    found = library.duplicates(filter=filter, by=parameters.by, alike=parameters.alike, limit=limit, offset=offset)
    return JSONResponse(duplicates_body(found, limit, offset) | notes_body(library.filter_notes(filter)))
