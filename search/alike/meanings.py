"""Texts that mean the same, by the vectors of a text space: what `search.alike.duplicates` makes groups of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.types import Ids, Vectors

# Cosines from which two sentences say the same, and so as alike as `SAME`: at the best F1 over the train split of the
# STS benchmark, of pairs that people gave 4 or 5 of 5 (`benchmarks/paraphrases.py`).
PARAPHRASES: Mapping[str, float] = {"all-MiniLM-L6-v2": 0.8, "multilingual-e5-small": 0.8}
SAME = 0.8


@dataclass(frozen=True, slots=True)
class Meanings:
    """The (n, d) unit vectors of documents, and the cosine from which two of them say the same."""

    vectors: Vectors
    paraphrase: float

    def __len__(self) -> int:
        return len(self.vectors)

    def least(self, alike: float) -> float:
        """Return the cosine of documents that are so alike."""
        return 1 - (1 - alike) * (1 - self.paraphrase) / (1 - SAME)

    def equal(self) -> NDArray[np.uint64]:
        """Return numbers that are all different: by what they mean nobody can tell whether texts are the same."""
        return np.arange(len(self.vectors), dtype=np.uint64)

    def keys(self, of: Ids) -> Iterator[NDArray[np.uint64]]:
        """Yield nothing: pairs are found by `search.alike.neighbours`."""
        yield from ()

    def alike(self, ones: Ids, others: Ids) -> NDArray[np.float32]:
        """Return how alike (m,) documents are to (m,) others, 0..1."""
        cosines = np.einsum("ij,ij->i", self.vectors[ones], self.vectors[others])
        return np.asarray(np.clip(1 - (1 - cosines) * (1 - SAME) / (1 - self.paraphrase), 0, 1), np.float32)
