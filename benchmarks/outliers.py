"""What fits nowhere: strangers among documents of one subject, and what it costs over 100,000.

The reference is scikit-learn's `LocalOutlierFactor` and the distance to the middle of all.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks import machine
from benchmarks.corpus import data_folder
from benchmarks.labels import corpus_of, embedded, pixels_of, spread
from quarry.search.alike.neighbours import belonging, pairs
from quarry.search.language.analysis import query_terms
from quarry.search.models.live import NamedModels
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL
from quarry.search.types import Vectors

STRANGERS = 20
MANY = 100_000


def auroc(scores: np.ndarray, strange: np.ndarray) -> float:
    """Return how often a stranger's score is above that of one that belongs."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(strange, scores))


def text_samples() -> list[tuple[str, Vectors, Vectors]]:
    """Return names of subjects, the vectors of their abstracts and those of strangers: abstracts of all the others."""
    encoder = NamedModels().text(DEFAULT_TEXT_MODEL, prepare=True)
    names = ("cranfield", "medline", "cacm")
    every = {name: embedded(encoder.encode_documents, spread(corpus_of(f"retrieval/{name}"), 400)) for name in names}
    return [
        (name, own, np.concatenate([spread(list(every[other]), STRANGERS // 2) for other in names if other != name]))
        for name, own in every.items()
    ]


def picture_sample() -> tuple[str, Vectors, Vectors]:
    """Return photos of dogs, and strangers: photos in no caption of which an animal is named."""
    encoder = NamedModels().image(DEFAULT_IMAGE_MODEL, prepare=True)
    rows = [json.loads(line) for line in (data_folder() / "flickr8k" / "captions.jsonl").open("rb")]
    rows = [row for row in rows if row["split"] == "test"]
    words = [{term for caption in row["captions"] for term in query_terms(caption)} for row in rows]
    dogs = [row for row, own in zip(rows, words, strict=True) if "dog" in own]
    others = [row for row, own in zip(rows, words, strict=True) if not own & {"dog", "puppi", "anim", "hors", "bird"}]

    def vectors(some: list[dict[str, str]]) -> Vectors:
        found = encoder.encode_pictures([pixels_of(row["image"]) for row in some])
        return np.stack([encoder.as_query(vector) for vector in found])

    return "photos of dogs", vectors(dogs), vectors(spread(others, STRANGERS))


def main() -> None:
    """Print both tables."""
    from sklearn.neighbors import LocalOutlierFactor

    print(machine.description(), file=sys.stderr)
    rows = []
    for name, own, strangers in (*text_samples(), picture_sample()):
        vectors = np.concatenate([own, strangers])
        strange = np.arange(len(vectors)) >= len(own)
        found = belonging(vectors)
        first = np.argsort(-found.spreads)[: len(strangers)]
        lof = LocalOutlierFactor(n_neighbors=20, metric="cosine").fit(vectors)
        middle = vectors.mean(axis=0)
        rows.append(
            (
                f"{len(own)} {name}",
                len(strangers),
                f"{auroc(found.spreads, strange):.3f}",
                f"{strange[first].mean():.0%}",
                f"{auroc(-lof.negative_outlier_factor_, strange):.3f}",
                f"{auroc(-(vectors @ middle), strange):.3f}",
            )
        )
    header = ("among", "strangers", "AUROC", "of the first as many, strangers", "LOF", "distance to the middle")
    print(machine.table(header, rows))
    vectors = np.random.default_rng(0).normal(size=(MANY, 384)).astype(np.float32)
    vectors += 2 * np.repeat(vectors[: MANY // 100], 100, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for what, run in (("outliers", lambda: belonging(vectors)), ("pairs by meaning", lambda: pairs(vectors, 0.95))):
        started = time.process_time()
        run()
        print(f"\n{what} of {MANY:,} vectors: {time.process_time() - started:.1f} s of processor time")


if __name__ == "__main__":
    main()
