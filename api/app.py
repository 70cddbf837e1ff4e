"""The HTTP server: `create_app(library)` over one library, on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import errors
from api.library import Library
from api.routes import documents, health, search
from search.errors import QuarryError

MAX_BODY = 32 << 20  # bytes of one request


def create_app(library: Library) -> FastAPI:
    """Return the app. The caller owns `library`, and closes it.

    The encoder and the indexes are loaded at start-up, so that the first search is as quick as the second; what can't
    be loaded is told by `/readyz`, and what still works is served.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(library.warm)
        except QuarryError:
            pass  # `/readyz` gives the cause, and asks again
        yield

    app = FastAPI(
        title="Quarry",
        version=version("quarry-search"),
        summary="Search a library by meaning and by words, and keep its documents.",
        lifespan=lifespan,
        max_body_size=MAX_BODY,
        docs_url=None,
        redoc_url=None,
    )
    app.state.library = library
    errors.install(app)
    for router in (search.router, documents.router, health.router):
        app.include_router(router)
    return app
