"""`POST /v1/verify`: whether what was cited still stands where it did."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.bodies.answers import verdicts_body
from quarry.api.members.verifying import MAX_CITATIONS
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID, TOO_LARGE
from quarry.api.routes.request_body import RequestBody
from quarry.search.hits.citations import Citation

router = APIRouter(prefix="/v1", tags=["search"])


class CitedWords(RequestBody):
    """A citation as a hit or an answer has it, and its words where they are at hand."""

    document: str
    uri: str = ""
    hash: str = ""
    start: int = Field(ge=0, le=2**53)
    end: int = Field(ge=0, le=2**53)
    page: int | None = None
    quote_hash: str
    quote: str = Field("", description="The words: with them they are looked for in all documents.")
    library: str | None = Field(None, description="As it was cited; the library that is asked is the one of the path.")


class VerifyRequest(RequestBody):
    """Citations to verify."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "citations": [
                        {
                            "document": "f34c15be6e5836bc",
                            "uri": "/home/me/notes/star-formation.md",
                            "hash": "0bd5a12fc4a98c0e1a9d2a6d8c3a7e55",
                            "start": 22,
                            "end": 68,
                            "quote_hash": "a3f1d6aa9c2f6e0d6e1e0ac3d9be0b5d5f3f6a3b1f7e8c1d2a4b5c6d7e8f9a0b",
                        }
                    ]
                }
            ]
        }
    )

    citations: list[CitedWords] = Field(max_length=MAX_CITATIONS)


class VerdictBody(BaseModel):
    """What became of a citation."""

    standing: Literal["valid", "moved", "changed", "gone"] = Field(
        description="The document says so where it did; the words stand elsewhere in it, or in another one; it is "
        "there, and says so no more; it is gone."
    )
    document: str | None = Field(description="The id of the document that says so now, else of the one that was cited.")
    uri: str | None
    start: int | None
    end: int | None
    page: int | None
    is_same: bool = Field(description="Whether nothing of the document has changed since it was cited.")


class VerifyResponse(BaseModel):
    """A verdict on each citation, in order."""

    verdicts: list[VerdictBody]


@router.post("/verify", response_model=VerifyResponse, responses=INVALID | TOO_LARGE, summary="Verify citations")
def verify(request: VerifyRequest, library: LibraryDependency) -> JSONResponse:
    """Say of citations whether their sources still say so, where the words moved to, or that they changed."""
    return JSONResponse(
        verdicts_body(library.verify([Citation(**one.model_dump(exclude={"library"})) for one in request.citations]))
    )
