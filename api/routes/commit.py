"""`/v1/commit`: the files that the newest commit of a library consists of, for who keeps a copy of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from quarry.api.routes import contents
from quarry.api.routes.library import LibraryDependency, named_library
from quarry.api.routes.problems import MAY_NOT_COPY, NOT_HELD, UNAVAILABLE, Responses
from quarry.api.routes.sent import in_turn
from quarry.indexer.exchange.listing import state_body

router = APIRouter(prefix="/v1/commit", tags=["libraries"])
COPY = "Quarry-Copy"  # a header: which of the copies that are made of the library asks

_FILE: Responses = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
}


class CommitBody(BaseModel):
    """What a copy that is made now would be of."""

    library: str = Field(description="The library's id, which copies of it have, too.")
    generation: int = Field(description="The number of the commit.")
    commit: str = Field(description="Its id.")
    derived: str = Field(description="Changes with what is derived from it: segments are merged without a commit.")


class CommitFileBody(BaseModel):
    """A file of the commit."""

    name: str = Field(description="Where it is in the library's folder.")
    bytes: int
    sha256: str
    blocks: str = Field(description="Of a database, 16 hexadecimal digits for each 4 KiB: which of them changed.")


class CommitFiles(CommitBody):
    """The files of the newest commit, which are held for ten minutes after they were last asked for."""

    format: int = Field(description="Of this list.")
    documents: int
    files: list[CommitFileBody]
    left_out: list[str] = Field(description="Derived files that are damaged here, and why.")


def _require_copying(request: Request) -> None:
    if request.scope.get("may", "write") == "read":
        said = "may read, and not copy the library; `quarry keys add NAME --replicate` makes one for this"
        raise HTTPException(403, f"The key {request.scope['key']} {said}.")


def _copy(request: Request) -> str:
    return request.headers.get(COPY, "")[:64]


@router.get("", response_model=CommitBody, responses=UNAVAILABLE | MAY_NOT_COPY, summary="The newest commit")
def newest(request: Request, library: LibraryDependency) -> JSONResponse:
    """Say which commit is the newest, without holding it: what a copy asks for to know whether it is behind."""
    _require_copying(request)
    return JSONResponse(state_body(named_library(request).commits.newest()))


@router.get("/files", response_model=CommitFiles, responses=UNAVAILABLE | MAY_NOT_COPY, summary="Files of a commit")
async def list_files(request: Request, library: LibraryDependency) -> JSONResponse:
    """List the files that the newest commit consists of, and hold them: they stay though the library is written to.

    While two commits are held and copied, it is the newest of these; a header `Quarry-Copy`, some letters and digits
    that each copy has chosen for itself, tells copies apart.

    The key must be one that may copy the library (`quarry keys add NAME --replicate`), or write to it.
    """
    _require_copying(request)
    commits, copy = named_library(request).commits, _copy(request)
    return await in_turn(request, lambda: JSONResponse(commits.hold(copy).listing.body))  # which may be long


@router.get(
    "/files/{sha256}", response_class=Response, responses=NOT_HELD | MAY_NOT_COPY | _FILE, summary="Get a file of it"
)
def get_file(
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], request: Request, library: LibraryDependency
) -> Response:
    """Get a file of a commit that is held, by its SHA-256, whole or the range that is asked for."""
    _require_copying(request)
    file, size = named_library(request).commits.opened(sha256, _copy(request))
    return contents.ranged(request, file, size, f'"{sha256}"', {}, "application/octet-stream")
