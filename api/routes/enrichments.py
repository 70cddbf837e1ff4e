"""`/v1/enrichments`: what models find out about documents. A client names no model: who owns the library does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.routes.jobs import JobBody, begun
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import NOT_FOUND
from quarry.api.routes.request_body import RequestBody
from quarry.api.server.jobs import Job
from quarry.search.errors import NotFound

router = APIRouter(prefix="/v1/enrichments", tags=["enrichments"])


class EnrichmentBody(BaseModel):
    """A model that does a task for every document, and how far it is."""

    name: str = Field(description="The field that it finds, and who says what it says.")
    task: str
    model: str
    labels: list[str] = Field(description="That it was told to tell apart; of most tasks, none.")
    language: str = Field("", description="That it was told to write; of most tasks, and of a model of one, none.")
    documents: int = Field(description="How many it has looked at.")
    could: int = Field(description="How many hold what it looks at.")
    failed: int = Field(description="Over how many it failed.")
    reasons: dict[str, str] = Field(description="Why, by the URI of the document; of the first of them.")


class EnrichmentList(BaseModel):
    """The models that find something out about documents."""

    enrichments: list[EnrichmentBody]


class EnrichRequest(RequestBody):
    """What to look at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"redo": ["sentiment"]}]})

    redo: list[str] = Field(
        default_factory=list, max_length=100, description="Names whose models are to look at everything again."
    )


@router.get("", response_model=EnrichmentList, summary="List enrichments")
def list_enrichments(library: LibraryDependency) -> JSONResponse:
    """List the models that find something out about documents, each with how far it is."""
    return JSONResponse({"enrichments": library.status()["enrichments"]})


# A body with nothing in it and none at all mean the same.
@router.post("", response_model=JobBody, responses=NOT_FOUND, status_code=202, summary="Enrich documents")
def enrich(request: Request, library: LibraryDependency, wanted: EnrichRequest | None = None) -> JSONResponse:
    """Have models look at what they have not looked at, or failed over: the answer is a job, which a location names.

    Which models these are, `quarry enrich NAME=MODEL` says.
    """
    redo = wanted.redo if wanted else []
    known = {one.name for one in library.enrichments()}
    if unknown := [name for name in redo if name not in known]:
        raise NotFound(f"No model was chosen by the name {unknown[0]!r}; GET /v1/enrichments lists those there are.")

    def work(job: Job) -> Any:
        return library.enrich(redo=redo, progress=job)

    return begun(request, Job("enrich", work))
