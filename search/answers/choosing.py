"""Multiple choice: which of several answers the passages speak for, and where.

Two kinds of evidence count. A reader's spans that say what a choice says, by F1 of words, are worth their confidence
as answers. And a choice with which the question finds more relevant passages is likelier: that decides between choices
that no span names, such as "it rises" and "it falls".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quarry.search.answers import answering
from quarry.search.answers.answering import Readings
from quarry.search.answers.evidence import Asked, confidences
from quarry.search.evaluations import squad
from quarry.search.language import analysis
from quarry.search.models.contracts import Reader
from quarry.search.types import Answer, Hit, Reading

SPANS = 8  # of a passage, looked through for choices
SAME = 0.5  # F1 of words from which a span says what a choice says
_OF_FINDING = 0.12  # what it counts that passages are found with a choice, against a span that says it
THRESHOLD = 0.15  # confidence of the best choice below which none is chosen


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the choices. `confidence` is 0..1, of all choices at most 1 together; `support` says where it stands."""

    text: str
    confidence: float
    support: Answer | None


def choose(
    asked: Asked,
    choices: Sequence[str],
    hits: Sequence[Hit],
    readings: Readings,
    found_with: Mapping[str, float],
    reader: Reader,
) -> tuple[Choice, ...]:
    """Return the choices, the likeliest first.

    Args:
        asked: the question.
        choices: at least two.
        hits: passages that were found with the question, alone and with each choice.
        readings: up to `SPANS` spans of each, by the question alone.
        found_with: by choice, the relevance, 0..1, of the best passage that question and choice find together.
        reader: which made the readings.
    """
    evidence = answering.evidence_of(reader, asked.text)
    weighed = []
    for choice in choices:
        spans = [
            (hit, one)
            for hit in hits
            for one in (*readings.get(hit.id, ()), *_literally(hit, choice, readings.get(hit.id, ())))
            if squad.f1(hit.text[one.start : one.end], choice) >= SAME
        ]
        worth = [
            squad.f1(hit.text[one.start : one.end], choice) * confidence
            for (hit, one), confidence in zip(spans, confidences(asked, spans, evidence), strict=True)
        ]
        said = max(worth, default=0.0)
        support = answering.answer_of(*spans[worth.index(said)], said) if spans else None
        weighed.append((1 - (1 - said) * (1 - _OF_FINDING * found_with.get(choice, 0.0)), choice, support))
    total = max(1.0, sum(weight for weight, *_ in weighed))
    ranked = sorted(weighed, key=lambda one: -one[0])
    return tuple(Choice(choice, weight / total, support) for weight, choice, support in ranked)


def _literally(hit: Hit, choice: str, readings: Sequence[Reading]) -> list[Reading]:
    """Return where a passage names a choice, as less sure than the span that this is a part of, or else than all."""
    if not analysis.terms(choice):
        return []
    lowest = min((one.score for one in readings), default=0.0)
    found = []
    for named in re.finditer(rf"(?<![0-9A-Za-z]){re.escape(choice)}(?![0-9A-Za-z])", hit.text, re.IGNORECASE):
        start, end = named.span()
        score = max((one.score for one in readings if one.start <= start and end <= one.end), default=lowest)
        found.append(Reading(start, end, score - 1.0))
    return found
