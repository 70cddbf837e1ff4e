"""How a route gets at the library."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.library import Library


def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


LibraryDependency = Annotated[Library, Depends(_library)]
