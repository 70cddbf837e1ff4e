"""`GET /` and `/page/...`: the page that a person searches with, and its files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from quarry.api.server.inert import PAGE

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent.parent / "page"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
HEADERS = {
    **PAGE,
    "Cache-Control": "no-cache",  # asked for anew each time, and answered with 304
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the page, as it is sent."""

    content: bytes
    packed: bytes
    type: str
    etag: str


@cache
def _files() -> dict[str, _File]:
    found = {}
    for path in FOLDER.iterdir():
        if path.suffix in TYPES:
            content = path.read_bytes()
            etag = f'"{sha256(content).hexdigest()[:16]}"'
            found[path.name] = _File(content, gzip.compress(content, mtime=0), TYPES[path.suffix], etag)
    return found


@router.get("/")
async def page(request: Request) -> Response:
    """Get the page."""
    return _answer(request, "index.html")


@router.get("/page/{name}")
async def file(request: Request, name: str) -> Response:
    """Get one of its files."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    file = _files().get(name)
    if file is None:
        raise HTTPException(404)
    headers = {**HEADERS, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.type)
    return Response(file.content, headers=headers, media_type=file.type)
