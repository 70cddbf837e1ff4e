"""How a route gets at the library."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from quarry.api.library import Library
from quarry.api.server.libraries import Libraries, NamedLibrary
from quarry.search.errors import InvalidRequest


def named_library(request: Request) -> NamedLibrary:
    """Return the library that a request is about, with its name and its jobs."""
    libraries: Libraries = request.app.state.libraries
    return libraries.of(request.scope)


def library_of(request: Request) -> Library:
    """Return the library that a request is about."""
    return named_library(request).library


async def _library(request: Request) -> Library:
    route = request.scope["route"]
    if request.query_params and not route.dependant.query_params:  # what takes some refuses others itself
        name = next(iter(request.query_params))
        raise InvalidRequest(f"{name}: {route.path} takes nothing after the question mark; see /openapi.json.")
    return library_of(request)


LibraryDependency = Annotated[Library, Depends(_library)]
