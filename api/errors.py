"""The error tree as HTTP: each class has one status, each answer is `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from search import errors

_STATUS: tuple[tuple[type[errors.QuarryError], int, str], ...] = (
    (errors.InvalidRequest, 422, "Invalid request"),
    (errors.NotFound, 404, "Not found"),
    (errors.UnsupportedType, 415, "Unsupported type"),
    (errors.LoadError, 422, "File can't be read"),
    (errors.LibraryLocked, 503, "Library is being written"),
    (errors.LibraryError, 503, "Library unavailable"),
    (errors.ModelError, 503, "Model unavailable"),
)
_log = logging.getLogger("quarry")


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem body."""
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail},
        status,
        headers,
        media_type="application/problem+json",
    )


def install(app: FastAPI) -> None:
    """Answer every error with a problem body; what we did not foresee is logged, and its text is not sent."""

    @app.exception_handler(errors.QuarryError)
    async def ours(request: Request, error: errors.QuarryError) -> JSONResponse:
        for kind, status, title in _STATUS:
            if isinstance(error, kind):
                retry = {"Retry-After": "5"} if isinstance(error, errors.LibraryLocked) else None
                return problem(status, title, str(error), retry)
        return problem(500, "Internal error", str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        parts = []
        for one in error.errors()[:5]:
            where = ".".join(str(part) for part in one["loc"] if part != "body")
            parts.append(f"{where}: {one['msg']}" if where else str(one["msg"]))
        return problem(422, "Invalid request", "; ".join(parts).encode("utf-8", "replace").decode())

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return problem(error.status_code, str(error.detail), str(error.detail), headers)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        _log.exception("unforeseen error in %s %s", request.method, request.url.path, exc_info=error)
        return problem(500, "Internal error", "Something went wrong here; the server's log says what.")
