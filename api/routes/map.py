"""`GET /v1/map`: what a map of the library is drawn from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from quarry.api.members.mapping import MOST, LibraryMap
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID
from quarry.api.routes.sent import json_object
from quarry.search.types import Kind

router = APIRouter(prefix="/v1", tags=["search"])


class MapParameters(BaseModel):
    """What of the library to map."""

    model_config = ConfigDict(extra="forbid")

    filter: str | None = Field(None, description="A filter as JSON, as in a search.", examples=['{"type": "pdf"}'])
    limit: int = Field(MOST, description=f"How many points, 1 to {MOST:,}.")


class MapDocument(BaseModel):
    """A document that points are of."""

    id: str
    uri: str
    title: str
    kind: Kind


class MapPartBody(BaseModel):
    """Points of one medium: only those of one part can be compared. All lists are in the same order."""

    medium: Kind
    space: str
    ids: list[str] = Field(description="Of the passages or pictures, as hits have them.")
    documents: list[int] = Field(description="Which of `documents` each is of.")
    starts: list[int] = Field(description="Its first character in the document's text.")
    ends: list[int]
    dimensions: int
    scale: float = Field(description="What one step of `vectors` is worth.")
    vectors: str = Field(description="Base64 of a signed byte for each dimension of each point.")


class MapBody(BaseModel):
    """A sample of the library's passages and pictures, with principal components of their vectors."""

    generation: int
    total: int = Field(description="How many there are to sample from.")
    documents: list[MapDocument]
    parts: list[MapPartBody]


@router.get("/map", response_model=MapBody, responses=INVALID, summary="Map the library")
def library_map(
    request: Request, parameters: Annotated[MapParameters, Query()], library: LibraryDependency
) -> Response:
    """Get a sample of passages and pictures with their vectors in few dimensions, to be laid out as a map.

    It is the same for the same generation of the library: ask again with `If-None-Match`.
    """
    found = library.map(filter=json_object(parameters.filter, "filter"), limit=parameters.limit)
    content = json.dumps(_body(found), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):  # a fifth of it, for 50 ms
        content, headers["Content-Encoding"] = gzip.compress(content, 1, mtime=0), "gzip"
    return Response(content, headers=headers, media_type="application/json")


def _body(found: LibraryMap) -> dict[str, Any]:
    return {
        "generation": found.generation,
        "total": found.total,
        "documents": [
            {name: getattr(document, name) for name in MapDocument.model_fields} for document in found.documents
        ],
        "parts": [
            {
                "medium": part.medium,
                "space": part.space,
                "ids": list(map(str, part.ids.tolist())),
                "documents": part.documents.tolist(),
                "starts": part.spans[:, 0].tolist(),
                "ends": part.spans[:, 1].tolist(),
                "dimensions": part.vectors.shape[1],
                "scale": part.scale,
                "vectors": base64.b64encode(part.vectors.tobytes()).decode(),
            }
            for part in found.parts
        ],
    }
