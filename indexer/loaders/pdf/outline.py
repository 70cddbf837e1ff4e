"""The outline of a PDF, its bookmarks: those whose words begin a line of the page that they lead to are headings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pypdfium2 as pdfium

from quarry.indexer.loaders.decoding import one_line
from quarry.search.types import Heading

_MOST = 5_000
_DEEPEST = 6

Entry = tuple[int, int, str]  # level, from 1; page, from 0; words


def entries(document: Any) -> list[Entry]:
    """Return the entries of the outline that lead to a page; none where it is damaged."""
    found: list[Entry] = []
    try:
        for bookmark in document.get_toc(max_depth=_DEEPEST):
            if len(found) == _MOST:
                break
            target, words = bookmark.get_dest(), one_line(bookmark.get_title() or "", 200)
            page = target.get_index() if target is not None else None
            if words and page is not None:
                found.append((bookmark.level + 1, page, words))
    except (pdfium.PdfiumError, UnicodeError):
        pass
    return found


def headings(outline: Sequence[Entry], text: str, starts: Sequence[int]) -> tuple[Heading, ...]:
    """Return the headings of a document whose pages begin at `starts`."""
    return tuple(sorted(_found(outline, text, starts), key=lambda heading: heading.start))


def _found(outline: Sequence[Entry], text: str, starts: Sequence[int]) -> Iterator[Heading]:
    taken: set[int] = set()
    for level, page, words in outline:
        if not 0 <= page < len(starts):
            continue
        end = starts[page + 1] if page + 1 < len(starts) else len(text)
        spaced = r"\s+".join(map(re.escape, words.split()))
        number = r"(?:[\w§]{1,9}(?:\.\d{1,3}){0,4}[.):]?\s+)?"  # which the bookmark may leave out: 2.1, Chapter 3
        for match in re.finditer(rf"^{number}{spaced}[ \t]*$", text[starts[page] : end], re.M | re.I):
            start = starts[page] + match.start()
            if start not in taken:
                taken.add(start)
                yield Heading(start, level, one_line(match[0]))
                break
