"""What a route gives out that is no JSON: whole or a range of it, again only where it has changed, and inert.

A library's content is a stranger's, too. A picture is shown as what it is, and what is played is played; anything else
is a file to be saved, which no browser opens on this server's behalf.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from quarry.api.server.errors import problem
from quarry.indexer.files.originals import Original
from quarry.indexer.formats import ROWS
from quarry.search.types import WORDS, Document

PICTURES = frozenset(row.type for row in ROWS if row.kind == "image")
PLAYED = ("audio/", "video/")
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))", re.ASCII)
_BLOCK = 256 << 10


def small_picture(request: Request, jpeg: bytes, max_age_s: int) -> Response:
    """Answer with a small picture, which the client need not ask for again for some time."""
    tag = f'"{hashlib.blake2b(jpeg, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": f"private, max-age={max_age_s}"}
    if _names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(jpeg, 200, headers, "image/jpeg")


def original(request: Request, document: Document, found: Original) -> Response:
    """Answer with the file of a document, or the range of it that is asked for; it is read as it is sent."""
    tag = f'"{found.hash.hex()}"'
    headers = {"Cache-Control": "private, no-cache"}
    type = document.type
    if not (found.is_picture and type in PICTURES):
        is_played = type.startswith(PLAYED) and document.kind == WORDS
        type = type if is_played else "application/octet-stream"
        headers["Content-Disposition"] = _named(found.name, "inline" if is_played else "attachment")
    return ranged(request, found.file, found.size, tag, headers, type)


def ranged(request: Request, file: IO[bytes], size: int, tag: str, headers: dict[str, str], type: str) -> Response:
    """Answer with a file, or the range of it that is asked for; it is read as it is sent, and closed then."""
    headers |= {"ETag": tag, "Accept-Ranges": "bytes"}
    if _names(request.headers.get("if-none-match", ""), tag):
        file.close()
        return Response(status_code=304, headers=headers)
    first, last, status = 0, size - 1, 200
    wanted = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if wanted and request.headers.get("if-range", tag) == tag:
        first, last = _bounds(wanted, size)
        if first > last or first >= size:
            file.close()
            return problem(416, f"There are {size:,} bytes.", headers={"Content-Range": f"bytes */{size}"})
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)
    return StreamingResponse(_blocks(file, first, last + 1), status, headers, type)


def _blocks(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (block := file.read(min(_BLOCK, end - start))):
            start += len(block)
            yield block


def _named(name: str, shown: str) -> str:
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    return f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _names(tags: str, tag: str) -> bool:
    """Whether what a client has is named among the tags that it gives."""
    return tags.strip() == "*" or any(one.strip().removeprefix("W/") == tag for one in tags.split(","))


def _bounds(found: re.Match[str], size: int) -> tuple[int, int]:
    begin, end, count = found.groups()
    if count is not None:
        return max(0, size - int(count)), size - 1 if int(count) else -1
    return int(begin), min(int(end), size - 1) if end else size - 1
