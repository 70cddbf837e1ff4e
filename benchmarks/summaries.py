"""Extractive summaries by ROUGE, and the time that one of ten hits takes, against LexRank and the first sentences.

Run: python -m benchmarks.summaries [rouge] [unseen] [speed]   (unseen: the halves that no weight was chosen on)

Every system gets the same sentences and the same budget. LexRank (Erkan and Radev 2004) ranks them by the stationary
distribution of a walk over their tf-idf cosines: those above .1 as in the paper, or all as weights ("continuous"); its
words are analysed as ours are, stemmed and without stop words, which makes it better. For speed the reference is
LexRank over the same model's embeddings by sentence-transformers and torch, in the same run, in turns.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.corpus import data_folder
from quarry.indexer.chunking import chunk
from quarry.search.evaluations.rouge import ROUGE_METRICS
from quarry.search.evaluations.summaries import Summarized, load_summaries, rouge_figures
from quarry.search.language.analysis import query_terms
from quarry.search.language.sentences import sentences
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.loading import load_text_encoder
from quarry.search.summary import ranked_sentences, summarize_hits
from quarry.search.types import Document, Hit, Parsed

SETS = ("bbc_news", "scitldr_a_dev", "dialogsum_test")
SHARE = 0.45  # of a document's characters: bbc_news's references
PAGES = 30  # of ten hits
DAMPING = 0.85

Spans = Sequence[tuple[int, int]]
System = Callable[[str, Spans], Spans]  # document and its sentences -> all of them, those to be taken first first


def tf_idf(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return texts as unit rows of tf-idf over themselves."""
    counts = [Counter(query_terms(text)) for text in texts]
    columns = {term: i for i, term in enumerate(dict.fromkeys(term for count in counts for term in count))}
    matrix = np.zeros((len(texts), max(len(columns), 1)))
    for row, count in enumerate(counts):
        for term, times in count.items():
            matrix[row, columns[term]] = times
    matrix *= np.log1p(len(texts) / np.maximum((matrix > 0).sum(axis=0), 1))
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)


def lexrank(vectors: NDArray[np.floating], threshold: float | None = None) -> NDArray[np.float64]:
    """Return the centrality of sentences, given as unit rows."""
    weights = np.maximum(np.asarray(vectors @ vectors.T, np.float64), 0)
    if threshold is not None:
        weights = (weights > threshold).astype(np.float64)
    sums = weights.sum(axis=1, keepdims=True)
    walk = np.where(sums > 0, weights / np.where(sums > 0, sums, 1), 1 / len(weights))
    ranks = np.full(len(weights), 1 / len(weights))
    for _ in range(100):
        ranks = (1 - DAMPING) / len(weights) + DAMPING * walk.T @ ranks
    return ranks


def systems(encoder: TextEncoder) -> dict[str, System]:
    """Return every system by its name."""

    def by_lexrank(threshold: float | None) -> System:
        def ranked(document: str, spans: Spans) -> Spans:
            ranks = lexrank(tf_idf([document[start:end] for start, end in spans]), threshold)
            return [spans[i] for i in np.argsort(-ranks, kind="stable")]

        return ranked

    def shuffled(document: str, spans: Spans) -> Spans:
        return random.Random(document).sample(spans, len(spans))

    return {
        "random": shuffled,
        "first sentences (lead-3)": lambda document, spans: spans,
        "LexRank, threshold .1": by_lexrank(0.1),
        "LexRank, continuous": by_lexrank(None),
        "Quarry": lambda document, spans: ranked_sentences(document, encoder, len(spans)),
        "Quarry, words alone": lambda document, spans: ranked_sentences(document, None, len(spans)),
    }


def taken(order: Spans, budget: float) -> Spans:
    """Take so many sentences, or so many characters: then what fits in best, in order."""
    if isinstance(budget, int):
        return sorted(order[:budget])
    found: list[tuple[int, int]] = []
    room = budget
    for start, end in order:
        if end - start <= room * 1.05 or not found:
            found.append((start, end))
            room -= end - start
    return sorted(found)


def rouge_table(encoder: TextEncoder, halves: Sequence[int] = (0, 1)) -> None:
    """Print ROUGE-1, -2 and -L of every system on every set, three sentences each, and as long as the references."""
    documents: dict[str, list[Summarized]] = {}
    halving = np.random.default_rng(0)
    for name in SETS:
        rows = load_summaries(data_folder() / "summarization" / f"{name}.jsonl.gz")
        half = halving.permutation(len(rows)) < len(rows) // 2  # 1: where weights were chosen
        documents[name] = [row for row, one in zip(rows, half, strict=True) if int(one) in halves]
    spans = {name: [sentences(row.document) for row in rows] for name, rows in documents.items()}
    three: list[list[str]] = []
    fitting: list[list[str]] = []
    for system, rank in systems(encoder).items():
        orders = {
            name: [rank(row.document, own) for row, own in zip(rows, spans[name], strict=True)]
            for name, rows in documents.items()
        }
        for table, fit in ((three, False), (fitting, True)):
            cells, means = [], []
            for name, rows in documents.items():
                chosen = [
                    taken(order, _budget(name, row) if fit else 3)
                    for order, row in zip(orders[name], rows, strict=True)
                ]
                figures = rouge_figures(rows, chosen)
                low, high = figures["rouge1_interval"]
                values = [100 * figures[metric] for metric in ROUGE_METRICS]
                cells.append(" ".join(f"{value:.1f}" for value in values) + f" [{100 * low:.1f}, {100 * high:.1f}]")
                means.append(values)
            mean = np.mean(means, axis=0)
            table.append([system, *cells, " ".join(f"{value:.1f}" for value in mean), f"{mean.mean():.2f}"])
    header = ("ROUGE-1 -2 -L [interval of ROUGE-1]", *SETS, "mean", "mean of all")
    counts = ", ".join(f"{name} {len(rows)}" for name, rows in documents.items())
    print(f"{counts} documents. Three sentences each:\n\n{machine.table(header, three)}\n")
    print(f"As long as the references:\n\n{machine.table(header, fitting)}\n")


def _budget(name: str, row: Summarized) -> float:
    return {"bbc_news": SHARE * len(row.document), "scitldr_a_dev": 1}.get(name, 3)


def ten_hits(encoder: TextEncoder, count: int) -> list[tuple[str, list[Hit]]]:
    """Return queries, each with ten passages of about 200 tokens of the news."""
    rows = load_summaries(data_folder() / "summarization" / "bbc_news.jsonl.gz")
    document = Document("news", "file:news", "", "text/plain", {})
    hits = [
        Hit(f"{number}-{one.ordinal}", 1.0, 1.0, document, one.text, one.start, one.end)
        for number, row in enumerate(rows[: count * 10])
        for one in chunk(Parsed(row.document, "text/plain"), encoder, max_tokens=encoder.max_tokens)
    ]
    return [(hits[i].text[:60], hits[i : i + 10]) for i in range(0, min(len(hits), count * 10) - 9, 10)]


def speed(encoder: TextEncoder) -> None:
    """Print how long a summary of ten hits takes, and LexRank over torch's embeddings of their sentences."""
    from sentence_transformers import SentenceTransformer

    from quarry.search.models.text.embedded import embedded_folder

    model = SentenceTransformer(str(embedded_folder()), device="cpu")
    times: dict[str, list[float]] = {"LexRank over torch": [], "Quarry": [], "Quarry, words alone": []}
    pages = ten_hits(encoder, PAGES)
    lengths = []
    for number, (query, hits) in enumerate(pages):
        texts = [hit.text[start:end] for hit in hits for start, end in sentences(hit.text)]
        lengths.append(len(texts))

        def torch_lexrank(query: str = query, hits: list[Hit] = hits) -> None:
            parts = [hit.text[start:end] for hit in hits for start, end in sentences(hit.text)]
            vectors = model.encode([*parts, query], normalize_embeddings=True, show_progress_bar=False)
            np.argsort(-lexrank(vectors[:-1]) * np.maximum(vectors[:-1] @ vectors[-1], 0))

        runs = {
            "LexRank over torch": torch_lexrank,
            "Quarry": lambda query=query, hits=hits: summarize_hits(query, hits, encoder),
            "Quarry, words alone": lambda query=query, hits=hits: summarize_hits(query, hits, None),
        }
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if number >= 3:
                times[name].append(time.perf_counter() - started)
    reference = np.median(times["LexRank over torch"])
    print(f"{len(pages) - 3} pages of ten hits, {np.mean(lengths):.0f} sentences each; {machine.description()}\n")
    rows = [
        (name, machine.percentiles(seconds), f"{reference / np.median(seconds):.1f}x")
        for name, seconds in times.items()
    ]
    print(machine.table(("summary of ten hits", "time", "times quicker"), rows))


def main(names: list[str]) -> None:
    """Print what is asked for, or everything."""
    encoder = load_text_encoder(prepare=True)
    parts: dict[str, Callable[[TextEncoder], None]] = {
        "rouge": rouge_table,
        "unseen": lambda encoder: rouge_table(encoder, (0,)),
        "speed": speed,
    }
    for name in names or parts:
        parts[name](encoder)


if __name__ == "__main__":
    main(sys.argv[1:])
