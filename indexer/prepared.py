"""A parsed item made ready to be written: cut into chunks, with the text that is embedded for each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from indexer import embedding
from indexer.chunking import chunk
from search.encoders.base import TextEncoder
from search.stores.documents import NewDocument
from search.types import Document, Heading, Parsed

CUTTING = "1"  # raised when the same text would be cut or embedded differently: documents are then indexed anew


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document and, for each of its chunks, the text to embed; `document.keys` are the digests of these texts."""

    document: NewDocument
    texts: Sequence[str]


def prepare(
    parsed: Parsed,
    encoder: TextEncoder,
    *,
    uri: str,
    title: str,
    metadata: Mapping[str, Any],
    modified: str | None,
    id: str | None = None,
) -> Prepared:
    """Cut `parsed` and say what is embedded.

    Args:
        title: what the document is called where its content gives no title; it is shown, not embedded.
        metadata: added to what the loader found; wins where both have a key.
    """
    before = embedding.context(parsed.title, encoder)
    chunks = chunk(parsed, encoder, max_tokens=embedding.passage_tokens(before, encoder))
    texts = [embedding.embedded_text(before, piece) for piece in chunks]
    merged = {**parsed.metadata, **metadata}
    digest = hashlib.blake2b(digest_size=16)
    for part in (CUTTING, parsed.type, parsed.title, json.dumps(merged, sort_keys=True, default=str), parsed.text):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return Prepared(
        NewDocument(
            uri=uri,
            type=parsed.type,
            title=parsed.title or title,
            text=parsed.text,
            hash=digest.digest(),
            chunks=chunks,
            keys=[embedding.vector_key(text) for text in texts],
            metadata=merged,
            structure={
                "title": parsed.title,
                "pages": list(parsed.page_starts),
                "headings": [[heading.start, heading.level, heading.text] for heading in parsed.headings],
            },
            modified=modified,
            id=id,
        ),
        texts,
    )


def restore(document: Document, text: str, structure: Mapping[str, Any]) -> Parsed:
    """Return what the loader had given for a stored document, so that it can be cut and embedded anew."""
    return Parsed(
        text=text,
        type=document.type,
        title=structure["title"],
        metadata=document.metadata,
        page_starts=tuple(structure["pages"]),
        headings=tuple(Heading(*heading) for heading in structure["headings"]),
    )


def timestamp(seconds: float) -> str:
    """Return a moment (seconds since 1970) in ISO 8601, UTC, to the second; the nearest that can be written."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00+00:00" if seconds < 0 else "9999-12-31T23:59:59+00:00"
