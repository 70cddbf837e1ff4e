"""How likely are passages to be right, by what speaks for them? What their relevance is fitted on, and how it fares.

    python -m benchmarks.evidence [--vectors FOLDER]          measure, and draw docs/relevance-passages.png
    python -m benchmarks.evidence [--vectors FOLDER] --fit    fit the constants of `search.relevance` for passages

Of every library (see `benchmarks.fusion`) three kinds of queries are asked:

- its own questions;
- few words: the three rarest of a question; right is what is right for all of it. (That a document holds some words
  does not make it one about them: right because they stand there would say that distance counts for nothing.)
- what has nothing to do with it: questions of other libraries, a third of them cut to three words, and
  captions of photos.

Sets that ask every document the same are left out: what is right there for one was not judged for the others. In those
that remain hits that nobody judged count as wrong, so that relevance is rather too low than too high.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks import corpus, fusion, machine
from benchmarks.diagrams import draw, points
from quarry.search.language import analysis
from quarry.search.language.function_words import STOP_WORDS
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.shipped import shipped
from quarry.search.ranking.fusion import DEPTH, Scale, hybrid
from quarry.search.ranking.retrievers import Lexical
from quarry.search.relevance import CALIBRATIONS, WORDS_ENOUGH, at_least, coverage, enveloped, least
from quarry.search.views import WordsView

SETS = ("cacm", "cisi", "cranfield", "medline", "npl", "bipar-en", "fairytaleqa", "qed-nq")
NEAR = [{"cacm", "cisi", "npl"}, {"bipar-en", "fairytaleqa"}]  # whose questions others of them may answer
KINDS = {"questions": 0.35, "few words": 0.15, "nothing": 0.5}  # what they count for in a fit
MODES = ("hybrid", "semantic", "lexical")
QUERIES = 100  # of each kind and set
FITTED = 10  # first hits
FIELDS = [("set", "U16"), ("kind", "U16"), ("mode", "U16"), ("query", int), ("place", int), ("right", bool)]
FIELDS += [(name, float) for name in ("distance", "held", "coverage", "relevance")] + [("meant", bool)]
TRUSTED = {"hybrid": ("distance", "held"), "semantic": ("distance",), "lexical": ("coverage",)}  # what a fit looks at


@dataclass(frozen=True)
class Asked:
    """A query, of which kind it is, its vector, and the documents that are right."""

    text: str
    kind: str
    vector: np.ndarray
    right: frozenset[str]


def shortened(bench: fusion.Bench, texts: Mapping[str, str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the three rarest words of questions, and what is right for the whole."""
    seen = Counter(term for text in texts.values() for term in set(analysis.query_terms(text)))
    for id in spread(bench.judged.queries):
        words = [word.strip("?.,;:'()") for word in bench.judged.queries[id].split()]
        told = {word: min(seen[term] for term in analysis.query_terms(word)) for word in words if telling(word)}
        rarest = sorted(told, key=lambda word: told[word])[:3]
        if len(rarest) == 3:
            yield " ".join(word for word in told if word in rarest), right_of(bench, id)


def telling(word: str) -> bool:
    return word.isalpha() and len(word) > 2 and word.lower() not in STOP_WORDS


def queries(bench: fusion.Bench, others: Mapping[str, fusion.Bench], encoder: TextEncoder) -> Iterator[Asked]:
    """Yield what a library is asked."""
    judged = bench.judged
    for id in spread(judged.queries):
        yield Asked(judged.queries[id], "questions", bench.queries[id], right_of(bench, id))
    texts = {document.id: f"{document.title} {document.text}" for document in judged.documents()}
    short = list(shortened(bench, texts))
    for (text, right), vector in zip(short, encoder.encode_queries([text for text, _ in short]), strict=True):
        yield Asked(text, "few words", vector, right)
    strangers = [o for name, o in others.items() if name != judged.name and not near(name, judged.name)]
    foreign = [o.judged.queries[id] for o in strangers for id in spread(o.queries, QUERIES // len(strangers))]
    foreign[::3] = [" ".join([*filter(telling, text.split())][:3]) for text in foreign[::3]]
    foreign += list(islice(corpus.captions(), 0, 40_000, 2_000))
    for text, vector in zip(foreign, encoder.encode_queries(foreign), strict=True):
        yield Asked(text, "nothing", vector, frozenset())


def spread(items: Mapping[str, object], count: int = QUERIES) -> list[str]:
    return list(items)[:: max(1, len(items) // count)][:count]


def right_of(bench: fusion.Bench, id: str) -> frozenset[str]:
    return frozenset(name for name, grade in bench.judged.judgements[id].items() if grade > 0)


def near(one: str, other: str) -> bool:
    return any({one, other} <= names for names in NEAR)


def hits(bench: fusion.Bench, asked: Asked, number: int, model: str) -> Iterator[tuple]:
    """Yield rows of `FIELDS`: what the three modes find, with the relevance that searching gives it."""
    view, weight = bench.view, bench.view.weight(asked.text)
    dense, words = bench.dense(asked.vector, DEPTH), view.search(asked.text, DEPTH)
    lexical = Lexical(WordsView(view), asked.text, "text")
    both = hybrid(dense, words, fusion.Meaning(bench.vectors, asked.vector), lexical, Scale(bench.null, weight))
    for mode, found in (("hybrid", both.candidates), ("semantic", dense), ("lexical", words)):
        far = bench.null.distance(bench.vectors[found.ids] @ asked.vector)
        held = view.held_by(asked.text, found.ids)
        covered = coverage(view.scores_for(asked.text, found.ids), weight)
        chance = CALIBRATIONS[mode].of(far, {"hybrid": held, "lexical": covered}.get(mode, 0.0))
        if mode == "hybrid":
            chance = enveloped(at_least(chance, both.singled_out, both.held))
        meant = (chance >= least(mode, model)) | ((held >= WORDS_ENOUGH) & (mode == "hybrid"))
        for place, id in enumerate(found.ids.tolist()):
            right = bench.owners[id] in asked.right
            yield (
                *(bench.judged.name, asked.kind, mode, number, place, right),
                *(far[place], held[place], covered[place], chance[place], meant[place]),
            )


def collect(cache: Path | None) -> np.ndarray:
    """Return the rows of all libraries."""
    encoder = load_text_encoder(prepare=True)
    bank = encoder.encode_queries(shipped("background.txt").read_text("utf-8").splitlines())
    with tempfile.TemporaryDirectory() as place, ExitStack() as open_:
        benches = {
            folder.name: open_.enter_context(fusion.prepared(folder, cache, encoder, bank))
            for _, folder in fusion.folders(Path(place))
            if folder.name in SETS
        }
        rows, number = [], 0
        for bench in benches.values():
            for asked in queries(bench, benches, encoder):
                rows += hits(bench, asked, number, encoder.card.name)
                number += 1
    return np.array(rows, FIELDS)


def weights(rows: np.ndarray) -> np.ndarray:
    """Return what every row counts for: sets alike, and kinds of queries by `KINDS`."""
    counts = np.zeros(len(rows))
    for name in np.unique(rows["set"]):
        for kind, share in KINDS.items():
            chosen = (rows["set"] == name) & (rows["kind"] == kind)
            counts[chosen] = share / max(chosen.sum(), 1)
    return counts / counts.mean()


def values_of(rows: np.ndarray, mode: str) -> np.ndarray:
    return np.stack([np.ones(len(rows)), *(rows[name] for name in TRUSTED[mode])], 1)


def fitted(rows: np.ndarray, counts: np.ndarray, mode: str) -> np.ndarray:
    """Fit a logistic regression by Newton's method: the constant, and what each of `TRUSTED` counts for."""
    values, constants = values_of(rows, mode), np.zeros(1 + len(TRUSTED[mode]))
    for _ in range(30):
        chance = 1 / (1 + np.exp(-values @ constants))
        curvature = (values * (counts * chance * (1 - chance))[:, None]).T @ values
        gradient = values.T @ (counts * (rows["right"] - chance))
        constants += np.linalg.solve(curvature + 1e-3 * np.eye(len(constants)), gradient - 1e-3 * constants)
    return constants


def loss(chance: np.ndarray, rows: np.ndarray, counts: np.ndarray) -> float:
    chance = np.clip(chance, 1e-6, 1 - 1e-6)
    return float(-np.average(np.log(np.where(rows["right"], chance, 1 - chance)), weights=counts))


def fit(rows: np.ndarray) -> None:
    """Print the constants, and the log loss on sets that were left out, one after the other."""
    rows = rows[rows["place"] < FITTED]
    for mode in MODES:
        own = rows[rows["mode"] == mode]
        counts, unseen = weights(own), np.zeros(len(own))
        for one in np.unique(own["set"]):
            out = own["set"] == one
            unseen[out] = 1 / (1 + np.exp(-values_of(own[out], mode) @ fitted(own[~out], counts[~out], mode)))
        found = ", ".join(f"{value:.2f}" for value in fitted(own, counts, mode))
        losses = loss(own["relevance"], own, counts), loss(unseen, own, counts)
        print(f'"{mode}": ({found}), log loss in use {losses[0]:.3f}, fitted on other sets {losses[1]:.3f}')


def measure(rows: np.ndarray) -> None:
    """Print and draw how many hits of each relevance are right, and what the end of the list leaves out."""
    table, series = [], {}
    for mode in MODES:
        own = rows[rows["mode"] == mode]
        first = own["place"] < FITTED
        series[mode] = points(own["relevance"][first], own["right"][first])
        for kind in KINDS:
            asked = own[own["kind"] == kind]
            lists = [asked["meant"][asked["query"] == number] for number in np.unique(asked["query"])]
            kept = [int(one.sum()) for one in lists]
            right = [asked["meant"][asked["right"] & (asked["place"] < depth)] for depth in (FITTED, 2 * DEPTH)]
            hidden = [f"{np.mean(~one):.1%}" if len(one) else "" for one in right]
            shown = [int(one[:FITTED].sum()) for one in lists]
            row = (f"{np.mean(np.array(kept) == 0):.0%}", f"{np.mean(shown):.1f}", f"{np.median(kept):.0f}")
            table.append((mode, kind, *hidden, *row))
    header = ("mode", "queries", "right of the first ten left out", "right of all left out")
    print(machine.table((*header, "empty lists", "of ten shown", "length, median"), table))
    for name, found in series.items():
        print(f"\n{name}")
        print(machine.table(("relevance", "hits", "right"), [(f"{x:.2f}", f"{n:,}", f"{y:.1%}") for x, y, n in found]))
    draw(series, Path("docs/relevance-passages.png"))


def main() -> None:
    """Fit, or measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--vectors", type=Path, help="where embeddings are kept between runs")
    chosen = parser.parse_args()
    rows = collect(chosen.vectors)
    (fit if chosen.fit else measure)(rows)


if __name__ == "__main__":
    main()
