"""Answers: how right the reader is, what reranking by it gains, what confidence means, and how fast it reads.

Run: python -m benchmarks.answers          measure, on the odd questions of each set where something was fitted
     python -m benchmarks.answers --fit    fit the constants of `search.answers.answering`, on the even questions

The reader is compared with the same weights in transformers and torch, float32, reading the same windows.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus, machine
from quarry.api import Library, Text
from quarry.search import pipeline
from quarry.search.answers import answering, evidence
from quarry.search.answers.evidence import Asked, Evidence, Features
from quarry.search.answers.reranking import RERANKED, RERANKING
from quarry.search.evaluations import squad
from quarry.search.evaluations.answers import Question, evaluate_answers, load_questions
from quarry.search.models.contracts import Reader
from quarry.search.models.kinds import READER
from quarry.search.models.loading import load_reader
from quarry.search.models.names import DEFAULT_READER
from quarry.search.models.pair import embedded as embedded_reader
from quarry.search.models.pair.serving import OnnxReader
from quarry.search.models.preparation import prepare
from quarry.search.models.runtime import available_cores, each
from quarry.search.queries.query import Query
from quarry.search.types import Hit, Reading

SETS = ("qed-nq-dev", "fairytaleqa-test", "bipar-en-test", "policyqa-test", "subjqa-test")
OPEN = ("qed-nq-dev", "fairytaleqa-test")  # questions that say what they are about, as one asks a library
ASKED = 200  # of each set, where a library is searched
RIGHT = 0.5  # F1 from which an answer is right
WEIGHTS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # of the logit of relevance, against 1 of the score


@dataclass(frozen=True)
class Seen:
    """A hit of a question: what speaks for the best span, whether an answer stands in the hit, F1 of the span."""

    features: Features
    holds: bool
    f1: float


class TorchReader:
    """The embedded reader in transformers and torch, window by window as `OnnxReader` cuts them."""

    def __init__(self) -> None:
        import torch

        self._tokenizer = OnnxReader(prepare(READER, DEFAULT_READER)).tokenizer
        self._model = embedded_reader.build()
        self._torch = torch

    def read(self, question: str, passages: Sequence[str]) -> None:
        """Run the model over every window of every passage, in one padded batch, as transformers users do."""
        torch = self._torch
        windows = [one for passage in passages for one in self._tokenizer.windows(question, passage)]
        longest = max(len(window.ids) for window in windows)
        ids, mask, types = (torch.zeros((len(windows), longest), dtype=torch.int64) for _ in range(3))
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = torch.tensor(window.ids)
            mask[row, : len(window.ids)] = 1
            types[row, window.passage[0] : len(window.ids)] = 1
        with torch.inference_mode():
            self._model(input_ids=ids, attention_mask=mask, token_type_ids=types)


def sets() -> dict[str, Path]:
    """Return the files of the sets."""
    return {name: corpus.data_folder() / "qa" / "dev" / f"{name}.jsonl.gz" for name in SETS}


def own_passages(reader: Reader) -> None:
    """Print F1, exact match and AUROC of every set."""
    rows = []
    for name, path in sets().items():
        figures = evaluate_answers(path, reader)["modes"]["reader"]
        cells = [f"{figures[metric]:.1%}" for metric in ("f1", "em")]
        cells += [
            f"{figures[metric]:.3f}" if metric in figures else ""
            for metric in ("mismatched_auroc", "unanswerable_auroc")
        ]
        rows.append((name, *cells))
        print(f"{name} done", file=sys.stderr)
    print(machine.table(("set", "F1", "EM", "AUROC, mismatched", "AUROC, unanswerable"), rows))


def searched(name: str, path: Path) -> list[list[Seen]]:
    """Return what is found for questions of a set in a library of all its contexts, by question, in order."""
    questions = load_questions(path)
    contexts = list(dict.fromkeys(question.context for question in questions))
    asked = [question for question in questions if question.answers]
    asked = asked[:: max(1, len(asked) // ASKED)][:ASKED]
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        for start in range(0, len(contexts), 500):
            library.add([Text(text, uri=f"{name}:{start + n}") for n, text in enumerate(contexts[start : start + 500])])
        found_for = [find(library, question.text) for question in asked]
    found: list[list[Seen]] = [[] for _ in asked]
    one_thread = load_reader(threads=1)  # questions are read beside each other

    def read(place: int) -> None:
        question, hits = found_for[place]
        found[place] = seen(asked[place], question, hits, one_thread)

    each(len(asked), available_cores(), read)
    print(f"{name}: {len(contexts):,} contexts", file=sys.stderr)
    return found


def find(library: Library, text: str) -> tuple[Asked, list[Hit]]:
    """Return a question as it is weighed, and its first hits."""
    query = Query(text, limit=RERANKED, answer=True)
    with library.searcher.view(query) as view:
        found = pipeline.find(query, view)
    return Asked(text, library.searcher.models.encoder_for(text)), found.page


def seen(question: Question, asked: Asked, hits: Sequence[Hit], reader: Reader) -> list[Seen]:
    """Read the hits of a question."""
    readings, _ = answering.read(question.text, hits, reader, 1)
    best = [next(iter(readings.get(hit.id, ())), Reading(0, 0, -30.0)) for hit in hits]
    found = []
    for hit, one, features in zip(
        hits, best, evidence.features(asked, list(zip(hits, best, strict=True))), strict=True
    ):
        text = f" {squad.normalized(hit.text)} "
        holds = any(_says(text, squad.normalized(answer)) for answer in question.answers)
        f1 = squad.best(squad.f1, hit.text[one.start : one.end], question.answers)
        found.append(Seen(features, holds, f1 if holds else 0.0))
    return found


def _says(text: str, answer: str) -> bool:
    """Whether a normalized text has an answer: as words, but for scripts that write more than one as a word."""
    return f" {answer} " in text or (squad.units(answer) != [answer] and answer in text)


def recall(found: Sequence[Sequence[Seen]], key: Callable[[Seen], float] | None, depth: int = 1) -> float:
    """Return how often one of the first hits holds an answer, in the order of `key`, or as they were found."""
    orders = [sorted(hits, key=lambda hit: -key(hit)) if key else hits for hits in found]
    return float(np.mean([any(hit.holds for hit in order[:depth]) for order in orders]))


def fit(by_set: dict[str, list[list[Seen]]]) -> None:
    """Print the constants for answers and for reranking, and answer recall@1 by the weight of relevance.

    What names and numbers count is not fitted: the questions of these sets have few, and most are in lower case.
    """
    even = {name: found[::2] for name, found in by_set.items()}
    # Questions whose answers are there, and for every third of them the same without the hits that hold them.
    asked = [hits[: answering.READ] for name in OPEN for hits in even[name]]
    asked += [[hit for hit in hits if not hit.holds] for hits in asked[::3]]
    known = answering.EVIDENCE[DEFAULT_READER]
    tops = [max(hits, key=by_evidence(known)) for hits in asked if hits]
    print("EVIDENCE", scaled(known, tops, [hit.f1 >= RIGHT for hit in tops]))
    rows = []
    for weight in WEIGHTS:
        tried = replace(known, relevance=weight * known.score)
        recalls = [recall(found, by_evidence(tried)) for found in even.values()]
        rows.append((weight, *(f"{value:.1%}" for value in recalls), f"{np.mean(recalls):.2%}"))
    before = [recall(found, None) for found in even.values()]
    rows.append(("as found", *(f"{value:.1%}" for value in before), f"{np.mean(before):.2%}"))
    print(machine.table(("relevance / score", *even, "mean"), rows))
    best = replace(known, relevance=float(max(rows[:-1], key=lambda row: row[-1])[0]) * known.score)
    every = [hit for found in even.values() for hits in found for hit in hits]
    print("RERANKING", scaled(best, every, [hit.holds for hit in every]))


def scaled(known: Evidence, hits: Sequence[Seen], right: Sequence[bool]) -> Evidence:
    """Return evidence in the same proportions, as a chance: a logistic regression by Newton's method."""
    _, *parts = astuple(known)
    values = np.array([[1.0, np.dot(parts, astuple(hit.features))] for hit in hits])
    weights = np.zeros(2)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-values @ weights))
        curvature = (values * (chance * (1 - chance))[:, None]).T @ values + 1e-2 * np.eye(2)
        weights += np.linalg.solve(curvature, values.T @ (np.array(right, float) - chance) - 1e-2 * weights)
    return Evidence(*(round(float(value), 3) for value in (weights[0], *(weights[1] * part for part in parts))))


def reranked(by_set: dict[str, list[list[Seen]]]) -> None:
    """Print answer recall before and after reranking, and how often answers of each confidence are right."""
    odd = {name: found[1::2] for name, found in by_set.items()}
    rows = []
    for name, found in odd.items():
        key = by_evidence(RERANKING[DEFAULT_READER])
        cells = [recall(found, one, depth) for depth in (1, 5) for one in (None, key)]
        rows.append((name, len(found), *(f"{cell:.1%}" for cell in cells)))
    print(machine.table(("set", "questions", "recall@1", "reranked", "recall@5", "reranked"), rows))
    key = by_evidence(answering.EVIDENCE[DEFAULT_READER])
    tops = [max(hits[: answering.READ], key=key) for name in OPEN for hits in odd[name]]
    confidence = np.array([key(hit) for hit in tops])
    right = np.array([hit.f1 >= RIGHT for hit in tops])
    rows = by_confidence(confidence, right, (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.001), digits=2)
    print("\n" + machine.table(("confidence", "best answers", "mean", "right"), rows))


def by_confidence(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bounds: Sequence[float], *, digits: int
) -> list[tuple[object, ...]]:
    """Return rows of how many answers have a confidence within two bounds, their mean, and how many are right."""
    rows: list[tuple[object, ...]] = []
    for low, high in pairwise(bounds):
        within = (confidence >= low) & (confidence < high)
        if within.any():
            span = f"{low:.{digits}f} to {min(high, 1):.{digits}f}"
            rows.append((span, int(within.sum()), f"{confidence[within].mean():.2f}", f"{right[within].mean():.0%}"))
    return rows


def by_evidence(weights: Evidence) -> Callable[[Seen], float]:
    """Return what hits are ordered by."""
    return lambda hit: weights.confidence(hit.features)


def speed() -> None:
    """Print how long the first ten hits take to read, against torch in the same process, in turns."""
    questions = load_questions(sets()["qed-nq-dev"])
    contexts = list(dict.fromkeys(question.context for question in questions))
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        library.add([Text(text, uri=f"q:{n}") for n, text in enumerate(contexts)])
        asked = [(one.text, [hit.text for hit in library.search(one.text, limit=10).hits]) for one in questions[:40]]
    ours, torch = load_reader(), TorchReader()
    took: dict[str, list[float]] = {"ours": [], "torch": []}
    for question, passages in asked:
        for name, reader in (("ours", ours), ("torch", torch)):
            started = time.perf_counter()
            reader.read(question, passages)
            took[name].append((time.perf_counter() - started) * 1e3)
    p50 = {name: float(np.median(times[5:])) for name, times in took.items()}
    characters = int(np.mean([sum(map(len, passages)) for _, passages in asked]))
    print(
        f"\nReading the first ten hits ({characters:,} characters): p50 {p50['ours']:.0f} ms, torch {p50['torch']:.0f} "
        f"ms, {p50['torch'] / p50['ours']:.1f} times as long. {machine.description()}"
    )


def main(arguments: list[str]) -> None:
    """Measure, or fit."""
    reader = load_reader(prepare=True)
    if arguments == ["--speed"]:
        speed()
        return
    if not arguments:
        own_passages(reader)
    by_set = {name: searched(name, path) for name, path in sets().items()}
    if arguments == ["--fit"]:
        fit(by_set)
    else:
        print()
        reranked(by_set)
        speed()


if __name__ == "__main__":
    main(sys.argv[1:])
