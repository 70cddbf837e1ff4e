"""Whether what was cited still stands where it was cited from."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from quarry.api.members import reading, searching
from quarry.api.opened import OpenLibrary
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.hits.citations import Citation, quote_hash
from quarry.search.requests import deadline
from quarry.search.types import Document

Standing = Literal["valid", "moved", "changed", "gone"]
MAX_CITATIONS = 1_000
_WORD = re.compile(r"(?<!\w)\S")  # where a quote may begin
_MINUS = re.compile(r"(?<!\S)-+")  # which says in a query that a word is not wanted
_OFTEN = 2_000  # places that are looked at between two looks at the clock
_LOOKED_FOR = 1_000  # characters of a quote by which other documents are looked for
_DOCUMENTS = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a citation.

    Args:
        standing: `valid`: the document says so where it did. `moved`: the words stand elsewhere in it, or in another.
            `changed`: the document is there, and does not say so any more. `gone`: so is the document.
        document: that says so now; else the one that was cited, None where it is gone.
        start, end, page: where, of what is valid or moved.
        is_same: whether nothing of the document has changed since it was cited.
    """

    standing: Standing
    document: Document | None = None
    start: int | None = None
    end: int | None = None
    page: int | None = None
    is_same: bool = False


def verify(library: OpenLibrary, citations: Sequence[Citation]) -> list[Verdict]:
    """Say of each citation whether its source still says so, where it moved to, or that it changed.

    Where its `quote` is at hand, its words are looked for in all documents; else in the one that was cited, wherever it
    lies by now, and in those that are exactly as it was.

    Raises:
        InvalidRequest: there are too many, or one is none: it ends before it begins, or has another quote's hash.
    """
    if len(citations) > MAX_CITATIONS:
        raise InvalidRequest(f"There are {len(citations):,} citations; at most {MAX_CITATIONS:,} are taken.")
    for position, one in enumerate(citations):
        if not 0 <= one.start < one.end:
            raise InvalidRequest(f"citations[{position}]: start must be 0 or more, and end more than start.")
        if one.quote and _hash(one.quote) != one.quote_hash:
            raise InvalidRequest(f"citations[{position}]: quote_hash is not that of its quote.")
    return [_verdict(library, one) for one in citations]


def _hash(quote: str) -> str | None:
    try:
        return quote_hash(quote)
    except UnicodeEncodeError:  # half a surrogate pair, which stands in no document
        return None


def _verdict(library: OpenLibrary, citation: Citation) -> Verdict:
    with library.catalog().snapshot():
        own = _documents(library, citation)
        for document in own:
            if found := _stands(library, citation, document):
                return found
        if citation.hash:
            for document in reading.of_hash(library, citation.hash):
                if found := _stands(library, citation, document):
                    return found
    if citation.quote:
        words = _MINUS.sub("", citation.quote[:_LOOKED_FOR])
        hits = searching.search(library, words, mode="lexical", limit=_DOCUMENTS, group="document").hits
        for hit in hits:
            if found := _stands(library, citation, hit.document):
                return found
    return Verdict("changed", own[0], is_same=own[0].hash == citation.hash) if own else Verdict("gone")


def _documents(library: OpenLibrary, citation: Citation) -> list[Document]:
    """Return the document that was cited, and the one that goes by its URI now."""
    found: dict[str, Document] = {}
    for name in (citation.document, citation.uri):
        try:
            document = reading.find(library, name)[1]
        except (NotFound, InvalidRequest):
            continue
        found.setdefault(document.id, document)
    return list(found.values())


def _stands(library: OpenLibrary, citation: Citation, document: Document) -> Verdict | None:
    """Return where a document says what was cited, None where it does not."""
    try:
        text = reading.text(library, document.id)
    except NotFound:  # deleted since it was found
        return None
    length = citation.end - citation.start
    place = min(_places(text, citation, length), key=lambda start: abs(start - citation.start), default=None)
    if place is None:
        return None
    starts = reading.page_starts(library, document.id)
    is_valid = document.id == citation.document and place == citation.start
    page = bisect_right(starts, place) if starts else None
    is_same = document.hash == citation.hash
    return Verdict("valid" if is_valid else "moved", document, place, place + length, page, is_same)


def _places(text: str, citation: Citation, length: int) -> Iterator[int]:
    """Yield where the words stand; nothing but the place itself where they stand there."""
    if quote_hash(text[citation.start : citation.end]) == citation.quote_hash:
        yield citation.start
    elif citation.quote:
        yield from (found.start() for found in re.finditer(re.escape(citation.quote), text))
    else:
        for count, found in enumerate(_WORD.finditer(text)):
            if count % _OFTEN == 0:
                deadline.check()
            start = found.start()
            if start + length <= len(text) and quote_hash(text[start : start + length]) == citation.quote_hash:
                yield start
