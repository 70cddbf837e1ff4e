"""The JSON bodies that HTTP answers with and `--json` prints: plain dictionaries, made here and nowhere else.

Pydantic describes them (in `api.routes`) but does not make them: importing it would cost a cold search 100 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quarry.search import citations
from quarry.search.answers.choosing import Choice
from quarry.search.citations import Citation
from quarry.search.fields.held import Field
from quarry.search.generation.answers import Done, Refused
from quarry.search.notes import Note
from quarry.search.places import Grounding
from quarry.search.queries import Response
from quarry.search.types import Answer, Cited, Document, Facet, Hit, Occurrence, Summary

if TYPE_CHECKING:
    from quarry.api.duplicates import Copy, Duplicates
    from quarry.api.listing import Listing
    from quarry.api.reading import Stretch
    from quarry.api.verifying import Verdict
    from quarry.indexer.report import Report


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
        "document": _hit_document(hit.document),
        "text": hit.text,
        "start": hit.start,
        "end": hit.end,
        "page": hit.page,
        "pages": [hit.pages.first, hit.pages.last] if hit.pages else None,
        "place": hit.place.json if hit.place else None,
        "said_by": hit.said_by or None,
        "confidence": hit.confidence,
        "heading": hit.heading or None,
        "citation": _citation_body(citations.of_hit(hit)),
        "highlights": [list(span) for span in hit.highlights],
        "also": [_place_body(place) for place in hit.also],
        "more": [hit_body(one) for one in hit.more],
        "fields": [
            {"name": one.name, "value": one.value, "highlights": [list(span) for span in one.highlights]}
            for one in hit.fields
        ],
    }
    if hit.grounding is not None:
        body["grounding"] = _grounding_body(hit.grounding)
    if hit.explanation is not None:
        body["explanation"] = dict(hit.explanation)
    return body


def _grounding_body(grounding: Grounding) -> dict[str, Any]:
    return {
        "box": list(grounding.box) if grounding.box else None,
        "confidence": round(grounding.confidence, 4),
        "heat": [list(row) for row in grounding.heat],
    }


def _place_body(place: Occurrence) -> dict[str, Any]:
    return {
        "id": place.id,
        "document": _hit_document(place.document),
        "start": place.start,
        "end": place.end,
        "page": place.page,
        "heading": place.heading or None,
    }


def _hit_document(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "uri": document.uri,
        "title": document.title,
        "type": document.type,
        "modified": document.modified,
        "metadata": dict(document.metadata),
        "enriched": dict(document.enriched),
    }


def answer_body(answer: Answer) -> dict[str, Any]:
    """Return an exact answer with its source; all offsets are into the document's text."""
    start, end = answer.sentence
    hit = answer.hit
    return {
        "text": answer.text,
        "confidence": round(answer.confidence, 4),
        "score": round(answer.score, 4),
        "start": answer.start,
        "end": answer.end,
        "page": answer.page,
        "sentence": {"text": hit.text[start - hit.start : end - hit.start], "start": start, "end": end},
        "hit": hit.id,
        "document": _hit_document(hit.document),
        "citation": _citation_body(citations.of_answer(answer)),
        "also": [_place_body(place) for place in answer.also],
    }


def _citation_body(citation: Citation | None) -> dict[str, Any] | None:
    """Return a citation without its words, which stand beside it."""
    if citation is None:
        return None
    return {
        "document": citation.document,
        "uri": citation.uri,
        "hash": citation.hash,
        "start": citation.start,
        "end": citation.end,
        "page": citation.page,
        "quote_hash": citation.quote_hash,
    }


def verdicts_body(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return what `POST /v1/verify` answers."""
    return {
        "verdicts": [
            {
                "standing": one.standing,
                "document": one.document.id if one.document else None,
                "uri": one.document.uri if one.document else None,
                "start": one.start,
                "end": one.end,
                "page": one.page,
                "is_same": one.is_same,
            }
            for one in verdicts
        ]
    }


def summary_body(summary: Summary) -> dict[str, Any]:
    """Return a summary, each of its sentences with where it comes from."""
    return {
        "text": summary.text,
        "model": summary.model or None,
        "sentences": [_cited_body(sentence) for sentence in summary.sentences],
    }


def _cited_body(sentence: Cited) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "sources": [_source_body(*source) for source in sentence.sources],
    }


def _source_body(hit: Hit, start: int, end: int) -> dict[str, Any]:
    return {
        "hit": hit.id,
        "document": hit.document.id,
        "uri": hit.document.uri,
        "start": start,
        "end": end,
        "page": hit.page_of(start, end),
    }


def written_body(event: Done | Refused) -> dict[str, Any]:
    """Return what a model wrote, or why it did not."""
    if isinstance(event, Refused):
        return {"text": None, "model": None, "sentences": [], "passages": [], "refused": event.reason}
    return {
        "text": event.text,
        "model": event.model,
        "sentences": [_cited_body(sentence) for sentence in event.sentences],
        "passages": [hit.id for hit in event.passages],
        "refused": None,
    }


def ask_body(response: Response, choices: Sequence[Choice] = ()) -> dict[str, Any]:
    """Return what `POST /v1/answer` answers, but for what a model writes."""
    return {
        "query": response.query.text,
        "answers": [answer_body(answer) for answer in response.answers],
        "choices": [
            {
                "text": choice.text,
                "confidence": round(choice.confidence, 4),
                "support": answer_body(choice.support) if choice.support else None,
            }
            for choice in choices
        ],
        "written": None,
        "hits": [hit_body(hit) for hit in response.hits],
        "took_ms": round(response.took_ms, 3),
        "generation": response.generation,
        **notes_body(response.notes),
    }


def notes_body(notes: Sequence[Note]) -> dict[str, Any]:
    """Return notes in words, as `degraded`, and with their codes and values."""
    coded = [{"code": note.code, "message": note.text, "values": dict(note.values)} for note in notes]
    return {"degraded": [note.text for note in notes], "notes": coded}


def facet_body(facet: Facet) -> dict[str, Any]:
    """Return the counts of a field's values."""
    values = [{"value": value, "count": count} for value, count in facet.values]
    return {"values": values, "other": facet.other, "missing": facet.missing}


def response_body(response: Response) -> dict[str, Any]:
    """Return what `POST /v1/search` answers."""
    body = {
        "query": response.query.text,
        "without": list(response.query.without),
        "mode": response.query.mode,
        "hits": [hit_body(hit) for hit in response.hits],
        "answers": [answer_body(answer) for answer in response.answers],
        "summary": summary_body(response.summary) if response.summary else None,
        "facets": {name: facet_body(facet) for name, facet in response.facets.items()},
        "took_ms": round(response.took_ms, 3),
        "generation": response.generation,
        **notes_body(response.notes),
        "left_out": response.left_out,
    }
    if response.query.explain:
        body["timings"] = {stage: round(took, 3) for stage, took in response.timings.items()}
    return body


def documents_body(found: Listing, limit: int, offset: int) -> dict[str, Any]:
    """Return what `GET /v1/documents` answers."""
    return {
        "documents": [document_body(document) for document in found.documents],
        "total": found.total,
        "limit": limit,
        "offset": offset,
        "next": found.next,
    }


def duplicates_body(found: Duplicates, limit: int, offset: int) -> dict[str, Any]:
    """Return what `GET /v1/duplicates` answers."""
    groups = [
        {"keep": _copy_body(group.keep), "copies": list(map(_copy_body, group.copies)), "total": group.total}
        for group in found.groups
    ]
    told = {"total": found.total, "copies": found.copies, "unseen": found.unseen}
    return {"groups": groups, **told, "limit": limit, "offset": offset}


def _copy_body(copy: Copy) -> dict[str, Any]:
    document = document_body(copy.document)
    return {"alike": round(copy.alike, 4), "same": copy.same, "bytes": copy.bytes, "document": document}


def report_body(report: Report) -> dict[str, Any]:
    """Return a report as `--json` prints it, and a job has it."""
    return {
        "added": report.added,
        "changed": report.changed,
        "moved": report.moved,
        "dropped": report.dropped,
        "unchanged_files": report.unchanged_files,
        "files_read": report.files_read,
        "passages": report.passages,
        "embedded": report.embedded,
        "failed": report.failed,
        "warnings": report.warnings,
        "skipped": dict(report.skipped),
        "skipped_files": report.skipped_files,
        "unable": report.unable,
        "held_back": report.held_back,
        "dry_run": report.dry_run,
        "seconds": round(report.seconds, 3),
    }


def fields_body(fields: Sequence[Field]) -> dict[str, Any]:
    """Return what `GET /v1/fields` answers."""
    return {
        "fields": [
            {
                "name": field.name,
                "documents": field.documents,
                "types": dict(field.types),
                "distinct": field.distinct,
                "values": [{"value": value, "count": count} for value, count in field.values],
                "unclear": list(field.unclear),
            }
            for field in fields
        ]
    }
