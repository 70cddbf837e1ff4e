"""Answers across languages: how likely is a span in a passage that is in another language than the question?

Run: python -m benchmarks.answers_across          measure, on the questions that nothing was fitted on
     python -m benchmarks.answers_across --fit    fit `ACROSS` of `search.answers.evidence`, on two thirds of them

Asked are the translated questions of training sets (`asked_across.jsonl`), in Korean, German and French about English
passages, in English about Korean ones, over a library of both (`benchmarks.languages`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from benchmarks import machine
from benchmarks.answers import RIGHT, Seen, by_confidence, by_evidence, find, seen
from benchmarks.languages import PAIRS, mixed
from quarry.search.answers import answering
from quarry.search.answers.evidence import ACROSS, Evidence
from quarry.search.answers.readers import SCALES, ScaledReader
from quarry.search.evaluations.answers import Question
from quarry.search.evaluations.rankings import rows_of
from quarry.search.models.loading import load_reader
from quarry.search.models.names import MULTILINGUAL_READER

HELD = 3  # every third passage's questions are measured with


@dataclass(frozen=True)
class Asked:
    """A question: its language, whether it is held out, its hits, and which of them is of its own passage."""

    language: str
    is_held: bool
    hits: list[Seen]
    own: list[bool]

    def without(self) -> Asked:
        """Return it as where nothing answers it."""
        left = [place for place, hit in enumerate(self.hits) if not hit.holds]
        return Asked(self.language, self.is_held, [self.hits[at] for at in left], [self.own[at] for at in left])


def collect() -> list[Asked]:
    """Ask everything."""
    reader, found = ScaledReader(load_reader(MULTILINGUAL_READER, prepare=True), SCALES[MULTILINGUAL_READER]), []
    asked = [row for _, row in rows_of(PAIRS)]
    places = {id: place for place, id in enumerate(sorted({row["id"] for row in asked}))}
    with mixed() as (library, rows, texts):
        for row in asked:
            of = rows[row["id"]]
            question = Question(row["text"], of["context"], tuple(answer["text"] for answer in of["answers"]))
            weighed, every = find(library, row["text"])
            hits = every[: answering.READ]
            own = [hit.document.id == texts[of["context"]] for hit in hits]
            is_held = places[row["id"]] % HELD == HELD - 1
            found.append(Asked(row["language"], is_held, seen(question, weighed, hits, reader), own))
    return found


def fit(asked: list[Asked]) -> Evidence:
    """Return the weights of score and relevance: a logistic regression over spans, scaled to the best ones' chance.

    Every third question is there once more without what answers it.
    """
    lists = [one.hits for one in (*asked, *(one.without() for one in asked[::3])) if one.hits]
    spans = [hit for hits in lists for hit in hits]
    weights = _regression(np.array([_values(hit) for hit in spans]), _right(spans))
    for _ in range(8):  # which span is best depends on it
        tops = [max(hits, key=lambda hit: float(np.dot(_values(hit), weights))) for hits in lists]
        logits = np.array([np.dot(_values(hit), weights) for hit in tops])
        constant, factor = _regression(np.stack([np.ones(len(logits)), logits], 1), _right(tops))
        weights = weights * factor + np.array([constant, 0, 0])
    return Evidence(*(round(float(value), 3) for value in weights))


def _values(hit: Seen) -> tuple[float, float, float]:
    return 1.0, hit.features.score, hit.features.relevance


def _right(spans: list[Seen]) -> np.ndarray:
    return np.array([hit.f1 >= RIGHT for hit in spans], float)


def _regression(values: np.ndarray, right: np.ndarray) -> np.ndarray:
    weights = np.zeros(values.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
        curvature = (values * (chance * (1 - chance))[:, None]).T @ values + 1e-2 * np.eye(len(weights))
        weights += np.linalg.solve(curvature, values.T @ (right - chance) - 1e-2 * weights)
    return weights


def measure(asked: list[Asked]) -> None:
    """Print how many are answered, how rightly, and how often where nothing answers."""
    key, rows, tops = by_evidence(ACROSS), [], []
    for language in dict.fromkeys(one.language for one in asked):
        cells = [0, 0, 0, 0]
        own = [one for one in asked if one.language == language]
        for one in own:
            place = max(range(len(one.hits)), key=lambda at: key(one.hits[at]))
            best = one.hits[place]
            is_said = key(best) >= answering.THRESHOLD
            cells[0] += is_said
            cells[1] += is_said and one.own[place]
            cells[2] += is_said and best.f1 >= RIGHT
            left = one.without().hits
            cells[3] += bool(left) and max(map(key, left)) >= answering.THRESHOLD
            tops.append(best)
        rows.append((language, len(own), *cells))
    header = ("question", "questions", "answered", "from the right passage", "right", "answered where nothing answers")
    print(machine.table(header, rows))
    confidence, right = np.array([key(hit) for hit in tops]), np.array([hit.f1 >= RIGHT for hit in tops])
    print(machine.table(("confidence", "best answers", "mean", "right"),
                        by_confidence(confidence, right, (0.0, 0.1, 0.2, 0.35, 0.5, 1.001), digits=2)))  # fmt: skip


def main(arguments: list[str]) -> None:
    """Measure, or fit."""
    asked = collect()
    if arguments == ["--fit"]:
        print("ACROSS", fit([one for one in asked if not one.is_held]))
    else:
        measure([one for one in asked if one.is_held])


if __name__ == "__main__":
    main(sys.argv[1:])
