"""`/v1/labels`: labels that documents are given by their vectors."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.bodies.holdings import labelled_body
from quarry.api.routes.jobs import JobBody, begun
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID, NOT_FOUND
from quarry.api.routes.request_body import RequestBody
from quarry.api.server.jobs import Job
from quarry.indexer.enrichments.labelling import label_set
from quarry.search.alike.labels import MOST
from quarry.search.errors import NotFound
from quarry.search.types import Kind

router = APIRouter(prefix="/v1/labels", tags=["enrichments"])


class LabelSetBody(BaseModel):
    """A set of labels, and how far documents have them."""

    field: str = Field(description="That they are in.")
    kind: str = Field(description="Of the documents that get them, empty for all.")
    labels: dict[str, int] = Field(description="How many documents have each.")
    documents: int = Field(description="How many were looked at.")
    could: int = Field(description="How many there are.")
    none: int = Field(description="How many of those that were looked at have none of them.")
    unread: list[str] = Field(description="Labels that no model of the library knows the script of.")


class LabelList(BaseModel):
    """The sets of labels of a library."""

    labels: list[LabelSetBody]


class LabelRequest(RequestBody):
    """Labels to give, or to take away."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"labels": ["sport", "politics: parties, elections"], "field": "subject"}]}
    )

    labels: list[str] = Field(
        default_factory=list,
        max_length=MOST,
        description="Each `NAME`, or `NAME: words that describe it`. They take the place of those in that field.",
    )
    kind: Kind | None = Field(None, description="Of the documents that get them; all where it is left out.")
    field: str = Field("label", description="Where they are found.")
    remove: list[str] = Field(
        default_factory=list, max_length=100, description="Fields whose labels are taken away, and nothing else."
    )


@router.get("", response_model=LabelList, summary="List labels")
def list_labels(library: LibraryDependency) -> JSONResponse:
    """List the sets of labels, with how many documents have which."""
    return JSONResponse({"labels": [labelled_body(one) for one in library.label_sets()]})


@router.post("", response_model=JobBody, responses=INVALID | NOT_FOUND, status_code=202, summary="Label documents")
def label(request: Request, library: LibraryDependency, wanted: LabelRequest) -> JSONResponse:
    """Give documents those labels that are apt, now and from now on: the answer is a job, which a location names."""

    known = {one.field for one in library.label_sets()}
    if unknown := [field for field in wanted.remove if field not in known]:
        raise NotFound(f"No labels are in the field {unknown[0]!r}; GET /v1/labels lists those there are.")
    if wanted.labels:  # what can't be read is said at once
        label_set(wanted.labels, wanted.kind or "", wanted.field)

    def work(job: Job) -> Any:
        return library.label(
            wanted.labels, kind=wanted.kind or "", field=wanted.field, remove=wanted.remove, progress=job
        )

    return begun(request, Job("label", work))
