"""`/v1/documents`, written: added, put under an id, deleted, brought back. Each answers when it is committed."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from quarry.api.library import Library, Text
from quarry.api.routes.documents import SomeParameters, without_slash
from quarry.api.routes.library import LibraryDependency, named_library
from quarry.api.routes.problems import CONFLICT, INVALID, NO_LOADER, NOT_FOUND, TOO_LARGE
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.sent import body_of, json_object, sent_file, sent_json, written
from quarry.api.server.jobs import Job
from quarry.api.server.paths import ID
from quarry.indexer.report import Report
from quarry.search.errors import InvalidRequest, NotFound

router = APIRouter(prefix="/v1/documents", tags=["documents"])
MAX_DOCUMENTS = 1_000  # in one request


class FileParameters(BaseModel):
    """How an uploaded file is read."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="The file's name, with folders if you like; its suffix says how it is read. A form brings its own.",
        examples=["notes.md"],
    )
    metadata: str | None = Field(
        None, description="A JSON object that is added to what is read.", examples=['{"project": "atlas"}']
    )


class PutBody(RequestBody):
    """A document to put under an id."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Tides", "text": "The Moon raises two tides a day."}]}
    )

    text: str
    title: str = ""
    uri: str | None = Field(None, description="What names it; one that exists is replaced, a synced file's is refused.")
    metadata: dict[str, Any] = Field(default_factory=dict)


class NewDocumentBody(PutBody):
    """A document to add."""

    id: str | None = Field(None, description="Made where it is not given; one that exists is replaced.")


class AddRequest(RequestBody):
    """Documents to add; all become visible at once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": [
                        {"title": "Tides", "text": "The Moon raises two tides a day.", "metadata": {"year": 2024}}
                    ]
                }
            ]
        }
    )

    documents: list[NewDocumentBody] = Field(min_length=1, max_length=MAX_DOCUMENTS)


class AddResponse(BaseModel):
    """The ids of what was added, in order."""

    ids: list[str]
    job: str | None = Field(None, description="The job that hears what is said in it, of recordings and films.")


class DeleteParameters(SomeParameters):
    """Which documents to delete; one of these must be given."""

    dry_run: bool = Field(False, description="Only say how many there are.")


class DeleteResponse(BaseModel):
    """How many documents were deleted, or would be."""

    deleted: int


class UndeleteRequest(RequestBody):
    """What to bring back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["f34c15be6e5836bc"]}, {}]})

    ids: list[str] = Field(
        default_factory=list,
        max_length=MAX_DOCUMENTS,
        description="Ids or URIs of deleted documents; none for what was deleted last.",
    )


_FORM = {"name": {"type": "string"}, "metadata": {"type": "string", "format": "json"}}


@router.post(
    "",
    response_model=AddResponse,
    responses=INVALID | TOO_LARGE | CONFLICT,
    status_code=201,
    summary="Add documents",
)
async def add_documents(added: AddRequest, request: Request, library: LibraryDependency) -> JSONResponse:
    """Add texts, or replace those with the same id or uri; all become visible at once.

    A name that belongs to a synced file is refused: change the file instead.
    """
    texts = [Text(one.text, one.title, one.uri, one.id, one.metadata) for one in added.documents]
    return JSONResponse({"ids": await written(request, library.add, texts)}, 201)


@router.post(
    "/file",
    response_model=AddResponse,
    responses=INVALID | TOO_LARGE | NO_LOADER | CONFLICT,
    status_code=201,
    summary="Add a file",
    openapi_extra=body_of("application/octet-stream", _FORM),
)
async def add_file(
    request: Request, parameters: Annotated[FileParameters, Query()], library: LibraryDependency
) -> JSONResponse:
    """Add the documents of one file, sent as the body or in a form; they replace those of that name.

    A form's file brings its own name, unless `name` gives another; `metadata`, a JSON object, is added to what is read.
    A recording is there at once, and what is said in it when the `job` is done that hears it.
    """
    return JSONResponse(await _file_written(request, parameters, library, None), 201)


async def _file_written(
    request: Request, parameters: FileParameters, library: Library, id: str | None
) -> dict[str, Any]:
    sent = await sent_file(request, {"name", "metadata"})
    name = parameters.name or sent.fields.get("name") or sent.name
    if not name:
        raise InvalidRequest("name: say what the file is called; its suffix says how it is read.")
    metadata = json_object(parameters.metadata or sent.fields.get("metadata"), "metadata")
    ids = await written(request, library.add_file, sent.content, name, metadata, id=id, hear=False)
    if not await run_in_threadpool(library.unheard, ids):
        return {"ids": ids, "job": None}
    content = TemporaryFile()  # noqa: SIM115  # closed by the job, or with it
    await run_in_threadpool(content.write, sent.content)

    def work(job: Job) -> Report:
        job.start(1, 1)
        job.note(name)
        with content:
            content.seek(0)
            heard = library.hear(content, name, metadata, id=id)
        job.advance(1, 1, 0)
        return Report(changed=len(heard))

    return {"ids": ids, "job": named_library(request).jobs.begin(Job("hear", work, (name,))).id}


@router.put(
    f"/{ID}",
    response_model=AddResponse,
    responses=INVALID
    | TOO_LARGE
    | NO_LOADER
    | CONFLICT
    | {201: {"model": AddResponse, "description": "There was none under that id."}},
    summary="Put a document under an id",
    openapi_extra=body_of("application/octet-stream", _FORM, PutBody),
)
async def put_document(
    id: str, request: Request, parameters: Annotated[FileParameters, Query()], library: LibraryDependency
) -> JSONResponse:
    """Put a text (as JSON) or a file (as the body or in a form) under an id: new, or in place of the one there.

    A file must hold one document. The id of a synced file's document is refused: change the file instead.
    """
    is_there = await run_in_threadpool(_has, library, id)
    if (one := await sent_json(request, PutBody)) is not None:
        ids = await written(request, library.add, [Text(one.text, one.title, one.uri, id, one.metadata)])
        added: dict[str, Any] = {"ids": ids, "job": None}
    else:
        added = await _file_written(request, parameters, library, id)
    return JSONResponse(added, 200 if is_there else 201)


def _has(library: Library, id: str) -> bool:
    try:
        return library.get(id).id == id
    except NotFound:
        return False


@router.post("/undelete", response_model=AddResponse, responses=NOT_FOUND | CONFLICT, summary="Undo a deletion")
async def undelete_documents(
    request: Request, library: LibraryDependency, named: UndeleteRequest | None = None
) -> JSONResponse:
    """Bring back deleted documents, or what was deleted last, as without a body; until the library is compacted."""
    return JSONResponse({"ids": await written(request, library.undelete, named.ids if named else ())})


@router.delete("", response_model=DeleteResponse, responses=INVALID, summary="Delete documents")
async def delete_documents(
    request: Request, parameters: Annotated[DeleteParameters, Query()], library: LibraryDependency
) -> JSONResponse:
    """Delete all documents that a path, a type and a filter match together; it can be undone until a compaction."""
    filter = parameters.whole_filter()
    if filter is None:
        raise InvalidRequest("Say which documents: give a filter, a path or a type.")
    count = await written(request, library.delete, filter=filter, dry_run=parameters.dry_run)
    return JSONResponse({"deleted": count})


@router.delete(f"/{ID}", response_model=DeleteResponse, responses=NOT_FOUND, summary="Delete a document")
async def delete_document(id: str, request: Request, library: LibraryDependency) -> JSONResponse:
    """Delete a document by its id; it can be undone until the library is compacted."""
    return JSONResponse({"deleted": await written(request, lambda: library.delete([without_slash(id, library)]))})
