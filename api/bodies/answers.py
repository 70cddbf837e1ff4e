"""Answers, summaries, and what passages say of a claim, with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quarry.api.bodies.hits import citation_body, hit_body, hit_document, library_body, notes_body, place_body
from quarry.search.generation.answers import Done, Refused
from quarry.search.hits import citations
from quarry.search.types import Answer, Cited, Hit, Summary

if TYPE_CHECKING:
    from quarry.api.members.asking import Checked
    from quarry.api.members.verifying import Verdict
    from quarry.search.tasks.answers import Answered, ModelAnswer


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
        "document": hit_document(hit.document),
        "citation": citation_body(citations.of_answer(answer)),
        "also": [place_body(place) for place in answer.also],
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
        **library_body(hit.document.library),
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


def check_body(found: Checked) -> dict[str, Any]:
    """Return what `POST /v1/check` answers."""
    response = found.response
    verdicts = [one.judgement.verdict for one in found.judged]
    return {
        "claim": response.query.text,
        "supported": verdicts.count("supports"),
        "contradicted": verdicts.count("contradicts"),
        "judged": [
            {
                "verdict": one.judgement.verdict,
                "supports": round(one.judgement.supports, 4),
                "contradicts": round(one.judgement.contradicts, 4),
                "neither": round(one.judgement.neither, 4),
                "hit": hit_body(one.hit),
            }
            for one in found.judged
        ],
        "took_ms": round(response.took_ms, 3),
        "generation": response.generation,
        **notes_body(response.notes),
    }


def picture_answers_body(question: str, answers: Sequence[ModelAnswer]) -> dict[str, Any]:
    """Return what `POST /v1/images/{id}/answer` answers."""
    return {"question": question, "answers": [_model_answer(one) for one in answers]}


def document_answers_body(question: str, found: Answered) -> dict[str, Any]:
    """Return what `POST /v1/documents/{id}/answer` answers."""
    answers = [{**_model_answer(one), "place": one.place.json if one.place else None} for one in found.answers]
    return {"question": question, "answers": answers, "looked_at": found.looked_at, "of": found.of}


def _model_answer(answer: ModelAnswer) -> dict[str, Any]:
    return {"text": answer.text, "confidence": round(answer.confidence, 4)}
