"""What a route gives out that is no JSON: whole or a range of it, again only where it has changed, and inert.

A library's content is a stranger's, too. A picture is shown as what it is; anything else is a file to be saved, which
no browser opens on this server's behalf.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from quarry.api.errors import problem
from quarry.indexer.formats import ROWS, is_picture_content
from quarry.search.types import Document

PICTURES = frozenset(row.type for row in ROWS if row.kind == "image")
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))", re.ASCII)


def given_out(request: Request, content: bytes, type: str, *, max_age_s: int = 0, name: str = "") -> Response:
    """Answer with some content, or the range of it that is asked for; 304 where the client has it already.

    Args:
        max_age_s: for how long the client need not ask again.
        name: of a file to be saved; "" for what may be shown.
    """
    tag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    kept = f"max-age={max_age_s}" if max_age_s else "no-cache"
    headers = {"ETag": tag, "Cache-Control": f"private, {kept}", "Accept-Ranges": "bytes"}
    if _names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    if name:
        plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
        headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    wanted = request.headers.get("range", "")
    if (found := _RANGE.fullmatch(wanted.strip())) and request.headers.get("if-range", tag) == tag:
        size = len(content)
        first, last = _bounds(found, size)
        if first > last or first >= size:
            return problem(416, f"There are {size:,} bytes.", headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        return Response(content[first : last + 1], 206, headers, type)
    return Response(content, 200, headers, type)


def original(request: Request, document: Document, content: bytes) -> Response:
    """Answer with the file of a document."""
    if document.type in PICTURES and is_picture_content(content):
        return given_out(request, content, document.type)
    name = document.uri.partition("#")[0].rsplit("/", 1)[-1]
    return given_out(request, content, "application/octet-stream", name=name or "file")


def _names(tags: str, tag: str) -> bool:
    """Whether what a client has is named among the tags that it gives."""
    return tags.strip() == "*" or any(one.strip().removeprefix("W/") == tag for one in tags.split(","))


def _bounds(found: re.Match[str], size: int) -> tuple[int, int]:
    begin, end, count = found.groups()
    if count is not None:
        return max(0, size - int(count)), size - 1 if int(count) else -1
    return int(begin), min(int(end), size - 1) if end else size - 1
