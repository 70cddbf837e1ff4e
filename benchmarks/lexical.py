"""Time the lexical index over synthetic passages, and compare analyses over judged collections.

    python -m benchmarks.lexical [--passages 100000] [--judged $QUARRY_TEST_DATA/retrieval]

Passages are 40 to 160 words drawn from 60,000 by Zipf's law (exponent 1.05); questions are 4 to 12 of the first 3,000,
with two stop words.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bm25s
import numpy as np
import Stemmer

from quarry.search.evaluations.rankings import Collection, load_collection, score
from quarry.search.language import analysis
from quarry.search.language.function_words import STOP_WORDS
from quarry.search.language.tokens import TOKEN
from quarry.search.lexical.index import LexicalReader
from quarry.search.lexical.rows import K1, B, LexicalRow
from quarry.search.lexical.writer import LexicalWriter

WORDS = 60_000
_LUCENE = """a an and are as at be but by for if in into is it no not of on or such that the their then there these they
this to was will with"""
LUCENE_STOPS = frozenset(_LUCENE.split())


def milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def row(name: str, times: list[float]) -> None:
    print(f"| {name} | {np.median(times):.2f} | {np.percentile(times, 95):.2f} |", flush=True)


def speed(count: int) -> None:
    choose = random.Random(0)
    words = [f"{chr(97 + i % 26)}{i}" for i in range(WORDS)]
    shares = np.cumsum(1 / np.arange(1, WORDS + 1) ** 1.05).tolist()
    passages = (" ".join(choose.choices(words, cum_weights=shares, k=choose.randint(40, 160))) for _ in range(count))
    questions = [f"what is {' '.join(choose.sample(words[20:3_000], choose.randint(4, 12)))}" for _ in range(200)]
    rows = [LexicalRow(i, passage) for i, passage in enumerate(passages, 1)]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        writer = LexicalWriter(folder)
        took = milliseconds(lambda: commit(writer, rows))
        print(f"| build, passages/s | {count / took * 1e3:,.0f} | |")
        for extra in (1, 100):
            news = [LexicalRow(count + extra * 1_000 + i, rows[i].body) for i in range(extra)]
            row(f"commit {extra} more, ms", [milliseconds(lambda: commit(writer, news)) for _ in range(7)])  # noqa: B023
        writer.close()
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"| size, MB | {size / 1e6:.0f} | |")
        row("open, ms", [milliseconds(LexicalReader(folder).view) for _ in range(7)])
        view = LexicalReader(folder).view()
        for k in (100, 200, 1_000):
            row(f"best {k}, ms", [milliseconds(partial(view.search, q, k)) for q in questions])
        draw = np.random.default_rng(0)
        for allowed in (100, 1_000, 5_000, 20_000, 50_000):
            if allowed < count:
                ids = np.sort(draw.choice(count, allowed, replace=False)).astype(np.int64) + 1
                times = [milliseconds(partial(view.search, q, 100, ids)) for q in questions[:100]]
                row(f"best 100 of {allowed:,} allowed, ms", times)
        some = np.sort(draw.choice(count, 100, replace=False)).astype(np.int64) + 1
        row("scores of 100 given, ms", [milliseconds(partial(view.scores_for, q, some)) for q in questions])
        row("weight of a query, ms", [milliseconds(partial(view.weight, q)) for q in questions])


def commit(writer: LexicalWriter, rows: list[LexicalRow]) -> None:
    writer.add(rows)
    writer.commit(1)


def plain(text: str) -> list[str]:
    return [match[0].casefold() for match in TOKEN.finditer(text)]


def analyses(folder: Path) -> None:
    stemmed = {analysis.stem(word) for word in STOP_WORDS}
    lucene = {analysis.stem(word) for word in LUCENE_STOPS}
    light = Stemmer.Stemmer("porter")
    ways: dict[str, tuple[Callable[[str], list[str]], Callable[[str], list[str]]]] = {
        "all spellings of a word added up": (analysis.terms, analysis.query_terms),
        "stop words out of passages too": (
            lambda text: [term for term in analysis.terms(text) if term not in stemmed],
            analysis.query_terms,
        ),
        "Lucene's 33 stop words": (
            analysis.terms,
            lambda text: [term for term in analysis.terms(text) if term not in lucene],
        ),
        "no stop words": (analysis.terms, analysis.terms),
        "each query term once": (analysis.terms, lambda text: list(dict.fromkeys(analysis.query_terms(text)))),
        "Porter's first stemmer": (
            lambda text: light.stemWords(plain(text)),
            lambda text: light.stemWords([word for word in plain(text) if word not in STOP_WORDS]),
        ),
        "no stemming": (plain, lambda text: [word for word in plain(text) if word not in STOP_WORDS]),
    }
    collections = [load_collection(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    print(f"\n| nDCG@10 | {' | '.join(collection.name for collection in collections)} | mean |")
    print("|---|" + "---|" * (len(collections) + 1))
    built_in = [indexed(collection) for collection in collections]
    print(f"| built in | {' | '.join(f'{mean:.3f}' for mean in built_in)} | {np.mean(built_in):.3f} |", flush=True)
    for name, (index, ask) in ways.items():
        means = [judged(collection, index, ask) for collection in collections]
        print(f"| {name} | {' | '.join(f'{mean:.3f}' for mean in means)} | {np.mean(means):.3f} |", flush=True)


def indexed(collection: Collection) -> float:
    documents = list(collection.documents())
    with tempfile.TemporaryDirectory() as directory:
        with LexicalWriter(Path(directory)) as writer:
            commit(writer, [LexicalRow(i, document.text, document.title) for i, document in enumerate(documents)])
        view = LexicalReader(Path(directory)).view()
        run = {}
        for query, text in collection.queries.items():
            found = view.search(text, 100)
            run[query] = [(documents[i].id, float(s)) for i, s in zip(found.ids, found.scores, strict=True)]
    return float(score(collection.judgements, run)["ndcg@10"].mean())


def judged(collection: Collection, index: Callable[[str], list[str]], ask: Callable[[str], list[str]]) -> float:
    documents = list(collection.documents())
    engine = bm25s.BM25(k1=K1, b=B, method="lucene")
    engine.index([index(f"{document.title} {document.text}") for document in documents], show_progress=False)
    run = {}
    for query, text in collection.queries.items():
        places, scores = engine.retrieve([ask(text)], k=100, show_progress=False)
        run[query] = [(documents[i].id, float(s)) for i, s in zip(places[0], scores[0], strict=True)]
    return float(score(collection.judgements, run)["ndcg@10"].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--judged", type=Path, help="a folder of collections in BEIR layout")
    arguments = parser.parse_args()
    print(f"| {arguments.passages:,} passages | median | 95% |\n|---|---|---|")
    speed(arguments.passages)
    if arguments.judged:
        analyses(arguments.judged)


if __name__ == "__main__":
    main()
