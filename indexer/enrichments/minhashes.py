"""What copies of a text are told by: MinHash values of its shingles, by rensa.

Shingles are all runs of eight characters, so that no language needs its words told apart. Case, white space and
punctuation do not count: what one program writes as a PDF and another as a web page is the same text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quarry.indexer.enrichments.base import Enrichment, Result
from quarry.search.alike.sketches import IDENTITIES, MINIMA, written
from quarry.search.language.texts import folded

# Two texts of 100,000 characters that have nothing to do with each other share 40% of the runs of five characters, and
# 10% of those of eight.
SHINGLE = 8
_PORTION = 1 << 20  # characters that are looked at together; a text may be a gigabyte
_SEED = 1
_BETWEEN = re.compile(r"[\W_]+")


class MinHashes(Enrichment):
    """Keeps the sketch of each text; of one without a letter or digit, nothing."""

    name = "minhashes"

    identity = IDENTITIES["text"]

    def enrich(self, items: Sequence[str]) -> list[Result]:
        """Sketch texts, those of a batch in one call."""
        shingled = [_shingles(text[:_PORTION]) for text in items]
        told = iter(_minima([own for own in shingled if len(own)]))
        minima = [next(told) if len(own) else None for own in shingled]
        return [
            Result(sketch=written(_sketch(text, _of_rest(text, own)))) if own is not None else Result()
            for text, own in zip(items, minima, strict=True)
        ]


def _sketch(text: str, minima: NDArray[np.uint32]) -> bytes:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return digest + (minima & 0xFFFF).astype("<u2").tobytes()


def _of_rest(text: str, minima: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the minima of a text of whose first portion they are known: the least of those of all its portions."""
    for start in range(_PORTION, len(text), _PORTION):
        for own in _minima([_shingles(text[start - 2 * SHINGLE : start + _PORTION])]):
            minima = np.minimum(minima, own)
    return minima


def _minima(shingled: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint32]:
    """Return the (n, MINIMA) minima of the shingles of n texts."""
    import rensa

    if not shingled:
        return np.empty((0, MINIMA), np.uint32)
    ends = np.cumsum([0, *map(len, shingled)], dtype=np.uint64)
    digests = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        np.concatenate(shingled), ends, num_perm=MINIMA, seed=_SEED
    )
    return np.array(digests.to_rows(), np.uint32)


def _shingles(text: str) -> NDArray[np.uint64]:
    """Return the hashes of the shingles of a text; of one that is shorter than a shingle, that of all of it."""
    plain = _BETWEEN.sub(" ", folded(text)).strip()
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    length = min(SHINGLE, len(codes))
    hashes = np.zeros(len(codes) - length + 1 if length else 0, np.uint64)
    for start in range(length):
        hashes *= np.uint64(0x100000001B3)
        hashes += codes[start : start + len(hashes)]
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(32)
    return hashes
