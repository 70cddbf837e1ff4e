"""The HTTP server: `create_app(library)` over one library, on this machine."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import anyio
from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from quarry.api.library import Library
from quarry.api.routes import ROUTERS
from quarry.api.routes.problems import Problem
from quarry.api.server import errors, logs
from quarry.api.server.admission import Admission, Door
from quarry.api.server.deadlines import DEADLINE_S, Deadlines, Running
from quarry.api.server.examples import EXAMPLES
from quarry.api.server.following import follow
from quarry.api.server.inert import Inert
from quarry.api.server.intake import Intake
from quarry.api.server.keys import KeyUses
from quarry.api.server.libraries import DEFAULT, ByName, Libraries
from quarry.api.server.limits import Limits
from quarry.api.server.metrics import Metrics, State
from quarry.api.server.observed import Observed, TellsRoute
from quarry.api.server.paths import OwnSlashes, WithoutSlash
from quarry.api.server.policy import LOCAL, Policy
from quarry.api.server.rates import Rates
from quarry.api.server.sites import Sites
from quarry.api.server.turns import Turns
from quarry.api.server.workers import ToWriter
from quarry.search.errors import QuarryError
from quarry.search.models.runtime import available_cores

if TYPE_CHECKING:
    from quarry.api.federation.federation import Federation
    from quarry.api.mcp.http import Mounted

MAX_BODY = 32 << 20  # bytes of one request
JOBS_S = 15.0  # for a job to end that was cancelled


class _App(FastAPI):
    """FastAPI, with its errors described as the problem bodies that they are."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            for name, example in EXAMPLES.items():  # not where the model is: FastAPI drops what is null in an example
                super().openapi()["components"]["schemas"][name]["examples"] = [example]
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    for response in operation["responses"].values():
                        content = response.get("content", {})
                        schema = content.get("application/json", {}).get("schema", {})
                        if schema.get("$ref", "").endswith("/Problem"):
                            content[errors.MEDIA_TYPE] = content.pop("application/json")
        return super().openapi()


def create_app(
    library: Library | Mapping[str, Library],
    routers: Sequence[APIRouter] = ROUTERS,
    policy: Policy = LOCAL,
    *,
    folders: Sequence[str] = (),
    mcp: bool = False,
    watch: bool = False,
    together: Federation | None = None,
) -> FastAPI:
    """Return the app with its routes. The caller owns the library, or those by their names, and closes them.

    The encoder and the indexes are loaded at start-up, so that the first search is as quick as the second; what can't
    be loaded is told by `/readyz`, and what still works is served.

    Args:
        library: one, or several, of which the first is served where a request names none.
        policy: how it is guarded.
        folders: below which roots can be added over HTTP, as URIs.
        mcp: whether assistants are answered, too, at `/mcp`.
        watch: whether roots are followed as they change; of several workers, the one that writes does.
        together: the libraries, and others of other servers, which are searched as one where a request names none.
    """
    libraries = Libraries({DEFAULT: library} if isinstance(library, Library) else library, folders, together)
    running, door, metrics = Running(), Door(policy), Metrics(partial(_state, libraries))
    uses = KeyUses(policy.keys) if policy.keys is not None else None
    rates = Rates(policy.rate, path=policy.counts) if policy.rate else None
    mounted = _mounted(libraries) if mcp else None
    for one in libraries:
        one.library.opened.change(replace(one.library.settings, watch=metrics))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for one in libraries:
            try:
                await run_in_threadpool(one.library.warm)
            except (QuarryError, OSError, MemoryError):
                pass  # `/readyz` gives the cause, and asks again
        async with (
            running.making_room(),
            mounted.running() if mounted else nullcontext(),
            anyio.create_task_group() as tasks,
        ):
            if uses is not None:
                tasks.start_soon(uses.keep_on)
            if watch and policy.writer is None:
                for one in libraries:
                    follow(one, libraries.stopping)
            yield
            tasks.cancel_scope.cancel()
        libraries.stop()
        for one in libraries:
            await run_in_threadpool(one.jobs.join, JOBS_S)
        if uses is not None:
            await run_in_threadpool(uses.keep)

    app = _App(
        title="Quarry",
        version=version("quarry-search"),
        summary="Search a library by meaning and by words, and keep its documents.",
        lifespan=lifespan,
        responses={"default": {"model": Problem, "description": "Anything else that is wrong."}},
        docs_url=None,
        redoc_url=None,
        # FastAPI would send requests to whatever OTEL_* variables of the machine name.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.libraries, app.state.running, app.state.metrics = libraries, running, metrics
    errors.install(app)
    for router in routers:
        app.include_router(router)
    if mounted is not None:
        app.router.routes += [Route(path, mounted, include_in_schema=False) for path in ("/mcp", "/v1/mcp")]
    paths = {
        route.path
        for route in (*app.routes, *(one for router in routers for one in router.routes))
        if isinstance(route, Route)
    }
    app.add_middleware(TellsRoute)
    app.add_middleware(WithoutSlash, paths=paths)
    app.add_middleware(OwnSlashes)
    app.add_middleware(ByName, libraries=libraries)
    others = {} if together is None else together.elsewhere
    if others:
        from quarry.api.federation.forwarding import Forwarding  # the client, which a server by itself does not need

        app.add_middleware(Forwarding, elsewhere=others)
    app.add_middleware(Deadlines, seconds=libraries.default.library.deadline_s or DEADLINE_S, running=running)
    app.add_middleware(Turns, metrics=metrics, at_once=math.ceil(available_cores() / policy.workers))
    if policy.writer is not None:
        app.add_middleware(ToWriter, place=policy.writer)
    app.add_middleware(Intake, max_body=MAX_BODY)
    app.add_middleware(Limits, max_body=MAX_BODY)
    app.add_middleware(Admission, door=door, uses=uses, rates=rates)
    app.add_middleware(Sites, door=door, origins=policy.origins)
    if policy.origins:
        app.add_middleware(CORSMiddleware, **_cross_origin(policy.origins))
    app.add_middleware(Inert)
    watchers = (metrics.request, logs.write) if policy.log else (metrics.request,)
    app.add_middleware(Observed, watchers=watchers, queries=policy.log_queries)
    return app


def _mounted(libraries: Libraries) -> Mounted:
    from quarry.api.mcp.http import Mounted  # the protocol's SDK, which a server without it does not need

    return Mounted(libraries)


def _state(libraries: Libraries) -> State:
    """Return what `/metrics` says of the libraries; of one that can't be read, only that."""
    found: dict[str, tuple[str, dict[str, float]]] = {}
    for one in libraries:
        for name, said, value in _state_of(one.library):
            found.setdefault(name, (said, {}))[1][one.name] = value
    return found


def _state_of(library: Library) -> Iterator[tuple[str, str, float]]:
    try:
        status = library.status()
        lately = library.searcher.lately
    except (QuarryError, OSError):
        yield "quarry_ready", "Whether the library can be read.", 0
        return
    yield "quarry_ready", "Whether the library can be read.", 1
    yield "quarry_generation", "The commit that is searched.", status["generation"]
    yield "quarry_documents", "Documents of the library.", status["documents"]
    yield "quarry_passages", "Passages of the library.", status["passages"]
    yield "quarry_library_bytes", "Bytes of the library's files.", status["bytes"]
    yield "quarry_query_vector_bytes", "Bytes of the vectors of queries that are kept.", lately.bytes


def _cross_origin(origins: tuple[str, ...]) -> dict[str, Any]:
    """Return what pages of other origins may send and read; no cookie is ever asked for or taken."""
    return {
        "allow_origins": origins,
        "allow_methods": ("GET", "POST", "PUT", "PATCH", "DELETE"),
        "allow_headers": ("Authorization", "Content-Type", "If-None-Match"),
        "expose_headers": ("ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"),
    }
