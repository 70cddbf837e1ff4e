"""Where something stands, as a person would open it: `notes.md:12`, `report.pdf#page=3`, `film.srt#t=83`."""

from __future__ import annotations

import html
import re
from gettext import gettext as _
from pathlib import Path

from quarry.api.cli.terminal import printable
from quarry.search.files.uris import path_of, uri_of
from quarry.search.types import OWN_WORDS, Document, Hit
from quarry.search.values.places import Place

_LARGEST = 20 << 20  # bytes of a file in which a line is looked for
_TAG = re.compile(r"<[^<>]*>")
_LINED = ("text/", "application/json")  # types that an editor opens at a line


def place(document: Document, page: int | None, line: int | None, at: Place | None = None) -> str:
    """Return a document's path, from here where it lies below, with the page, the second or the line.

    Of several libraries its own stands before it.
    """
    path = printable(f"[{document.library}] " * bool(document.library) + from_here(document.uri))
    if page is not None:
        if document.kind == "image":  # which stands in another document
            path = path.rpartition("#")[0] or path
        is_slide = any(word in document.type for word in ("presentation", "powerpoint")) or "slide" in document.metadata
        return f"{path}#{'slide' if is_slide else 'page'}={page}"
    if at is not None and at.seconds is not None:
        if document.kind == "image":  # a frame of a film
            path = path.rpartition("#")[0] or path
        return f"{path}#t={int(at.seconds[0])}"
    return f"{path}:{line}" if line is not None else path


def place_of(hit: Hit) -> str:
    """Return where a hit is: with the page, the time, the cells, or the line on which the first match stands."""
    at, line = hit.place, None
    if at is not None and at.lines is not None and hit.said_by in OWN_WORDS:
        first = hit.highlights[0][0] if hit.highlights else 0
        line = min(at.lines[0] + hit.text.count("\n", 0, first), at.lines[1])
    where = place(hit.document, hit.page, line, at)
    return f"{where} {printable(at.cells)}" if at is not None and at.cells else where


def within(at: Place) -> str:
    """Return where in a document something stands: its page and box, or its row and cells."""
    told = [
        _("page {n}").format(n=at.page) if at.page else "",
        _("row {n}").format(n=f"{at.rows[0]:,}") if at.rows else "",
        printable(at.cells or ""),
    ]
    if at.box:
        left, top, right, bottom = (f"{share:.0%}" for share in at.box)
        said = _("{left} to {right} from the left, {top} to {bottom} from above")
        told.append(said.format(left=left, right=right, top=top, bottom=bottom))
    return ", ".join(filter(None, told))


def from_here(uri: str) -> str:
    """Return a URI or path, from here where it lies below."""
    return uri.removeprefix(_here())


def _here() -> str:
    """Return what the paths of all that lies in the current folder begin with, "" where that is gone."""
    try:
        return f"{uri_of(Path.cwd())}/"
    except OSError:
        return ""


def on_page(hit: Hit) -> list[tuple[int, int]]:
    """Return the highlights of a hit that stand on the page that is shown for it: where its snippet is to begin."""
    if hit.pages is None:
        return list(hit.highlights)
    return [(start, end) for start, end in hit.highlights if hit.pages.at(hit.start + start) == hit.page]


def line_of(document: Document, sentence: str) -> int | None:
    """Return the line, from 1, at which a sentence begins in a document's file; None where it is not found there."""
    if not document.type.startswith(_LINED):
        return None
    path = path_of(document.uri)
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        text = path.read_bytes().decode("utf-8", "replace")
    except (OSError, ValueError):  # not ours to read; or a URI that is no path: over-long, a NUL
        return None
    if document.type == "text/html":  # what is left has the lines of the file
        text = html.unescape(_TAG.sub(lambda tag: " " + "\n" * tag[0].count("\n"), text))
    found = re.search(r"\s*".join(map(re.escape, "".join(sentence.split()))), text)
    return text.count("\n", 0, found.start()) + 1 if found and found[0] else None
