"""How a route gets at the library."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from quarry.api.federation.federation import TOGETHER, Federation
from quarry.api.library import Library
from quarry.api.server.libraries import Libraries, NamedLibrary
from quarry.search.errors import InvalidRequest


def named_library(request: Request) -> NamedLibrary:
    """Return the library that a request is about, with its name and its jobs.

    Raises:
        InvalidRequest: it is about several, which are searched together.
    """
    libraries: Libraries = request.app.state.libraries
    if libraries.searched_together(request.scope) is not None:
        raise InvalidRequest(
            "Several libraries are searched as one here; this is done in one of them, below /v1/libraries/NAME/."
        )
    return libraries.of(request.scope)


def library_of(request: Request) -> Library:
    """Return the library that a request is about."""
    return named_library(request).library


def _check_parameters(request: Request) -> None:
    route = request.scope["route"]
    if request.query_params and not route.dependant.query_params:  # what takes some refuses others itself
        name = next(iter(request.query_params))
        raise InvalidRequest(f"{name}: {route.path} takes nothing after the question mark; see /openapi.json.")


async def _library(request: Request) -> Library:
    _check_parameters(request)
    return library_of(request)


async def _searched(request: Request) -> Library | Federation:
    _check_parameters(request)
    libraries: Libraries = request.app.state.libraries
    together = libraries.searched_together(request.scope)
    if together is None:
        return library_of(request)
    if TOGETHER in request.headers:  # else two servers could ask each other for ever
        raise InvalidRequest(
            "Several libraries are searched as one here, and not for another server that does the same: name one of "
            "them there, as http://HOST:PORT/v1/libraries/NAME."
        )
    return together


LibraryDependency = Annotated[Library, Depends(_library)]
SearchedDependency = Annotated[Library | Federation, Depends(_searched)]
