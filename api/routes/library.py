"""How a route gets at the library."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from quarry.api.library import Library
from quarry.search.errors import InvalidRequest


async def _library(request: Request) -> Library:
    route = request.scope["route"]
    if request.query_params and not route.dependant.query_params:  # what takes some refuses others itself
        name = next(iter(request.query_params))
        raise InvalidRequest(f"{name}: {route.path} takes nothing after the question mark; see /openapi.json.")
    library: Library = request.app.state.library
    return library


LibraryDependency = Annotated[Library, Depends(_library)]
