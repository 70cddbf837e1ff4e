"""As many vectors as one likes that lie as real ones do: drawn around real ones, each among its nearest neighbours.

A new vector is v = a + s * sum_j g_j (b_j - m) / sqrt(16), of unit length: `a` a real vector at random, b_1 to b_16 its
nearest neighbours, m their mean, g_j standard normal. So it varies as the neighbours of `a` do, in those directions and
so far. `s` shrinks as the set grows, as distances between neighbours do: (real / drawn) ** (1 / intrinsic dimension).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus
from quarry.search.types import Vectors

NEIGHBOURS = 16
CHUNK = 1 << 14
_EMBEDDED = 2_000  # texts at once, each kept in a file: what was interrupted goes on


def real(folder: Path, most: int = 100_000) -> Vectors:
    """Return the default model's vectors of abstracts, captions and questions, shuffled; kept in the folder."""
    texts = list(corpus.short_passages())
    np.random.default_rng(0).shuffle(texts)
    folder.mkdir(parents=True, exist_ok=True)
    encoder = None
    parts = []
    for start in range(0, min(most, len(texts)), _EMBEDDED):
        path = folder / f"{start:07}.npy"
        if not path.exists():
            encoder = encoder or _encoder()
            np.save(path, encoder.encode_documents(texts[start : start + _EMBEDDED]).astype(np.float16))
        parts.append(np.load(path))
    vectors = np.concatenate(parts)
    kept = np.sort(np.unique(vectors, axis=0, return_index=True)[1])
    return vectors[kept].astype(np.float32)


def queries(folder: Path, count: int) -> Vectors:
    """Return the vectors of questions that people asked, none of which is among the passages."""
    path = folder / "queries.npy"
    if not path.exists():
        np.save(path, _encoder().encode_queries(corpus.queries() + corpus.questions(1_000)))
    found: Vectors = np.load(path).astype(np.float32)
    return found[np.random.default_rng(0).permutation(len(found))[:count]]


def _encoder():  # type: ignore[no-untyped-def]
    from quarry.search.models.loading import load_text_encoder

    return load_text_encoder("all-MiniLM-L6-v2", prepare=True)


class Cloud:
    """Real vectors and what is drawn around them.

    Args:
        vectors: (n, d) unit vectors, all different.
    """

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        scores, found = index.search(vectors, NEIGHBOURS + 1)
        self._neighbours = found[:, 1:]
        self.dimension = intrinsic_dimension(scores[:, 1:])

    def chunks(self, count: int) -> Iterator[NDArray[np.float16]]:
        """Yield (c, d) vectors, `count` in all: the real ones first, then drawn ones; the same ones each time."""
        spread = (len(self.vectors) / max(count, len(self.vectors))) ** (1 / self.dimension)
        left = count
        for number, start in enumerate(range(0, count, CHUNK)):
            size = min(CHUNK, left)
            left -= size
            if start + size <= len(self.vectors):
                yield self.vectors[start : start + size].astype(np.float16)
            else:
                yield self.drawn(size, np.random.default_rng(number), spread)

    def drawn(self, count: int, rng: np.random.Generator, spread: float) -> NDArray[np.float16]:
        """Return (count, d) new vectors."""
        vectors = np.empty((count, self.vectors.shape[1]), np.float16)
        for start in range(0, count, 2_048):  # what lies in the processor's cache is added up quickest
            size = min(2_048, count - start)
            around = rng.integers(0, len(self.vectors), size)
            weights = rng.standard_normal((size, NEIGHBOURS), np.float32) / np.float32(NEIGHBOURS**0.5)
            weights -= weights.mean(axis=1, keepdims=True)  # the same as taking their mean from the neighbours
            near = self.vectors[self._neighbours[around]]
            new = self.vectors[around] + np.float32(spread) * np.matmul(weights[:, None], near)[:, 0]
            vectors[start : start + size] = new / np.linalg.norm(new, axis=1, keepdims=True)
        return vectors


def intrinsic_dimension(scores: NDArray[np.float32]) -> float:
    """Return the dimension that distances to the nearest neighbours speak of (Levina and Bickel 2004).

    Args:
        scores: (n, k) inner products of unit vectors with their k nearest, best first.
    """
    distances = np.sqrt(np.maximum(2 - 2 * scores.astype(np.float64), 1e-9))
    inverse = np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)
    return float(1 / inverse.mean())  # averaged as MacKay and Ghahramani (2005) do
