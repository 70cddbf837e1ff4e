"""`/v1/roots`: the folders and files that are kept in sync. A client names none that the server was not given."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.library import Library
from quarry.api.routes.jobs import JobBody, begun
from quarry.api.routes.library import LibraryDependency, named_library
from quarry.api.routes.problems import FORBIDDEN, INVALID, NOT_FOUND
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.sent import written
from quarry.api.server.jobs import Job
from quarry.api.server.libraries import Libraries
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.files.uris import absolute, path_of, uri_of
from quarry.search.stores.rows.roots import Root, is_within

router = APIRouter(prefix="/v1/roots", tags=["roots"])
_LONGEST = 4_096  # characters of a path


class RootOptionsBody(BaseModel):
    """How the files of a root are read."""

    text_fields: list[str]
    title_field: str
    id_field: str
    metadata: dict[str, Any]


class RootBody(BaseModel):
    """A folder or file that is kept in sync."""

    path: str
    documents: int
    files: int
    synced: str | None = Field(description="When it was last brought in sync.")
    is_there: bool = Field(description="Whether there is anything at its path now.")
    options: RootOptionsBody
    job: str | None = Field(description="The id of the job that brings it in sync, or waits to.")


class RootList(BaseModel):
    """The roots of the library, by path."""

    roots: list[RootBody]
    folders: list[str] = Field(description="Below which others can be added.")


class AddRootRequest(RequestBody):
    """A folder or file to keep in sync."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"path": "/srv/notes", "metadata": {"team": "atlas"}}]})

    path: str = Field(max_length=_LONGEST, description="Its whole path, below a folder that the server was given.")
    text_fields: list[str] = Field(default_factory=list, description="Tables, JSON: fields that are text.")
    title_field: str = Field("", description="Tables, JSON: the field that is the title.")
    id_field: str = Field("", description="Tables, JSON: the field that identifies a row.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Added to every document of it.")


class SyncRequest(RequestBody):
    """What to bring in sync."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"verify": True}]})

    paths: list[str] = Field(
        default_factory=list, max_length=100, description="Roots, or folders and files in them; none for all."
    )
    prune: bool = Field(False, description="Drop documents even where a root is missing or lost most of them.")
    verify: bool = Field(False, description="Hash every file instead of trusting size and times; retry failed ones.")
    dry_run: bool = Field(False, description="Only say what would be done.")
    cross_lingual: bool = Field(
        False, description="Embed all texts so that questions in any language find them, now and later."
    )
    ocr: Literal["auto", "tesseract", "rapidocr", "off"] | None = Field(
        None, description="What reads pages and pictures that hold no text, now and later."
    )
    transcribe: Literal["auto", "off"] | None = Field(
        None, description="Whether what is said in recordings and films is heard, now and later."
    )


class ForgetParameters(BaseModel):
    """Which root."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(max_length=_LONGEST, description="As the list has it.")


class ForgetResponse(BaseModel):
    """How many documents went with a root."""

    dropped: int


@router.get("", response_model=RootList, responses=INVALID, summary="List roots")
def list_roots(request: Request, library: LibraryDependency) -> JSONResponse:
    """List the folders and files that are kept in sync, each with its state."""
    named, libraries = named_library(request), _libraries(request)
    jobs = [job for job in reversed(named.jobs.listed()) if not job.is_over]  # what runs comes before what waits
    roots = [_body(root, next((job for job in jobs if _is_about(job, root)), None)) for root in library.roots()]
    return JSONResponse({"roots": roots, "folders": list(libraries.folders)})


@router.post("", response_model=JobBody, responses=INVALID | FORBIDDEN, status_code=202, summary="Add a root")
def add_root(root: AddRootRequest, request: Request, library: LibraryDependency) -> JSONResponse:
    """Add a folder or file that is to be kept in sync, and have it read: the answer is a job.

    It lies below a folder that the server was given (`quarry serve --roots DIR`), or is a root already, which gets
    these options.
    """
    path = _permitted(root.path, library, _libraries(request))
    options = {name: value for name, value in dict(root).items() if name != "path" and value}

    def work(job: Job) -> Any:
        return library.index(path_of(path), progress=job, **options)

    return begun(request, Job("sync", work, (path,)))


# A body with nothing in it and none at all both mean all roots.
@router.post(
    "/sync", response_model=JobBody, responses=NOT_FOUND | FORBIDDEN, status_code=202, summary="Bring roots in sync"
)
def sync_roots(request: Request, library: LibraryDependency, sync: SyncRequest | None = None) -> JSONResponse:
    """Have roots brought in sync with the disk, or parts of them: the answer is a job, which a location names."""
    sync = sync or SyncRequest.model_validate({})
    paths = tuple(_permitted(path, library, _libraries(request)) for path in sync.paths)
    if not paths and not library.roots():
        raise NotFound("This library has no roots yet; add one by POST /v1/roots.")

    def work(job: Job) -> Any:
        return library.index(
            *map(path_of, paths),
            prune=sync.prune,
            verify=sync.verify,
            dry_run=sync.dry_run,
            cross_lingual=sync.cross_lingual,
            ocr=sync.ocr,
            transcribe=sync.transcribe,
            progress=job,
        )

    return begun(request, Job("sync", work, paths))


@router.delete("", response_model=ForgetResponse, responses=NOT_FOUND, summary="Remove a root")
async def forget_root(
    request: Request, parameters: Annotated[ForgetParameters, Query()], library: LibraryDependency
) -> JSONResponse:
    """Stop keeping a root in sync, and drop its documents; its files stay as they are."""
    return JSONResponse({"dropped": await written(request, _forget, library, parameters.path)})


def _forget(library: Library, path: str) -> int:
    if path not in {root.path for root in library.roots()}:
        raise NotFound(f"{path!r} is no root of this library; GET /v1/roots lists those there are.")
    return library.forget(path_of(path))


def _libraries(request: Request) -> Libraries:
    libraries: Libraries = request.app.state.libraries
    return libraries


def _permitted(path: str, library: Library, libraries: Libraries) -> str:
    """Return the URI of a path that may be indexed for a client.

    Whether anything is there is not looked at for any other, lest a client learn what there is on this machine.
    """
    try:
        if not path.startswith(("/", "file://")):
            raise InvalidRequest(f"path is {path!r}; give a whole one, from /.")
        uri = uri_of(absolute(path_of(path)))
    except (ValueError, OSError) as error:  # a NUL, half a surrogate pair, a circle of links
        raise InvalidRequest(f"path is {path!r}, which can't be one.") from error
    if any(is_within(uri, folder) for folder in (*libraries.folders, *(root.path for root in library.roots()))):
        return uri
    raise HTTPException(
        403,
        f"{path!r} is no root, and lies below no folder that this server may add: the one who starts it names those "
        "with --roots DIR.",
    )


def _is_about(job: Job, root: Root) -> bool:
    return not job.about or any(is_within(path, root.path) or is_within(root.path, path) for path in job.about)


def _body(root: Root, job: Job | None) -> dict[str, Any]:
    return {
        "path": root.path,
        "documents": root.documents,
        "files": root.files,
        "synced": root.synced,
        "is_there": os.path.lexists(path_of(root.path)),
        "options": {
            "text_fields": list(root.options.text_fields),
            "title_field": root.options.title_field,
            "id_field": root.options.id_field,
            "metadata": dict(root.options.metadata),
        },
        "job": job.id if job else None,
    }
