"""Measure rankings against judged queries: collections in BEIR layout, trec_eval's metrics, bootstrap intervals.

Everything here is a pure function over `rank`, which answers one query in one mode; what it ranks with, and how it was
indexed, is the caller's business.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import FileMalformed, NotFound

# (document id, score), best first; the order counts, the scores are not compared.
Ranking = Sequence[tuple[str, float]]
Rank = Callable[[str, str], Ranking]

# The name in a report, and what ir-measures calls it.
METRICS = {"ndcg@10": "nDCG@10", "map": "AP", "mrr": "RR", "recall@10": "R@10", "recall@100": "R@100"}
DEPTH = 1_000
RESAMPLES = 10_000
SEED = 20_201_123
LARGEST = 16 << 30  # bytes of a file, characters of a gzipped one
_LARGEST_JUDGEMENTS = 1 << 28  # bytes
_LONGEST_LINE = 64 << 20  # characters
_ENCODING = "utf-8-sig"


@dataclass(frozen=True, slots=True)
class JudgedDocument:
    """A document of a collection; text and title may be empty."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, queries and graded judgements: `judgements[query id][document id]`, above 0 is relevant.

    Only queries that have a relevant document are kept: the others can't be scored.
    """

    name: str
    corpus: Path
    queries: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]

    def documents(self) -> Iterator[JudgedDocument]:
        """Read the corpus, one document at a time."""
        for _, row in rows_of(self.corpus):
            yield JudgedDocument(_id(row, self.corpus), str(row.get("title") or ""), str(row.get("text") or ""))


def is_collection(folder: Path) -> bool:
    """Tell whether a folder is laid out as BEIR's collections are."""
    return (folder / "corpus.jsonl").is_file() and (folder / "queries.jsonl").is_file()


def load_collection(folder: Path) -> Collection:
    """Read a folder in BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels/*.tsv` (`test.tsv` where there are more).

    Raises:
        NotFound: the folder or one of its files is missing.
        FileMalformed: a file is not what it should be; names the line.
    """
    if not is_collection(folder):
        raise NotFound(f"{folder} is no judged collection: corpus.jsonl and queries.jsonl must stand in it")
    qrels = sorted((folder / "qrels").glob("*.tsv")) or sorted(folder.glob("*.tsv"))
    chosen = next((path for path in qrels if path.stem == "test"), qrels[0] if len(qrels) == 1 else None)
    if chosen is None:
        raise NotFound(f"{folder} has no judgements: qrels/test.tsv must stand in it")
    judgements = _judgements(chosen)
    texts = {
        _id(row, folder / "queries.jsonl"): str(row.get("text") or "") for _, row in rows_of(folder / "queries.jsonl")
    }
    kept = {q: grades for q, grades in judgements.items() if q in texts and any(grade > 0 for grade in grades.values())}
    if not kept:
        raise FileMalformed(f"{chosen} judges no document relevant to a query of queries.jsonl")
    queries = {q: text for q, text in texts.items() if q in kept}
    return Collection(folder.resolve().name, folder / "corpus.jsonl", queries, kept)


def score(judgements: Mapping[str, Mapping[str, int]], run: Mapping[str, Ranking]) -> dict[str, NDArray[np.float64]]:
    """Score the ranking of each judged query: metric name -> one value a query, in the order of `judgements`.

    As in trec_eval: gains are the grades, a query without a ranking scores 0. Equal scores stay in the order given.
    """
    import ir_measures

    measures = {ir_measures.parse_measure(theirs): ours for ours, theirs in METRICS.items()}
    qrels = [ir_measures.Qrel(q, d, grade) for q, grades in judgements.items() for d, grade in grades.items()]
    # trec_eval breaks ties by document id; ranks as scores leave it none to break.
    ranked = [
        ir_measures.ScoredDoc(query, document, float(-position))
        for query, ranking in run.items()
        for position, (document, _) in enumerate(ranking[:DEPTH])
    ]
    at = {query: i for i, query in enumerate(judgements)}
    values = {name: np.zeros(len(at)) for name in METRICS}
    for metric in ir_measures.iter_calc(list(measures), qrels, ranked) if ranked else ():
        values[measures[metric.measure]][at[metric.query_id]] = metric.value
    return values


def interval(values: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Estimate where the mean lies over queries of the kind: percentile bootstrap (Efron 1979), seeded."""
    if len(values) == 0:
        return 0.0, 0.0
    random = np.random.default_rng(SEED)
    means = np.concatenate(
        [values[random.integers(0, len(values), (500, len(values)))].mean(1) for _ in range(RESAMPLES // 500)]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def best_passages(passages: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Rank documents by their best passage, MaxP (Dai and Callan 2019), given (document id, score) of passages."""
    best: dict[str, float] = {}
    for document, value in passages:
        if value > best.get(document, -np.inf):
            best[document] = value
    return sorted(best.items(), key=lambda pair: -pair[1])


def evaluate(collection: Collection, rank: Rank, modes: Sequence[str]) -> dict[str, Any]:
    """Run every judged query in every mode and report the means.

    Returns:
        `{"collection", "queries", "modes": {mode: {"ndcg@10": 0.5, "ndcg@10_interval": [0.4, 0.6], ...}}}`, all 0..1.
    """
    report: dict[str, Any] = {"collection": collection.name, "queries": len(collection.queries), "modes": {}}
    for mode in modes:
        run = {query: rank(mode, text) for query, text in collection.queries.items()}
        figures: dict[str, Any] = {}
        for name, values in score(collection.judgements, run).items():
            figures[name] = float(values.mean())
            figures[f"{name}_interval"] = list(interval(values))
        report["modes"][mode] = figures
    return report


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    _check_size(path, _LARGEST_JUDGEMENTS)
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        cells = line.split("\t")
        if not line.strip() or (number == 1 and cells[-1].strip().lower() == "score"):
            continue
        try:
            query, document, grade = cells
            found.setdefault(query, {})[document] = int(float(grade))
        except ValueError as error:
            raise FileMalformed(f"{path}, line {number}: expected query-id, corpus-id and score by tabs") from error
    return found


def _check_size(path: Path, limit: int) -> None:
    if path.stat().st_size > limit:
        raise FileMalformed(f"{path} is larger than {limit / 2**30:g} GiB; split it")


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read JSON Lines, gzipped where the name ends in `.gz`: the number of each line, from 1, and its object.

    Raises:
        NotFound: there is no such file.
        FileMalformed: a line is something else, names it; or the file, or a line, is too large.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    _check_size(path, LARGEST)
    number = 0
    try:
        with (
            gzip.open(path, "rt", encoding=_ENCODING)
            if path.suffix == ".gz"
            else path.open(encoding=_ENCODING) as lines
        ):
            left = LARGEST
            for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE), ""), 1):
                left -= len(line)
                if len(line) == _LONGEST_LINE or left < 0:  # a gzipped file does not tell its size
                    raise FileMalformed(f"{path} goes on and on at line {number}; split it")
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise FileMalformed(f"{path}, line {number}: expected an object")
                yield number, row
    except json.JSONDecodeError as error:
        raise FileMalformed(f"{path}, line {number}: not JSON") from error
    except (ValueError, OSError, EOFError, zlib.error) as error:  # no UTF-8, or not what gzip writes
        raise FileMalformed(f"{path} can't be read as JSON Lines beyond line {number}: {error}") from error


def _id(row: Mapping[str, Any], path: Path) -> str:
    try:
        return str(row["_id"])
    except KeyError as error:
        raise FileMalformed(f"{path}: a row has no _id") from error
