"""Measure a reader on questions with their passages, as SQuAD does (Rajpurkar et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import FileMalformed
from quarry.search.evaluations import squad
from quarry.search.evaluations.rankings import interval, rows_of
from quarry.search.models.contracts import Reader
from quarry.search.models.runtime import available_cores, each


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its passage, and what answers it there: any of the texts, none where nothing does."""

    text: str
    context: str
    answers: tuple[str, ...]


def is_question(row: Mapping[str, Any]) -> bool:
    """Tell whether a row of JSON Lines is a question with its passage."""
    return "question" in row and "context" in row


def load_questions(path: Path) -> list[Question]:
    """Read JSON Lines, gzipped or not, of `question`, `context` and `answers`, a list of {`text`, `start`}.

    Raises:
        NotFound: there is no such file.
        FileMalformed: a row is something else, or an answer does not stand where it says; names the line.
    """
    found = []
    for number, row in rows_of(path):
        try:
            context, answers = row["context"], row["answers"]
            texts = tuple(answer["text"] for answer in answers)
            right = isinstance(row["question"], str) and isinstance(context, str)
            right = right and all(
                one["text"] and one["start"] >= 0 and context.startswith(one["text"], one["start"]) for one in answers
            )
        except (KeyError, TypeError) as error:
            raise FileMalformed(
                f"{path}, line {number}: expected question, context and answers, a list of text and start"
            ) from error
        if not right:
            raise FileMalformed(f"{path}, line {number}: an answer does not stand where it says")
        found.append(Question(row["question"], context, texts))
    if not any(question.answers for question in found):
        raise FileMalformed(f"{path} has no question with an answer")
    return found


def evaluate_answers(path: Path, reader: Reader, advance: Callable[[int], None] | None = None) -> dict[str, Any]:
    """Have a reader answer every question from its own passage.

    Args:
        advance: is told of every question that was read.

    Returns:
        `{"collection", "queries", "modes": {"reader": {"f1", "f1_interval", "em", "em_interval", ...}}}`, all 0..1.
        F1 and exact match are those of the best span, over the questions that have an answer; `mismatched_auroc` is
        how often a question's own passage scores higher than that of another question, `unanswerable_auroc`, where
        there are such, how often a question with an answer scores higher than one without.
    """
    questions = load_questions(path)
    answerable = [question for question in questions if question.answers]
    own = read_all(reader, [(one.text, one.context) for one in questions], advance)
    best = {id(question): found for question, found in zip(questions, own, strict=True)}
    figures: dict[str, Any] = {}
    for name, measure in (("f1", squad.f1), ("em", squad.exact_match)):
        values = np.asarray([squad.best(measure, best[id(one)][0], one.answers) for one in answerable])
        figures[name], figures[f"{name}_interval"] = float(values.mean()), list(interval(values))
    scores = [best[id(one)][1] for one in answerable]
    figures["mismatched_auroc"] = auroc(scores, [score for _, score in read_all(reader, mismatched(answerable))])
    if len(answerable) < len(questions):
        unanswerable = [best[id(question)][1] for question in questions if not question.answers]
        figures["unanswerable_auroc"] = auroc(scores, unanswerable)
    return {"collection": path.name, "queries": len(questions), "modes": {"reader": figures}}


def mismatched(questions: Sequence[Question]) -> list[tuple[str, str]]:
    """Return each question with the passage of one half of the set away, unless that is the same passage."""
    half = len(questions) // 2
    pairs = [(one.text, questions[(place + half) % len(questions)].context) for place, one in enumerate(questions)]
    return [pair for pair, one in zip(pairs, questions, strict=True) if pair[1] != one.context] or pairs


def read_all(
    reader: Reader, pairs: Sequence[tuple[str, str]], advance: Callable[[int], None] | None = None
) -> list[tuple[str, float]]:
    """Return the best span of each pair of question and passage, as text, and its score."""
    found: list[tuple[str, float]] = [("", -np.inf)] * len(pairs)

    def read(place: int) -> None:
        question, passage = pairs[place]
        (readings,) = reader.read(question, [passage])
        if readings:
            found[place] = (passage[readings[0].start : readings[0].end], readings[0].score)
        if advance is not None:
            advance(1)

    each(len(pairs), available_cores(), read)
    return found


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the area under the ROC curve: the chance that a positive scores higher than a negative, ties by half."""
    ordered: NDArray[np.float64] = np.sort(np.asarray(negative, np.float64))
    if not len(ordered) or not len(positive):
        return 0.5
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / 2 / len(ordered))
