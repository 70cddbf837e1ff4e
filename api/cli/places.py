"""Where something stands, as a person would open it: `notes.md:12`, `report.pdf#page=3`."""

from __future__ import annotations

from pathlib import Path

from api.cli.snippets import printable
from search.types import Document

_LARGEST = 20 << 20  # bytes of a file in which a line is looked for
_LINED = ("text/", "application/json")  # types that an editor opens at a line


def place(document: Document, page: int | None, line: int | None) -> str:
    """Return a document's path, from here where it lies below, with the page or the line."""
    path = printable(document.uri).removeprefix(f"{Path.cwd()}/")
    if page is not None:
        return f"{path}#page={page}"
    return f"{path}:{line}" if line is not None else path


def line_of(document: Document, sentence: str) -> int | None:
    """Return the line, from 1, at which a sentence begins in a document's file; None where it is not found there."""
    path = Path(document.uri)
    if not document.type.startswith(_LINED) or not path.is_file() or path.stat().st_size > _LARGEST:
        return None
    text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    first = sentence.split("\n", 1)[0]
    at = text.find(sentence)
    at = at if at >= 0 else text.find(first)
    return text.count("\n", 0, at) + 1 if at >= 0 and first else None
