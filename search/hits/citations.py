"""Citations: which words of which document something rests on; whether they still stand can be told later."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from quarry.search.types import OWN_WORDS, Answer, Document, Hit


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of a document's text, as it was.

    Args:
        document: the document's id.
        hash: the document's, when it was cited.
        start, end: of the span, in characters of the text.
        page: that it begins on, None where there are no pages.
        quote_hash: `quote_hash` of its words.
        quote: the words themselves, "" where they are not at hand.
        library: the name of the one that the document is from, where several were searched as one.
    """

    document: str
    uri: str
    hash: str
    start: int
    end: int
    page: int | None
    quote_hash: str
    quote: str = ""
    library: str = ""


def quote_hash(text: str) -> str:
    """Return the SHA-256 of some words, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_hit(hit: Hit) -> Citation | None:
    """Cite a hit; None for what stands in no text: a picture, or what was found out about one."""
    if hit.said_by not in OWN_WORDS or not hit.text:
        return None
    return _citation(hit.document, hit.text, hit.start, hit.end, hit.page_of(hit.start, hit.start + 1))


def of_answer(answer: Answer) -> Citation | None:
    """Cite an exact answer; None where the text is not the document's own."""
    if answer.hit.said_by not in OWN_WORDS:
        return None
    return _citation(answer.hit.document, answer.text, answer.start, answer.end, answer.page)


def _citation(document: Document, text: str, start: int, end: int, page: int | None) -> Citation:
    hashed = quote_hash(text)
    return Citation(document.id, document.uri, document.hash, start, end, page, hashed, text, document.library)
