"""Vectors in fewer dimensions: those in which they differ most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quarry.search.types import Vectors


def principal(vectors: Vectors, dimensions: int) -> Vectors:
    """Return (n, k) principal components of (n, d) vectors, k at most `dimensions`, d and n - 1, 1 at least.

    The same vectors always have the same ones: a direction's largest share is positive.
    """
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    kept = max(1, min(dimensions, vectors.shape[1], len(vectors) - 1))
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))  # ascending
    directions = directions[:, : -kept - 1 : -1]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, np.arange(kept)] < 0, -1.0, 1.0)
    components: Vectors = centred @ directions.astype(np.float32)
    return components


def quantized(vectors: Vectors) -> tuple[NDArray[np.int8], float]:
    """Return vectors as whole numbers of -127 to 127, and what one of them is worth."""
    scale = float(np.abs(vectors).max(initial=0.0)) / 127 or 1.0
    return np.rint(vectors / scale).astype(np.int8), scale
