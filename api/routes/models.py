"""`GET /v1/models` and `POST /v1/embeddings`, as OpenAI's clients ask for them."""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.members.embedding import MAX_TEXTS, Embeddings, ModelState
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID, NO_MODEL, TOO_LARGE
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.sent import in_turn
from quarry.search.errors import InvalidRequest

router = APIRouter(prefix="/v1", tags=["models"])


class ModelBody(BaseModel):
    """A model that the library works with."""

    id: str = Field(description="Its name.")
    object: Literal["model"]
    created: int
    owned_by: str
    kind: str = Field(description="`text`, `image`, `reader`, `cross-encoder`, `summarizer` or `generator`.")
    space: str | None = Field(description="The name of the vectors that it makes.")
    identity: str | None = Field(description="Changes when what it computes does; known once it is loaded.")
    licence: str | None
    dimension: int | None
    is_loaded: bool
    missing: str | None = Field(description="Why it can't be used.")


class ModelList(BaseModel):
    """The models that the library works with."""

    object: Literal["list"]
    data: list[ModelBody]


class EmbeddingsRequest(RequestBody):
    """Texts to embed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "all-MiniLM-L6-v2", "input": ["How do stars form?"]}]}
    )

    model: str = Field(description="The name of a text model of the library, or of its space, such as `text`.")
    input: str | list[str] = Field(description=f"A text, or 1 to {MAX_TEXTS:,} of them; none is cut.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="`base64`: of the numbers as float32, the lowest byte first."
    )
    dimensions: int | None = Field(None, description="Of a vector; none but the model's own.")
    user: str | None = Field(None, description="Not used.")
    input_type: Literal["document", "query"] = Field(
        "document",
        description="Whether they are what is found or what is looked for: some models tell them apart.",
    )


class EmbeddingBody(BaseModel):
    """The vector of a text."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class UsageBody(BaseModel):
    """How many tokens were embedded."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """The vectors of texts, in their order."""

    object: Literal["list"]
    data: list[EmbeddingBody]
    model: str
    usage: UsageBody


@router.get("/models", response_model=ModelList, responses=INVALID, summary="List models")
def list_models(library: LibraryDependency) -> JSONResponse:
    """List the models that the library works with, and which of them are loaded."""
    return JSONResponse({"object": "list", "data": list(map(_model_body, library.models()))})


def _model_body(model: ModelState) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "quarry",
        "kind": model.kind,
        "space": model.space or None,
        "identity": model.identity or None,
        "licence": model.licence or None,
        "dimension": model.dimension or None,
        "is_loaded": model.is_loaded,
        "missing": model.missing or None,
    }


@router.post(
    "/embeddings", response_model=EmbeddingsResponse, responses=INVALID | NO_MODEL | TOO_LARGE, summary="Embed texts"
)
async def embeddings(wanted: EmbeddingsRequest, request: Request, library: LibraryDependency) -> JSONResponse:
    """Embed texts by a text model of the library, as OpenAI's API does."""
    found = await in_turn(
        request, library.embed, wanted.input, model=wanted.model, as_queries=wanted.input_type == "query"
    )
    dimension = found.vectors.shape[1]
    if wanted.dimensions not in (None, dimension):
        raise InvalidRequest(f"dimensions is {wanted.dimensions:,}; {found.model} has vectors of {dimension:,}.")
    return JSONResponse(_embeddings_body(found, wanted.encoding_format))


def _embeddings_body(found: Embeddings, format: str) -> dict[str, Any]:
    vectors = found.vectors.astype("<f4")
    shown: list[Any] = vectors.tolist()
    if format == "base64":
        shown = [base64.b64encode(np.ascontiguousarray(vector).tobytes()).decode() for vector in vectors]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(shown)],
        "model": found.model,
        "usage": {"prompt_tokens": found.tokens, "total_tokens": found.tokens},
    }
