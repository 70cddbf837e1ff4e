"""The JSON bodies that HTTP answers with and `--json` prints: plain dictionaries, made here and nowhere else.

Pydantic describes them (`api.schemas`) but does not make them: importing it would cost a cold search 100 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.types import Document, Hit, Response


def document_body(document: Document) -> dict[str, Any]:
    """Return a document as `GET /v1/documents/{id}` gives it, without its text."""
    return {
        "id": document.id,
        "uri": document.uri,
        "title": document.title,
        "kind": document.kind,
        "type": document.type,
        "metadata": dict(document.metadata),
        "modified": document.modified,
        "indexed": document.indexed,
        "characters": document.characters,
        "passages": document.chunks,
    }


def hit_body(hit: Hit) -> dict[str, Any]:
    """Return a hit; its document carries only what a list of results shows."""
    document = hit.document
    body: dict[str, Any] = {
        "id": hit.id,
        "kind": hit.kind,
        "score": round(hit.score, 6),
        "relevance": round(hit.relevance, 4),
        "document": {
            "id": document.id,
            "uri": document.uri,
            "title": document.title,
            "type": document.type,
            "modified": document.modified,
            "metadata": dict(document.metadata),
        },
        "text": hit.text,
        "start": hit.start,
        "end": hit.end,
        "page": hit.page,
        "heading": hit.heading or None,
        "highlights": [list(span) for span in hit.highlights],
    }
    if hit.explanation is not None:
        body["explanation"] = dict(hit.explanation)
    return body


def response_body(response: Response) -> dict[str, Any]:
    """Return what `POST /v1/search` answers."""
    return {
        "query": response.query.text,
        "mode": response.query.mode,
        "hits": [hit_body(hit) for hit in response.hits],
        "answers": [],
        "summary": None,
        "facets": {},
        "took_ms": round(response.took_ms, 3),
        "generation": response.generation,
        "degraded": list(response.degraded),
    }


def documents_body(documents: Sequence[Document], total: int, limit: int, offset: int) -> dict[str, Any]:
    """Return what `GET /v1/documents` answers."""
    return {
        "documents": [document_body(document) for document in documents],
        "total": total,
        "limit": limit,
        "offset": offset,
    }
