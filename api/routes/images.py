"""`/v1/images`: pictures by words, and the pictures themselves by the ids of their documents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quarry.api.bodies.answers import model_answers_body
from quarry.api.bodies.responses import response_body
from quarry.api.library import Library
from quarry.api.routes import contents
from quarry.api.routes.library import LibraryDependency, SearchedDependency
from quarry.api.routes.problems import INVALID, NOT_FOUND, Responses
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.results import ModelAnswersBody, SearchResponse
from quarry.api.routes.search import Ground, Least, Limit, Offset
from quarry.api.routes.sent import in_turn
from quarry.api.server.paths import ID
from quarry.search.errors import NotFound
from quarry.search.types import THUMBNAIL

router = APIRouter(prefix="/v1/images", tags=["images"])


class ImageParameters(BaseModel):
    """Which pictures to find."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(description="What they show; 1 to 10,000 characters.", examples=["a red bicycle"])
    limit: Limit = 10
    offset: Offset = 0
    min_relevance: Least = 0.0
    ground: Ground = False


Size = Annotated[int, Query(ge=16, le=THUMBNAIL, description="Its longer side at most, in pixels.")]
THUMBNAIL_S = 300  # that a browser need not ask again for
_BINARY: Responses = {200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("", response_model=SearchResponse, responses=INVALID, summary="Find pictures by words")
def find_images(parameters: Annotated[ImageParameters, Query()], library: SearchedDependency) -> JSONResponse:
    """Find pictures by what they show and what is said about them."""
    options = dict(parameters)
    response = library.search(options.pop("q"), kinds=("image",), **options)
    return JSONResponse(response_body(response))


@router.get(f"/{ID}/thumbnail", response_class=Response, responses=NOT_FOUND | _BINARY, summary="A small picture")
def thumbnail(id: str, request: Request, library: LibraryDependency, size: Size = THUMBNAIL) -> Response:
    """Get a JPEG of at most 320 pixels, by the id of the picture's document."""
    return contents.small_picture(request, library.thumbnail(id, size), THUMBNAIL_S)


class PictureQuestion(RequestBody):
    """A question about a picture."""

    question: str = Field(description="What to answer by looking at it.", examples=["what colour is the boat?"])


@router.post(
    f"/{ID}/answer",
    response_model=ModelAnswersBody,
    responses=INVALID | NOT_FOUND,
    summary="Answer a question about a picture",
)
def answer(id: str, request: PictureQuestion, library: LibraryDependency) -> JSONResponse:
    """Have the server's picture reader answer a question about a picture, by the id of its document.

    The server is started with `--picture-reader`.
    """
    return JSONResponse(model_answers_body(request.question, library.ask_picture(request.question, id)))


@router.get(f"/{ID}/original", response_class=Response, responses=NOT_FOUND | _BINARY, summary="The picture itself")
async def original(id: str, request: Request, library: LibraryDependency) -> Response:
    """Get the file that was indexed, by the id of the picture's document; 404 where it has changed since."""
    return await in_turn(request, _original, request, id, library)


def _original(request: Request, id: str, library: Library) -> Response:
    document = library.get(id)
    if document.kind != "image":
        raise NotFound(f"{document.title!r} is no picture.")
    return contents.original(request, document, library.open_original(id))
