"""Compare ways to fuse the two retrievers over judged collections in BEIR layout.

    python -m benchmarks.fusion $QUARRY_TEST_DATA/retrieval [--vectors FOLDER] [--grid]

Documents are cut and embedded as they are when indexed, and ranked by their best passage. The parents are the lexical
index and exact search over float16 vectors. `--vectors` keeps the embeddings between runs; all together they take some
minutes to make.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from indexer import embedding
from indexer.chunking import chunk
from search import analysis, fusion
from search.encoders.base import TextEncoder
from search.encoders.text import load_text_encoder
from search.evaluations.rankings import SEED, Collection, best_passages, load_collection, score
from search.stores.lexical import LexicalReader, LexicalView
from search.stores.lexical_rows import LexicalRow
from search.stores.lexical_writer import LexicalWriter
from search.types import Candidates, Parsed


@dataclass(frozen=True)
class Bench:
    """One collection, indexed: row i of `vectors` and id i of the lexical index are passage i of `owners[i]`."""

    judged: Collection
    owners: list[str]
    texts: list[str]
    vectors: np.ndarray
    queries: dict[str, np.ndarray]
    view: LexicalView
    kept: dict[tuple[str, bytes], tuple[Candidates, Candidates, dict[int, float]]] = field(default_factory=dict)

    def heads(self, text: str, vector: np.ndarray) -> tuple[Candidates, Candidates, dict[int, float]]:
        """What fusion is given, found once for all the ways it is tried: both lists, and BM25 scores of their union."""
        key = (text, vector.tobytes())
        if key not in self.kept:
            dense, lexical = self.dense(vector, fusion.DEPTH), self.view.search(text, fusion.DEPTH)
            ids = fusion.pool(dense, lexical)
            scores = dict(zip(ids.tolist(), self.view.scores_for(text, ids).tolist(), strict=True))
            self.kept[key] = dense, lexical, scores
        return self.kept[key]

    def dense(self, vector: np.ndarray, k: int) -> Candidates:
        scores = self.vectors @ vector
        best = np.lexsort((np.arange(len(scores)), -scores))[:k]
        return Candidates(best.astype(np.int64), scores[best])


Method = Callable[[Bench, str, np.ndarray], Candidates]


@contextmanager
def prepared(folder: Path, cache: Path | None, encoder: TextEncoder) -> Iterator[Bench]:
    judged = load_collection(folder)
    owners, rows, texts = [], [], []
    for document in judged.documents():
        context = embedding.context(document.title, encoder)
        parsed = Parsed((document.text.strip() or document.title), "text/plain", document.title)
        for passage in chunk(parsed, encoder, max_tokens=embedding.passage_tokens(context, encoder)):
            rows.append(LexicalRow(len(rows), passage.text, document.title))
            texts.append(embedding.embedded_text(context, passage))
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
            texts,
            vectors.astype(np.float16).astype(np.float32),
            dict(zip(judged.queries, queries, strict=True)),
            LexicalReader(Path(directory)).view(),
        )


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


def built_in(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
    dense, lexical, scores = bench.heads(text, vector)
    return fusion.hybrid(
        vector,
        dense,
        lexical,
        lambda ids: bench.vectors[ids],
        lambda ids: np.array([scores[id_] for id_ in ids.tolist()], np.float32),
        weight=bench.view.weight(text),
        dense_weight=fusion.DENSE_WEIGHT,
    ).candidates


def hybrid(**constants: float) -> Method:
    """The method that is built in, some of its constants changed."""

    def method(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
        before = {name: getattr(fusion, name) for name in constants}
        try:
            for name, value in constants.items():
                setattr(fusion, name, value)
            return built_in(bench, text, vector)
        finally:
            for name, value in before.items():
                setattr(fusion, name, value)

    return method


def rocchio(share: float, smoothing: float, first: int = 3) -> Method:
    """Vector feedback (Li et al. 2021): search again with the query moved towards the mean of the first passages."""

    def method(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
        best = hybrid(SMOOTHING=smoothing)(bench, text, vector).ids[:first]
        centre = bench.vectors[best].mean(0)
        moved = vector + share * centre / np.linalg.norm(centre)
        return hybrid(SMOOTHING=smoothing)(bench, text, (moved / np.linalg.norm(moved)).astype(np.float32))

    return method


def relevance_model(share: float, smoothing: float, first: int = 5, words: int = 20) -> Method:
    """Word feedback, RM3 (Abdul-Jaleel et al. 2004): add the telling words of the first passages to the query.

    Weights are approximated by repeating terms, so that the index is asked as it always is.
    """

    def method(bench: Bench, text: str, vector: np.ndarray) -> Candidates:
        best = hybrid(SMOOTHING=smoothing)(bench, text, vector).ids[:first]
        own, found = Counter(analysis.query_terms(text)), Counter()
        for id_ in best.tolist():
            terms = analysis.query_terms(bench.texts[id_])
            for term, times in Counter(terms).items():
                found[term] += times / len(terms) * bench.view.weight(term)
        chosen = found.most_common(words)
        total = sum(value for _, value in chosen) or 1.0
        repeated = [term for term, times in own.items() for _ in range(round(100 * (1 - share) * times / own.total()))]
        repeated += [term for term, value in chosen for _ in range(round(100 * share * value / total))]
        return hybrid(SMOOTHING=smoothing)(bench, " ".join(repeated), vector)

    return method


METHODS: dict[str, Method] = {
    "semantic": semantic,
    "lexical": lexical,
    "reciprocal ranks": reciprocal_ranks,
    "min-max, dense weight .7": min_max(0.7),
    "min-max, dense weight .5": min_max(0.5),
    "+ exact scores for both": hybrid(SMOOTHING=0.0),
    "+ score regularization (built in)": hybrid(),
    "no regularization, vector feedback": rocchio(0.3, 0.0),
    "no regularization, word feedback": relevance_model(0.3, 0.0),
    "regularization and vector feedback": rocchio(0.3, 0.4),
    "regularization and word feedback": relevance_model(0.3, 0.4),
}
GRID = [
    {"DENSE_WEIGHT": weight, "NEIGHBOURS": neighbours, "SMOOTHING": smoothing}
    for weight in (0.4, 0.45, 0.5, 0.55)
    for neighbours in (5, 10, 20, 30)
    for smoothing in (0.3, 0.4, 0.5)
]


# --- the tables ------------------------------------------------------------------------------------------------------


def measure(bench: Bench, method: Method) -> dict[str, np.ndarray]:
    run = {}
    for query, text in bench.judged.queries.items():
        found = method(bench, text, bench.queries[query])
        passages = zip(found.ids.tolist(), found.scores.tolist(), strict=True)
        run[query] = best_passages((bench.owners[i], value) for i, value in passages)
    return score(bench.judged.judgements, run)


def gain_interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Paired bootstrap over queries of the relative gain, 95%, in per cent."""
    picks = np.random.default_rng(SEED).integers(0, len(ours), (5_000, len(ours)))
    gains = 100 * (ours[picks].mean(1) / theirs[picks].mean(1) - 1)
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of collections")
    parser.add_argument("--vectors", type=Path, help="where embeddings are kept between runs")
    parser.add_argument("--grid", action="store_true", help="also vary the constants, and leave one collection out")
    arguments = parser.parse_args()
    encoder = load_text_encoder(prepare=True)
    names: list[str] = []
    table: dict[str, list[float]] = {name: [] for name in METHODS}
    gains: dict[str, list[float]] = {name: [] for name in METHODS}
    grid: list[list[float]] = []
    for folder in sorted(path for path in arguments.folder.iterdir() if path.is_dir()):
        with prepared(folder, arguments.vectors, encoder) as bench:
            names.append(bench.judged.name)
            results = {name: measure(bench, method)["ndcg@10"] for name, method in METHODS.items()}
            parent = max((results["semantic"], results["lexical"]), key=np.mean)
            for name, values in results.items():
                table[name].append(float(values.mean()))
                gains[name].append(100 * float(values.mean() / parent.mean() - 1))
            low, high = gain_interval(results["+ score regularization (built in)"], parent)
            print(
                f"{bench.judged.name}: built in gains {low:.1f} to {high:.1f}% (95%) on the better parent", flush=True
            )
            if arguments.grid:
                trials = [measure(bench, hybrid(**point))["ndcg@10"].mean() for point in GRID]
                grid.append([100 * float(value / parent.mean() - 1) for value in trials])
    print(f"\n| nDCG@10 (gain on the better parent, %) | {' | '.join(names)} | mean gain |")
    print(f"|---|{'---|' * (len(names) + 1)}")
    for name in METHODS:
        cells = [f"{value:.3f} ({gain:+.1f})" for value, gain in zip(table[name], gains[name], strict=True)]
        print(f"| {name} | {' | '.join(cells)} | {np.mean(gains[name]):+.1f} |")
    if grid:
        leave_one_out(names, np.array(grid))


def leave_one_out(names: list[str], grid: np.ndarray) -> None:
    """Choose the constants on all collections but one, and look at that one."""
    print("\n| left out | chosen on the others | gain there, % |\n|---|---|---|")
    held = []
    for i, name in enumerate(names):
        best = int(np.argmax(np.delete(grid, i, axis=0).mean(0)))
        held.append(grid[i, best])
        print(f"| {name} | {', '.join(f'{key} {value}' for key, value in GRID[best].items())} | {held[-1]:+.1f} |")
    print(f"| mean | | {np.mean(held):+.1f} |")
    print("\n| dense weight | neighbours | smoothing | mean gain, % | least gain, % |\n|---|---|---|---|---|")
    for point, column in zip(GRID, grid.T, strict=True):
        print(f"| {' | '.join(str(value) for value in point.values())} | {column.mean():+.1f} | {column.min():+.1f} |")


if __name__ == "__main__":
    main()
