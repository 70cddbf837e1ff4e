"""How documents, and ranges of them, are named to a model and by it: ids, and URLs to be cited."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from quarry.api.library import Library
from quarry.search.errors import NotFound
from quarry.search.types import Document

DOCUMENTS, PICTURES = "quarry://documents/{id}", "quarry://pictures/{id}"
_LONGEST = 800  # characters of a URL, some 300 tokens
_RANGE = re.compile(r"(?s)(.+):(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """What an id means: a document; with `start` what begins there, with `end` the passage that ends there, too."""

    document: Document
    start: int | None = None
    end: int | None = None


def resolve(library: Library, id: str) -> Reference:
    """Return what is meant by an id of a document, its path, or either with a range, as replies write them.

    Raises:
        NotFound: there is no such document.
    """
    try:
        return Reference(library.get(id))
    except NotFound:
        ranged = _RANGE.fullmatch(id)
        if ranged is None:
            raise
        document, start, end = ranged.groups()
        return Reference(library.get(document), int(start), None if end is None else int(end))


def passage_id(document: Document, start: int, end: int | None = None) -> str:
    """Name a passage, or what follows a place."""
    return f"{document.id}:{start}" if end is None else f"{document.id}:{start}-{end}"


def url_of(document: Document, page: int | None = None) -> str:
    """Return where a document is, for a reader: its file, its address, or the resource that it is here."""
    uri = document.uri
    if uri.startswith(("http://", "https://", "file://")):
        url = uri
    elif uri.startswith("/"):
        path, mark, item = uri.partition("#")
        url = f"file://{quote(path)}{mark}{quote(item, safe='=&,')}"
    else:
        url = ""
    if not 0 < len(url) <= _LONGEST:
        url = DOCUMENTS.format(id=quote(document.id, safe=""))
    outer = str(document.metadata.get("document", "")).lower() if document.kind == "image" else ""
    if page and outer.endswith(".pdf") and url.startswith("file://"):  # a picture on a page
        return f"{url.rpartition('#')[0]}#page={page}"
    return f"{url}#page={page}" if page and document.type == "application/pdf" and "#" not in url else url
