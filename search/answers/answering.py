"""Hits -> answers: what a reader finds in them, weighed with how relevant they are.

hits -> readings (spans, by the reader) -> evidence -> answers, distinct, above the threshold
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from search import squad
from search.answers.evidence import Asked, Evidence, confidences, sentence_around
from search.config import DEFAULT_READER
from search.models.cards import is_foreign
from search.readers.base import Reader
from search.readers.words import read_by_words
from search.types import Answer, Hit, Reading

READ = 10  # hits in which answers are looked for
ANSWERS = 3  # at most
SPANS = 2  # of a passage
THRESHOLD = 0.2  # confidence below which the library rather holds no answer

Readings = Mapping[str, Sequence[Reading]]  # by the id of the hit


EVIDENCE: Mapping[str, Evidence] = {DEFAULT_READER: Evidence(-2.294, 0.281, 0.03, 0.593, -1.112, -0.741)}
BY_WORDS = Evidence(-1.35, 1.0, 0.0)  # relevance is words already, where only words count


def evidence_of(reader: Reader, question: str, known: Mapping[str, Evidence] = EVIDENCE) -> Evidence:
    """Return what the scores of `read` mean; those of readers that nobody has measured as the embedded one's do."""
    if is_foreign(reader.card, question):
        return BY_WORDS
    return known.get(reader.card.name, known[DEFAULT_READER])


def read(question: str, hits: Sequence[Hit], reader: Reader, count: int = SPANS) -> tuple[Readings, tuple[str, ...]]:
    """Return what the reader finds in hits, and notes on what it could not read.

    A question in a script that the reader was not made for is answered by words; passages in such a script that words
    of the question can't match are passed over.

    Raises:
        InvalidRequest: the question is longer than the reader's input leaves room for.
        ModelError: the reader gives no usable numbers.
    """
    if is_foreign(reader.card, question):
        by_words = {hit.id: read_by_words(question, f"{hit.document.title} {hit.heading}", hit.text) for hit in hits}
        return by_words, (f"{reader.card.name} does not know the question's script; answers were found by words only",)
    known = [hit for hit in hits if hit.text and not is_foreign(reader.card, hit.text)]
    under = [_under_title(hit) for hit in known]
    found = reader.read(question, [title + hit.text for title, hit in zip(under, known, strict=True)], count + 1)
    foreign = sum(1 for hit in hits if hit.text) - len(known)
    notes = (f"{foreign} of the passages are in a script that {reader.card.name} does not know; they were not read",)
    read_in = {
        hit.id: [
            replace(one, start=one.start - len(title), end=one.end - len(title))
            for one in readings
            if one.start >= len(title)
        ][:count]
        for hit, title, readings in zip(known, under, found, strict=True)
    }
    return read_in, notes if foreign else ()


def _under_title(hit: Hit) -> str:
    """Return what is put before a passage that does not name what it is about: a reader knows only what it reads."""
    title = " ".join(hit.document.title.split())
    return "" if not title or title.casefold() in hit.text.casefold() else f"{title}. "


def answers(
    asked: Asked, hits: Sequence[Hit], readings: Readings, reader: Reader, threshold: float = THRESHOLD
) -> tuple[Answer, ...]:
    """Return the best answers, best first, each said once; () where none is likely enough.

    Hits without readings are read first; raises as `read` does.

    Args:
        hits: among which are those that the readings were found in.
        threshold: least confidence.
    """
    unread = [hit for hit in hits if hit.id not in readings]
    if unread:
        readings = {**read(asked.text, unread, reader)[0], **readings}
    evidence = evidence_of(reader, asked.text)
    spans = [(hit, one) for hit in hits for one in readings.get(hit.id, ())]
    candidates = zip(confidences(asked, spans, evidence), spans, strict=True)
    found: dict[str, Answer] = {}
    for confidence, (hit, one) in sorted(candidates, key=lambda candidate: -candidate[0]):
        if confidence < threshold or len(found) == ANSWERS:
            break
        text = hit.text[one.start : one.end]
        found.setdefault(squad.normalized(text) or text, answer_of(hit, one, confidence))
    return tuple(found.values())


def answer_of(hit: Hit, reading: Reading, confidence: float) -> Answer:
    """Return a span of a hit as an answer, with the sentence around it."""
    start, end = sentence_around(hit, reading)
    return Answer(
        text=hit.text[reading.start : reading.end],
        start=hit.start + reading.start,
        end=hit.start + reading.end,
        page=hit.page_of(hit.start + reading.start, hit.start + reading.end),
        confidence=confidence,
        score=reading.score,
        sentence=(hit.start + start, hit.start + end),
        hit=hit,
    )
