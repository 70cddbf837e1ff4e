"""Hits -> answers: what a reader finds in them, weighed with how relevant they are.

    hits -> readings (spans, by the reader) -> evidence -> answers, distinct, above the threshold

The evidence for a span is a logistic function of the reader's score, of the hit's relevance, and of how much of the
question the passage says: a reader alone takes the best-looking name of any passage, a ranking alone knows no answers,
and both overlook that a passage on moons does not speak of Saturn's. Its constants were fitted on questions put to
collections of passages, with and without the passages that answer them (`benchmarks/answers.py`), so that of answers
with a confidence of 0.7 about seven in ten are right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from search import analysis, squad
from search.models.cards import is_foreign
from search.readers.base import Reader
from search.readers.words import read_by_words
from search.sentences import sentences
from search.types import Answer, Hit, Reading

READ = 10  # hits in which answers are looked for
ANSWERS = 3  # at most
SPANS = 2  # of a passage
_AROUND = 0.5
THRESHOLD = 0.35  # confidence below which the library rather holds no answer

# A word with a digit, or one with a capital letter that does not begin a sentence.
_NAMED = re.compile(r"\b\w*\d[\w.,:-]*\b|(?<![.!?] )(?<!^)\b[A-Z][\w'’-]+")

Readings = Mapping[str, Sequence[Reading]]  # by the id of the hit


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and how much each of its terms counts: the idf in the library, nothing where that is not known."""

    text: str
    weights: Mapping[str, float] = field(default_factory=dict)

    def said_by(self, hit: Hit, reading: Reading) -> float:
        """Return how much of the question the sentence of a span says, 0..1; what stands around it counts half."""
        total = sum(self.weights.values())
        if not total:
            return 1.0
        start, end = _sentence(hit, reading)
        own = set(analysis.terms(hit.text[start:end]))
        around = set(analysis.terms(_whole(hit)))
        said = sum(
            weight * (1.0 if term in own else _AROUND) for term, weight in self.weights.items() if term in around
        )
        return said / total

    def unnamed_by(self, hit: Hit) -> float:
        """Return how many of the names and numbers of the question a hit, with its title and headings, lacks, 0..1."""
        names = [set(analysis.query_terms(match[0])) for match in _NAMED.finditer(self.text)]
        words = set(analysis.terms(_whole(hit))) if names else set()
        return sum(words.isdisjoint(name) for name in names) / len(names) if names else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much each piece of evidence for a span counts, in logits."""

    constant: float
    score: float
    relevance: float
    said: float = 0.0
    unnamed: float = 0.0

    def confidence(self, score: float, relevance: float, said: float = 1.0, unnamed: float = 0.0) -> float:
        """Return 0..1, how likely a span is to be the answer: the logistic function of the weighted sum.

        Args:
            score: the reader's.
            relevance: of the hit, 0..1, as a logit.
            said: how much of the question is said there, 0..1.
            unnamed: how many of the question's names and numbers it lacks, 0..1.
        """
        weighed = self.constant + self.score * score + self.relevance * odds(relevance)
        weighed += self.said * said + self.unnamed * unnamed
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, weighed))))

    def of(self, asked: Asked, hit: Hit, reading: Reading) -> float:
        """Return 0..1, how likely a span of a hit is to be the answer."""
        return self.confidence(reading.score, hit.relevance, asked.said_by(hit, reading), asked.unnamed_by(hit))


def _whole(hit: Hit) -> str:
    return f"{hit.document.title}\n{hit.heading}\n{hit.text}"


def _sentence(hit: Hit, reading: Reading) -> tuple[int, int]:
    """Return where in a hit's text the sentence of a span stands, or the sentences, where it goes over several."""
    around = [(start, end) for start, end in sentences(hit.text) if start < reading.end and reading.start < end]
    if not around:
        return reading.start, reading.end
    return min(around[0][0], reading.start), max(around[-1][1], reading.end)


def odds(chance: float) -> float:
    """Return the logit of a chance, bounded."""
    return math.log(max(chance, 1e-4) / max(1 - chance, 1e-4))


EVIDENCE: Mapping[str, Evidence] = {"quarry-reader": Evidence(-2.0, 0.4, 0.2, 2.5)}
OF_OTHERS = Evidence(-2.0, 0.4, 0.2, 2.5)  # readers whose scores nobody has measured
BY_WORDS = Evidence(0.0, 1.0, 0.0)  # relevance is words already, where only words count


def evidence_of(reader: Reader, question: str) -> Evidence:
    """Return what the scores of `read` mean."""
    return BY_WORDS if is_foreign(reader.card, question) else EVIDENCE.get(reader.card.name, OF_OTHERS)


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
    candidates = sorted(
        ((evidence.of(asked, hit, one), hit, one) for hit in hits for one in readings.get(hit.id, ())),
        key=lambda candidate: -candidate[0],
    )
    found: dict[str, Answer] = {}
    for confidence, hit, one in candidates:
        if confidence < threshold or len(found) == ANSWERS:
            break
        text = hit.text[one.start : one.end]
        found.setdefault(squad.normalized(text) or text, answer_of(hit, one, confidence))
    return tuple(found.values())


def answer_of(hit: Hit, reading: Reading, confidence: float) -> Answer:
    """Return a span of a hit as an answer, with the sentence around it."""
    start, end = _sentence(hit, reading)
    return Answer(
        text=hit.text[reading.start : reading.end],
        start=hit.start + reading.start,
        end=hit.start + reading.end,
        page=hit.page,
        confidence=confidence,
        score=reading.score,
        sentence=(hit.start + start, hit.start + end),
        hit=hit,
    )
