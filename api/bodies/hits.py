"""A document, a hit, what is cited of it, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quarry.search.hits import citations
from quarry.search.hits.citations import Citation
from quarry.search.types import Document, Hit, Occurrence
from quarry.search.values.notes import Note
from quarry.search.values.places import Grounding

if TYPE_CHECKING:
    from quarry.api.members.reading import Stretch


def document_body(document: Document) -> dict[str, Any]:
    """Return a document as `GET /v1/documents/{id}` gives it, without its text."""
    return {
        "id": document.id,
        "uri": document.uri,
        "title": document.title,
        "kind": document.kind,
        "type": document.type,
        "metadata": dict(document.metadata),
        "enriched": dict(document.enriched),
        "modified": document.modified,
        "indexed": document.indexed,
        "characters": document.characters,
        "passages": document.chunks,
        "hash": document.hash,
    }


def passages_body(found: Stretch) -> dict[str, Any]:
    """Return what `GET /v1/documents/{id}/passages` answers."""
    return {
        "id": found.document.id,
        "characters": found.document.characters,
        "first": found.first,
        "total": found.total,
        "passages": [
            {
                "id": str(id),
                "text": passage.text,
                "start": passage.start,
                "end": passage.end,
                "page": passage.page,
                "place": passage.place.json if passage.place else None,
                "said_by": passage.said_by or None,
                "heading": passage.heading or None,
            }
            for id, passage in found.passages.items()
        ],
    }


def hit_body(hit: Hit) -> dict[str, Any]:
    """Return a hit; its document carries only what a list of results shows."""
    body: dict[str, Any] = {
        "id": hit.id,
        "kind": hit.kind,
        "score": round(hit.score, 6),
        "relevance": round(hit.relevance, 4),
        "document": hit_document(hit.document),
        "text": hit.text,
        "start": hit.start,
        "end": hit.end,
        "page": hit.page,
        "pages": [hit.pages.first, hit.pages.last] if hit.pages else None,
        "place": hit.place.json if hit.place else None,
        "said_by": hit.said_by or None,
        "confidence": hit.confidence,
        "heading": hit.heading or None,
        "citation": citation_body(citations.of_hit(hit)),
        "highlights": [list(span) for span in hit.highlights],
        "also": [place_body(place) for place in hit.also],
        "equal": hit.equal,
        "near": hit.near,
        "more": [hit_body(one) for one in hit.more],
        "fields": [
            {"name": one.name, "value": one.value, "highlights": [list(span) for span in one.highlights]}
            for one in hit.fields
        ],
    }
    if hit.original:
        body["original"] = hit.original
    if hit.grounding is not None:
        body["grounding"] = _grounding_body(hit.grounding)
    if hit.explanation is not None:
        body["explanation"] = dict(hit.explanation)
    return body


def hit_document(document: Document) -> dict[str, Any]:
    """Return a document as its hits have it, with its library where several were searched."""
    return {
        **library_body(document.library),
        "id": document.id,
        "uri": document.uri,
        "title": document.title,
        "type": document.type,
        "modified": document.modified,
        "metadata": dict(document.metadata),
        "enriched": dict(document.enriched),
    }


def library_body(name: str) -> dict[str, str]:
    """Return what tells which of several libraries something is from, nothing where one was searched."""
    return {"library": name} if name else {}


def _grounding_body(grounding: Grounding) -> dict[str, Any]:
    return {
        "box": list(grounding.box) if grounding.box else None,
        "confidence": round(grounding.confidence, 4),
        "heat": [list(row) for row in grounding.heat],
    }


def place_body(place: Occurrence) -> dict[str, Any]:
    """Return another place where the text of a hit stands."""
    return {
        "id": place.id,
        "document": hit_document(place.document),
        "start": place.start,
        "end": place.end,
        "page": place.page,
        "heading": place.heading or None,
        "near": place.near,
    }


def citation_body(citation: Citation | None) -> dict[str, Any] | None:
    """Return a citation without its words, which stand beside it."""
    if citation is None:
        return None
    return {
        **library_body(citation.library),
        "document": citation.document,
        "uri": citation.uri,
        "hash": citation.hash,
        "start": citation.start,
        "end": citation.end,
        "page": citation.page,
        "quote_hash": citation.quote_hash,
    }


def notes_body(notes: Sequence[Note]) -> dict[str, Any]:
    """Return notes in words, as `degraded`, and with their codes and values."""
    coded = [{"code": note.code, "message": note.text, "values": dict(note.values)} for note in notes]
    return {"degraded": [note.text for note in notes], "notes": coded}
