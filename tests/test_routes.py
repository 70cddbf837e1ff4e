"""A route is one module and one row: what it takes and answers stands beside it, and all else holds for it too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import httpx
from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from quarry.api import Library, Text
from quarry.api.app import create_app
from quarry.api.routes import ROUTERS
from quarry.api.routes.library import LibraryDependency
from quarry.api.routes.problems import INVALID
from quarry.search.models.fake import FakeModels

router = APIRouter(prefix="/v1/counts", tags=["documents"])


class CountParameters(BaseModel):
    """What to count."""

    model_config = ConfigDict(extra="forbid")

    type: str


class Count(BaseModel):
    """How many there are."""

    documents: int


@router.get("", response_model=Count, responses=INVALID, summary="Count documents")
def count(parameters: Annotated[CountParameters, Query()], library: LibraryDependency) -> JSONResponse:
    """Count the documents of a type."""
    return JSONResponse({"documents": library.documents(filter={"type": parameters.type}, limit=0)[1]})


def test_a_new_route_answers_as_the_others_do(tmp_path: Path, models: FakeModels) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text("One."), Text("Two.")])
        app = create_app(library, (*ROUTERS, router))

        async def ask(*paths: str) -> list[httpx.Response]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return [await client.get(path) for path in paths]

        found, slashed, refused, old = asyncio.run(
            ask("/v1/counts?type=text/plain", "/v1/counts/?type=text/plain", "/v1/counts?x=1", "/v1/documents?limit=0")
        )
        assert found.json() == slashed.json() == {"documents": old.json()["total"]} == {"documents": 2}
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert app.openapi()["paths"]["/v1/counts"]["get"]["summary"] == "Count documents"
