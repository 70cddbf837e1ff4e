"""`/v1/libraries`: which libraries are served; `/v1/status`: what one holds."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.routes.enrichments import EnrichmentBody
from quarry.api.routes.library import LibraryDependency, SearchedDependency
from quarry.api.routes.problems import INVALID
from quarry.api.server.libraries import PREFIX, Libraries

router = APIRouter(prefix="/v1", tags=["libraries"])


class NamedLibraryBody(BaseModel):
    """A library that is served."""

    name: str
    path: str = Field(description="What its routes begin with: `/v1` of the default one, else `/v1/libraries/NAME`.")
    is_default: bool


class LibraryList(BaseModel):
    """The libraries that are served."""

    libraries: list[NamedLibraryBody]
    together: bool = Field(False, description="Whether what names none of them searches all as one.")


_FAILED = "Over how many it failed, in whole or in part."
_REASONS = "Why, by the URI of the document; of the first of them."


class OcrBody(BaseModel):
    """How pages and pictures are read that hold no text, but show some."""

    engine: str = Field(description="What reads them, with its version and languages; empty where nothing does.")
    off: bool = Field(description="Whether that is by choice.")
    documents: int = Field(description="Documents of which something was read so.")
    unread: int = Field(description="Documents with pages that are pictures of text, of which nothing was read.")
    failed: int = Field(0, description=_FAILED)
    reasons: dict[str, str] = Field({}, description=_REASONS)
    missing: list[str] = Field(description="What can't be read here, and what to install.")


class SpeechBody(BaseModel):
    """How recordings and films are heard."""

    model: str = Field(description="What hears them, with its version; empty where nothing does.")
    off: bool = Field(description="Whether that is by choice.")
    documents: int = Field(description="Documents that can be heard.")
    heard: int = Field(description="Those that were, to their end.")
    failed: int = Field(0, description=_FAILED)
    reasons: dict[str, str] = Field({}, description=_REASONS)
    unknown: int = Field(description="Those with speech that the model makes nothing of: it is of another language.")
    missing: list[str] = Field(description="What can't be heard here, and what to do.")


class ReplicaBody(BaseModel):
    """What a read-only copy is of, and how far behind."""

    source: str = Field(description="Where the library is that it is a copy of.")
    replicated: str = Field(description="When this generation came, by this machine's clock.")
    seen: str | None = Field(description="When the source was last looked at, by this machine's clock.")
    source_generation: int | None = Field(description="Its newest generation then.")
    behind: int | None = Field(description="By how many commits this one is older.")
    problem: str = Field(description="Why the source could not be looked at since; empty where it could.")


class LabelCoverageBody(BaseModel):
    """A set of labels, and how far it is."""

    field: str = Field(description="That they are found in.")
    kind: str = Field(description="Of the documents that get them; empty for all.")
    labels: list[str]
    documents: int = Field(description="How many documents were looked at.")
    could: int = Field(description="How many there are.")
    failed: int


class EngineBody(BaseModel):
    """What keeps the library's vectors."""

    name: str
    uri: str = Field(description="Where it is; empty for the library's own folder.")


class StatusBody(BaseModel):
    """What a library holds: counts, models, sizes; what is derived tells of itself, too."""

    model_config = ConfigDict(extra="allow")

    library: str
    generation: int
    documents: int
    passages: int
    files: int
    types: dict[str, int]
    kinds: dict[str, int]
    roots: list[dict[str, Any]]
    failing: dict[str, str] = Field(description="Why files can't be read, by path.")
    formats_left_out: dict[str, str] = Field({}, description="Why formats of other packages can't be used, by name.")
    ocr: OcrBody
    speech: SpeechBody
    engine: EngineBody
    enrichments: list[EnrichmentBody] = Field([], description="What models find out about documents.")
    labels: list[LabelCoverageBody] = Field([], description="Labels that documents get by their vectors.")
    bytes: int
    replica: ReplicaBody | None = Field(None, description="Of a read-only copy of another library, what it is of.")


@router.get("/libraries", response_model=LibraryList, summary="List libraries")
def list_libraries(request: Request, library: SearchedDependency) -> JSONResponse:
    """List the libraries that are served. Every route below /v1 is there for each, below its own path."""
    libraries: Libraries = request.app.state.libraries
    default = libraries.default
    if libraries.together is not None:
        paths = {name: f"{PREFIX}{name}" for name in libraries.together.libraries}
        listed = [{"name": name, "path": path, "is_default": False} for name, path in paths.items()]
        return JSONResponse({"libraries": listed, "together": True})
    listed = [{"name": one.name, "path": one.path, "is_default": one is default} for one in libraries]
    return JSONResponse({"libraries": listed, "together": False})


@router.get("/status", response_model=StatusBody, responses=INVALID, summary="What it holds")
def status(library: LibraryDependency) -> JSONResponse:
    """Say what the library holds: counts, models, roots, sizes, files that can't be read."""
    return JSONResponse(library.status())
