"""Compare ways to fuse the two retrievers, over collections with many right passages to a query, and with one.

    python -m benchmarks.fusion [--vectors FOLDER] [--grid]

The former are judged collections in BEIR layout; the latter the dev sets of question answering, whose contexts make up
a library in which a question looks for its own, and Korean questions. Documents are cut and embedded as they are when
indexed, and ranked by their best passage. The parents are the lexical index and exact search over float16 vectors.
`--vectors` keeps the embeddings between runs; all together they take half an hour to make. `--grid` also varies the
constants, and chooses them with one collection left out.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus
from benchmarks.known_items import laid_out
from quarry.indexer.chunking import chunk
from quarry.search.evaluations.rankings import SEED, Collection, best_passages, load_collection, score
from quarry.search.language.scripts import knows
from quarry.search.lexical.index import LexicalReader, LexicalView
from quarry.search.lexical.rows import LexicalRow
from quarry.search.lexical.writer import LexicalWriter
from quarry.search.models import embedded_texts
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.shipped import shipped
from quarry.search.ranking import fusion
from quarry.search.relevance import PRIORS, Null, fit
from quarry.search.types import Candidates, Ids, Parsed

DEPTH = 100  # documents of a run
KINDS = ("many", "one", "korean")


@dataclass(frozen=True)
class Heads:
    """What fusion is given for one query, found once for all the ways it is tried; the dicts are by passage."""

    dense: Candidates
    lexical: Candidates
    scores: dict[int, float]
    held: dict[int, float]
    scale: fusion.Scale

    def scores_for(self, ids: Ids) -> np.ndarray:
        return np.array([self.scores[id_] for id_ in ids.tolist()], np.float32)

    def held_by(self, ids: Ids) -> np.ndarray:
        return np.array([self.held[id_] for id_ in ids.tolist()], np.float32)


@dataclass(frozen=True)
class Bench:
    """One collection, indexed: row i of `vectors` and id i of the lexical index are passage i of `owners[i]`."""

    judged: Collection
    owners: list[str]
    vectors: np.ndarray
    queries: dict[str, np.ndarray]
    view: LexicalView
    null: Null
    knows: Callable[[str], float]
    kept: dict[str, Heads] = field(default_factory=dict)

    def heads(self, text: str, vector: np.ndarray) -> Heads:
        if text not in self.kept:
            known = max(0.0, 2 * self.knows(text) - 1)
            dense, lexical = self.dense(vector, fusion.DEPTH), self.view.search(text, fusion.DEPTH)
            ids = fusion.pool(dense, lexical)
            scores, held = self.view.scores_for(text, ids), self.view.held_by(text, ids)
            self.kept[text] = Heads(
                dense,
                lexical,
                dict(zip(ids.tolist(), scores.tolist(), strict=True)),
                dict(zip(ids.tolist(), held.tolist(), strict=True)),
                fusion.Scale(self.null, self.view.weight(text), known),
            )
        return self.kept[text]

    def dense(self, vector: np.ndarray, k: int) -> Candidates:
        scores = self.vectors @ vector
        best = np.lexsort((np.arange(len(scores)), -scores))[:k]
        return Candidates(best.astype(np.int64), scores[best])


Method = Callable[[Bench, str, np.ndarray], Candidates]


@contextmanager
def prepared(folder: Path, cache: Path | None, encoder: TextEncoder, bank: np.ndarray) -> Iterator[Bench]:
    judged = load_collection(folder)
    owners, rows, texts = [], [], []
    for document in judged.documents():
        context = embedded_texts.context(document.title, encoder)
        parsed = Parsed((document.text.strip() or document.title), "text/plain", document.title)
        for passage in chunk(parsed, encoder, max_tokens=embedded_texts.passage_tokens(context, encoder)):
            rows.append(LexicalRow(len(rows), passage.text, document.title))
            texts.append(embedded_texts.embedded_text(context, passage))
            owners.append(document.id)
    kept = cache / f"{judged.name}.npz" if cache else None
    if kept and kept.exists():
        with np.load(kept) as arrays:
            vectors, queries = arrays["passages"], arrays["queries"]
    else:
        vectors, queries = encoder.encode_documents(texts), encoder.encode_queries(list(judged.queries.values()))
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(kept, passages=vectors, queries=queries)
    with tempfile.TemporaryDirectory() as directory:
        with LexicalWriter(Path(directory)) as writer:
            writer.add(rows)
            writer.commit(1)
        yield Bench(
            judged,
            owners,
            vectors.astype(np.float16).astype(np.float32),
            dict(zip(judged.queries, queries, strict=True)),
            LexicalReader(Path(directory)).view(),
            fit(bank, vectors).blended(PRIORS[encoder.card.name], len(vectors)),
            lambda text: knows(encoder.card, text),
        )


def folders(temporary: Path) -> Iterator[tuple[str, Path]]:
    """Yield the collections, and of which kind each is."""
    data = corpus.data_folder()
    for name in corpus.COLLECTIONS:
        yield "many", data / "retrieval" / name
    for path in sorted((data / "qa" / "dev").iterdir()):
        yield "one", laid_out(path, temporary)
    for path in sorted(path for path in (data / "korean").iterdir() if path.is_dir()):
        yield "korean", path


# --- the methods -----------------------------------------------------------------------------------------------------


def semantic(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
    return bench.dense(vector, 1_000)


def lexical(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
    return bench.view.search(text, 1_000)


def ranked(scores: dict[int, float]) -> Candidates:
    order = sorted(scores, key=lambda id_: (-scores[id_], id_))
    return Candidates(np.array(order, np.int64), np.array([scores[id_] for id_ in order], np.float32))


def reciprocal_ranks(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
    """Cormack, Clarke and Buettcher 2009, k = 60."""
    scores: dict[int, float] = {}
    for found in (bench.dense(vector, 100), bench.view.search(text, 100)):
        for place, id_ in enumerate(found.ids.tolist(), 1):
            scores[id_] = scores.get(id_, 0.0) + 1 / (60 + place)
    return ranked(scores)


def min_max(weight: float) -> Method:
    """Each list from 0 to 1; what a list lacks counts as 0."""

    def method(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
        scores: dict[int, float] = {}
        for share, found in ((weight, bench.dense(vector, 100)), (1 - weight, bench.view.search(text, 100))):
            if len(found):
                scaled = (found.scores - found.scores[-1]) / max(float(found.scores[0] - found.scores[-1]), 1e-9)
                for id_, value in zip(found.ids.tolist(), scaled.tolist(), strict=True):
                    scores[id_] = scores.get(id_, 0.0) + share * value
        return ranked(scores)

    return method


def stretched(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
    """Exact scores of both, each from 0 for the last of its list to 1 for its best, then 0.4 of the neighbours'."""
    heads = bench.heads(text, vector)
    if not heads.scale.dense_weight:
        return heads.lexical
    ids = fusion.pool(heads.dense, heads.lexical)
    vectors = bench.vectors[ids]
    own = np.zeros(len(ids))
    for share, found, scores in (
        (0.45, heads.dense, vectors @ vector),
        (0.55, heads.lexical, np.array([heads.scores[id_] for id_ in ids.tolist()])),
    ):
        if len(found):
            last = float(found.scores[-1]) if len(found) == fusion.DEPTH else 0.0
            own += share * np.maximum((scores - last) / max(float(found.scores[0]) - last, 1e-6), -0.5)
    near = np.maximum(vectors @ vectors.T, 0) ** 4
    np.fill_diagonal(near, 0)
    near[near < np.sort(near, axis=1)[:, -min(20, len(near))][:, None]] = 0
    around = (near @ own) / np.maximum(near.sum(1), 1e-9)
    return ranked(dict(zip(ids.tolist(), (0.6 * own + 0.4 * around).tolist(), strict=True)))


def hybrid(**changed: Any) -> Method:
    """The method that is built in, some names of its module changed."""

    def method(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
        heads = bench.heads(text, vector)
        before = {name: getattr(fusion, name) for name in changed}
        try:
            for name, value in changed.items():
                setattr(fusion, name, value)
            scale = replace(heads.scale, dense_weight=heads.scale.dense_weight * fusion.DENSE_WEIGHT)
            meaning = corpus.Meaning(bench.vectors, vector)
            return fusion.hybrid(heads.dense, heads.lexical, meaning, heads, scale).candidates
        finally:
            for name, value in before.items():
                setattr(fusion, name, value)

    return method


SMOOTH = fusion.smooth


def alike(own: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Move every passage by the same share towards its neighbours."""
    moved = SMOOTH(own - 10, vectors)  # so far below 1 that nothing of its own is left
    return 0.6 * own + 0.4 * (moved + 10)


class ByScore(fusion.Scale):
    """Words by BM25 alone."""

    def words(self, scores: fusion.Scores, held: fusion.Scores, best: float) -> np.ndarray:
        return np.asarray(scores / max(best * self.weight, 1e-9) ** 0.5, np.float64)


def by_score(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
    """The method that is built in, without the shares of the query's words."""
    heads = bench.heads(text, vector)
    scale = ByScore(heads.scale.null, heads.scale.weight, heads.scale.dense_weight)
    return hybrid()(replace(bench, kept={text: replace(heads, scale=scale)}), text, vector)


BUILT_IN = "built in"
METHODS: dict[str, Method] = {
    "semantic": semantic,
    "lexical": lexical,
    "reciprocal ranks": reciprocal_ranks,
    "min-max, dense weight .5": min_max(0.5),
    "exact scores, stretched, with neighbours": stretched,
    "scales of their own, no neighbours": hybrid(smooth=lambda own, vectors: own),
    "BM25 for words, with neighbours": by_score,
    BUILT_IN: hybrid(),
    "neighbours for all alike, by 0.4": hybrid(smooth=alike),
    "copies as neighbours": hybrid(SAME=0.9999),
    "none singled out": hybrid(singled_out=lambda held: np.zeros(len(held), np.bool_)),
}
GRID = [
    {"FAR": far, "NEIGHBOURS": neighbours, "SHARPNESS": sharpness}
    for far, neighbours, sharpness in product((6, 6.75, 7.5, 8.25, 9), (5, 10, 20), (2, 4, 8))
]


# --- the tables ------------------------------------------------------------------------------------------------------


def measure(bench: Bench, method: Method) -> np.ndarray:
    run, seen = {}, dict[str, Any]()
    for query, text in bench.judged.queries.items():
        if text not in seen:
            found = method(bench, text, bench.queries[query])
            passages = zip(found.ids.tolist(), found.scores.tolist(), strict=True)
            seen[text] = best_passages((bench.owners[i], value) for i, value in passages)[:DEPTH]
        run[query] = seen[text]
    return score(bench.judged.judgements, run)["ndcg@10"]


def gain_interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Paired bootstrap over queries of the relative gain, 95%, in per cent."""
    random = np.random.default_rng(SEED)
    gains = []
    for _ in range(2_000):
        picks = random.integers(0, len(ours), len(ours))
        gains.append(100 * (ours[picks].mean() / theirs[picks].mean() - 1))
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Measured:
    """One collection: its kind, nDCG@10 by method, the interval of the built-in one's gain, gains over the grid."""

    name: str
    kind: str
    queries: int
    passages: int
    values: dict[str, float]
    interval: tuple[float, float]
    grid: list[float]

    @property
    def parent(self) -> float:
        return max(self.values["semantic"], self.values["lexical"])

    def gain(self, name: str) -> float:
        return 100 * (self.values[name] / self.parent - 1)


def measured(kind: str, bench: Bench, with_grid: bool) -> Measured:
    results = {name: measure(bench, method) for name, method in METHODS.items()}
    parent = max((results["semantic"], results["lexical"]), key=np.mean)
    interval = gain_interval(results[BUILT_IN], parent)
    values = {name: float(result.mean()) for name, result in results.items()}
    grid = []
    if with_grid and kind != "korean":  # there the encoder has no say
        grid = [100 * float(measure(bench, hybrid(**point)).mean() / parent.mean() - 1) for point in GRID]
    found = Measured(bench.judged.name, kind, len(bench.judged.queries), len(bench.owners), values, interval, grid)
    print(f"{found.name}: built in {found.gain(BUILT_IN):+.2f}% on the better parent", flush=True)
    return found


def both_sides(all_of_them: list[Measured]) -> None:
    """Print what the built-in method does to each collection."""
    print("\n| | queries / passages | semantic | lexical | hybrid | gain, % | 95% |\n|---|---|---|---|---|---|---|")
    for kind in KINDS:
        some = [one for one in all_of_them if one.kind == kind]
        for one in some:
            values = [f"{one.values[name]:.3f}" for name in ("semantic", "lexical", BUILT_IN)]
            low, high = one.interval
            print(
                f"| {one.name} | {one.queries:,} / {one.passages:,} | {' | '.join(values)} "
                f"| {one.gain(BUILT_IN):+.1f} | {low:+.1f} to {high:+.1f} |"
            )
        print(f"| **mean, {kind}** | | | | | **{np.mean([one.gain(BUILT_IN) for one in some]):+.1f}** | |")


def by_method(all_of_them: list[Measured]) -> None:
    """Print the gains of every method."""
    some = [one for one in all_of_them if one.kind != "korean"]
    print(
        f"\n| gain on the better parent, % | {' | '.join(one.name for one in some)} | mean, many | mean, one | least |"
    )
    print(f"|---|{'---|' * (len(some) + 3)}")
    for name in METHODS:
        gains = [one.gain(name) for one in some]
        means = [np.mean([one.gain(name) for one in some if one.kind == kind]) for kind in ("many", "one")]
        print(f"| {name} | {' | '.join(f'{value:+.1f}' for value in (*gains, *means, min(gains)))} |")


def leave_one_out(all_of_them: list[Measured]) -> None:
    """Choose the constants on all collections but one, and look at that one; then print the whole grid."""
    some = [one for one in all_of_them if one.grid]
    grid = np.array([one.grid for one in some])
    many = np.array([one.kind == "many" for one in some])
    print("\n| left out | chosen on the others | gain there, % |\n|---|---|---|")
    held = []
    for i, one in enumerate(some):
        others = np.arange(len(some)) != i
        best = int(np.argmax(grid[many & others].mean(0) + grid[~many & others].mean(0)))
        held.append(grid[i, best])
        print(f"| {one.name} | {', '.join(f'{key} {value}' for key, value in GRID[best].items())} | {held[-1]:+.1f} |")
    for kind, of_kind in (("many", many), ("one", ~many)):
        print(f"| mean, {kind} | | {np.mean(np.array(held)[of_kind]):+.1f} |")
    print("\n| far | neighbours | sharpness | mean, many | mean, one | least |\n|---|---|---|---|---|---|")
    for point, column in zip(GRID, grid.T, strict=True):
        figures = (column[many].mean(), column[~many].mean(), column.min())
        print(f"| {' | '.join(map(str, point.values()))} | {' | '.join(f'{value:+.1f}' for value in figures)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="where embeddings are kept between runs")
    parser.add_argument("--grid", action="store_true", help="also vary the constants, and leave one collection out")
    arguments = parser.parse_args()
    encoder = load_text_encoder(prepare=True)
    bank = encoder.encode_queries(shipped("background.txt").read_text("utf-8").splitlines())
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for kind, folder in folders(Path(temporary)):
            with prepared(folder, arguments.vectors, encoder, bank) as bench:
                found.append(measured(kind, bench, arguments.grid))
    both_sides(found)
    by_method(found)
    if arguments.grid:
        leave_one_out(found)


if __name__ == "__main__":
    main()
