"""`/v1/jobs`: long work that goes on when the request that began it is answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Literal

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from quarry.api.routes.library import LibraryDependency, named_library
from quarry.api.routes.problems import NO_JOB, Problem, Responses
from quarry.api.server.jobs import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
_LOOK_S = 0.2
_ALIVE_S = 15.0  # after which a stream says that it is alive, though nothing has changed


class ProgressBody(BaseModel):
    """How far a job is."""

    files: int = Field(description="How many there are to read, as far as that is known.")
    size: int = Field(description="How much work that is, in steps of any size.")
    done_files: int
    done_size: int
    passages: int = Field(description="How many were committed.")
    doing: str = Field(description="What is being done now.")


class ReportBody(BaseModel):
    """What a run over roots did: counts of documents unless said otherwise, of files in a dry run."""

    added: int
    changed: int
    moved: int
    dropped: int
    unchanged_files: int
    files_read: int
    passages: int
    embedded: int
    failed: dict[str, str] = Field(description="What was wrong, by the path of the file.")
    warnings: dict[str, str]
    skipped: dict[str, int]
    skipped_files: dict[str, str]
    enriched: int = Field(0, description="Of how many documents enrichments know something else now.")
    unable: dict[str, str] = Field({}, description="Why models could not look at documents, by what they do.")
    held_back: dict[str, str] = Field(description="Roots that are missing or lost most of what they held.")
    dry_run: bool
    seconds: float


class JobBody(BaseModel):
    """A job, and how far it is."""

    id: str
    kind: str = Field(description="What it does: `sync`, `enrich`, or `hear` what is said in a file that was sent.")
    about: list[str] = Field(description="The roots that it is about; none for all.")
    state: Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"] = Field(
        description="`interrupted` where the server ended first: what was committed stays."
    )
    created: str
    started: str | None
    ended: str | None
    progress: ProgressBody
    report: ReportBody | None = Field(description="What was done, once it is.")
    problem: Problem | None = Field(description="Why it failed.")


class JobList(BaseModel):
    """Jobs, the latest first."""

    jobs: list[JobBody]


def begun(request: Request, job: Job) -> JSONResponse:
    """Have a job done, and answer where it can be watched."""
    named = named_library(request)
    named.jobs.begin(job)
    return JSONResponse(job.body, 202, {"Location": f"{named.path}/jobs/{job.id}"})


@router.get("", response_model=JobList, summary="List jobs")
def list_jobs(request: Request, library: LibraryDependency) -> JSONResponse:
    """List the jobs of the library, the latest first: those that wait and run, and 100 that are over."""
    return JSONResponse({"jobs": [job.body for job in named_library(request).jobs.listed()]})


@router.get("/{id}", response_model=JobBody, responses=NO_JOB, summary="Get a job")
def get_job(id: str, request: Request, library: LibraryDependency) -> JSONResponse:
    """Get a job's state, and how far it is."""
    return JSONResponse(named_library(request).jobs.get(id).body)


_EVENTS: Responses = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events, `job` each."}
}


@router.get("/{id}/events", response_class=Response, responses=NO_JOB | _EVENTS, summary="Watch a job")
async def watch_job(id: str, request: Request, library: LibraryDependency) -> Response:
    """Watch a job: server-sent events, `job` with its body whenever it has changed, until it is over."""
    return StreamingResponse(_events(named_library(request).jobs.get(id)), media_type="text/event-stream")


async def _events(job: Job) -> AsyncIterator[str]:
    told, silent = -1, 0.0
    while True:
        is_over, changes = job.is_over, job.changes
        if changes != told:
            yield f"event: job\ndata: {json.dumps(job.body, ensure_ascii=False)}\n\n"
            told, silent = changes, 0.0
        elif silent >= _ALIVE_S:
            yield ": alive\n\n"
            silent = 0.0
        if is_over:
            return
        await anyio.sleep(_LOOK_S)
        silent += _LOOK_S


@router.delete("/{id}", response_model=JobBody, responses=NO_JOB, status_code=202, summary="Cancel a job")
def cancel_job(id: str, request: Request, library: LibraryDependency) -> JSONResponse:
    """Have a job end: what it has committed stays, and the next one goes on from there. One that is over stays so."""
    job = named_library(request).jobs.get(id)
    if not job.is_over:
        job.cancel()
    return JSONResponse(job.body, 202)
