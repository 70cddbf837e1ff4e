"""As many vectors as one likes that lie as real ones do: drawn around real ones, each among its nearest neighbours.

A new vector is v = a + s * sum_j g_j (b_j - m) / sqrt(4), of unit length: `a` a real vector at random, b_1 to b_4 four
of its 16 nearest neighbours at random, m their mean, g_j standard normal. So it varies as the neighbours of `a` do, in
those directions and so far. `s` shrinks as the set grows, as distances between neighbours do:
(real / all) ** (1 / intrinsic dimension).

    python -m benchmarks.drawn_vectors FOLDER

compares a set that is real with one of which half is drawn around the other half: the intrinsic dimension, how near the
tenth neighbour of a query is, and the recall of inverted lists by the share of the lists that is looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus, machine
from quarry.search.engines.faiss.lists import Lists
from quarry.search.types import Vectors

REAL = 48_000
NEIGHBOURS, MIXED = 16, 4
CHUNK = 1 << 14
SHARES = (0.02, 0.04, 0.08, 0.16)
_EMBEDDED = 2_000  # texts at once, each kept in a file: what was interrupted goes on


def real(folder: Path, most: int = REAL) -> Vectors:
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
        kept: where their neighbours are kept, which take a minute to find.
    """

    def __init__(self, vectors: Vectors, kept: Path) -> None:
        self.vectors = vectors
        if not kept.exists():
            scores, neighbours = nearest(vectors, vectors, NEIGHBOURS + 1)
            np.savez(kept, neighbours=neighbours[:, 1:], dimension=intrinsic_dimension(scores[:, 1:]))
        with np.load(kept) as stored:
            self._neighbours, self.dimension = stored["neighbours"], float(stored["dimension"])

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
            weights = rng.standard_normal((size, MIXED), np.float32) * np.float32(spread / MIXED**0.5)
            weights -= weights.mean(axis=1, keepdims=True)  # the same as taking their mean from the neighbours
            near = np.take_along_axis(self._neighbours[around], rng.integers(0, NEIGHBOURS, (size, MIXED)), axis=1)
            new = self.vectors[around]
            for column in range(MIXED):
                new += weights[:, column, None] * self.vectors[near[:, column]]
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


def nearest(vectors: Vectors, asked: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Return the (n, k) best scores and the vectors that have them."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    scores, found = index.search(asked, k)
    return scores, found


def main(folder: str) -> None:
    """Print the comparison."""
    kept = Path(folder, "real")
    both = real(kept, 2 * REAL)
    cloud = Cloud(both[: len(both) // 2], Path(folder, "half.npz"))
    mixed = np.concatenate(list(cloud.chunks(len(both)))).astype(np.float32)
    asked = queries(kept, 500)
    rows = []
    for name, vectors in (("real", both), ("half of them drawn", mixed)):
        scores, _ = nearest(vectors, vectors[::20], NEIGHBOURS + 1)
        best, _ = nearest(vectors, asked, 10)
        index = Lists.build(vectors.astype(np.float16)).index
        recalled = []
        for share in SHARES:
            index.nprobe = round(share * index.nlist)
            _, found = index.search(asked, 100)
            right = [
                (vectors[one[one >= 0]] @ query >= tenth - 1e-6).sum()
                for one, query, tenth in zip(found, asked, best[:, -1], strict=True)
            ]
            recalled.append(f"{np.minimum(right, 10).mean() / 10:.3f}")
        dimension = intrinsic_dimension(scores[:, 1:])
        rows.append((name, f"{dimension:.1f}", f"{best[:, -1].mean():.3f}", *recalled))
    print(f"{len(both):,} vectors; {machine.description()}\n")
    print(machine.table(("", "dimension", "tenth neighbour", *(f"recall@10 at {one:.0%}" for one in SHARES)), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
