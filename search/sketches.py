"""Sketches: what is kept of a document to tell copies of it by, some hundred bytes however long it is.

Of a text these are MinHash values (Broder 1997, "On the resemblance and containment of documents"): of two texts as
many are equal, by expectation, as they share of the runs of eight characters that either has. Of a picture they are a
perceptual hash, the signs of its lowest frequencies, and its colours at 8 by 8 points.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.types import Ids

MINIMA = 128  # of a text: an estimate is off by 3% or less, two times in three
COLOURS = 8 * 8 * 3  # bytes
TEXT_BYTES = 8 + 2 * MINIMA  # the digest of the text itself, and 16 bits of each of the minima
PICTURE_BYTES = 8 + COLOURS  # the perceptual hash, and the colours
_BANDS = 16  # of eight minima each: of texts that share 0.8, 95 in 100 have one in common, of 0.9 all
_PARTS = 6  # of a perceptual hash, of which any two make a key: four bits that differ leave two as they are
_FAR = 64.0  # levels of colour by which pictures differ, root mean square, that have nothing to do with each other
_BLOCK = 16_384  # pairs that are compared at once


class Sketches(Protocol):
    """The sketches of n documents of one kind."""

    def __len__(self) -> int: ...

    def equal(self) -> NDArray[np.uint64]:
        """Return (n,) numbers that are equal for documents that are the same."""
        ...

    def keys(self, of: Ids) -> Iterator[NDArray[np.uint64]]:
        """Yield (m,) keys of some documents, again and again: those that are alike have some of them in common."""
        ...

    def alike(self, ones: Ids, others: Ids) -> NDArray[np.float32]:
        """Return how alike (m,) documents are to (m,) others, 0..1."""
        ...


@dataclass(frozen=True, slots=True)
class TextSketches:
    """Those of texts: (n,) digests and (n, MINIMA) minima."""

    digests: NDArray[np.uint64]
    minima: NDArray[np.uint16]

    @classmethod
    def of(cls, written: Sequence[str]) -> TextSketches:
        """Read sketches as they are stored; one that is no sketch is like no other."""
        table = _table(written, TEXT_BYTES)
        return cls(table[:, :8].copy().view("<u8")[:, 0], table[:, 8:].copy().view("<u2"))

    def __len__(self) -> int:
        return len(self.digests)

    def equal(self) -> NDArray[np.uint64]:
        """Return the digests."""
        return self.digests

    def keys(self, of: Ids) -> Iterator[NDArray[np.uint64]]:
        """Yield a key for each band of minima."""
        words = self.minima[of].reshape(len(of), _BANDS, -1)
        for band in range(_BANDS):
            yield _mixed(words[:, band].astype(np.uint64))

    def alike(self, ones: Ids, others: Ids) -> NDArray[np.float32]:
        """Estimate what they share of the shingles that either has."""
        found = np.empty(len(ones), np.float32)
        for start in range(0, len(ones), _BLOCK):
            block = slice(start, start + _BLOCK)
            found[block] = (self.minima[ones[block]] == self.minima[others[block]]).mean(axis=1)
        return found


@dataclass(frozen=True, slots=True)
class PictureSketches:
    """Those of pictures: (n,) perceptual hashes and (n, COLOURS) levels."""

    hashes: NDArray[np.uint64]
    colours: NDArray[np.uint8]

    @classmethod
    def of(cls, written: Sequence[str]) -> PictureSketches:
        """Read sketches as they are stored; one that is no sketch is like no other."""
        table = _table(written, PICTURE_BYTES)
        return cls(table[:, :8].copy().view("<u8")[:, 0], table[:, 8:])

    def __len__(self) -> int:
        return len(self.hashes)

    def equal(self) -> NDArray[np.uint64]:
        """Return a digest of each whole sketch."""
        words = np.concatenate([self.hashes[:, None], self.colours.copy().view("<u8")], axis=1)
        return _mixed(words)

    def keys(self, of: Ids) -> Iterator[NDArray[np.uint64]]:
        """Yield a key for any two parts of the hash."""
        bits = np.unpackbits(self.hashes[of][:, None].view(np.uint8), axis=1)
        parts = [np.packbits(part, axis=1) for part in np.array_split(bits, _PARTS, axis=1)]
        for one in range(_PARTS):
            for other in range(one):
                yield _mixed(np.concatenate([parts[one], parts[other]], axis=1).astype(np.uint64))

    def alike(self, ones: Ids, others: Ids) -> NDArray[np.float32]:
        """Return how little their colours differ."""
        found = np.empty(len(ones), np.float32)
        for start in range(0, len(ones), _BLOCK):
            block = slice(start, start + _BLOCK)
            apart = self.colours[ones[block]].astype(np.float32) - self.colours[others[block]]
            found[block] = 1 - np.sqrt(np.square(apart).mean(axis=1)) / _FAR
        return np.maximum(found, 0)


def written(sketch: bytes) -> str:
    """Return a sketch as it is stored."""
    return base64.b64encode(sketch).decode("ascii")


def _table(sketches: Sequence[str], size: int) -> NDArray[np.uint8]:
    """Return (n, size) bytes."""
    parts = []
    for place, text in enumerate(sketches):
        try:
            part = base64.b64decode(text)
        except ValueError:
            part = b""
        parts.append(part if len(part) == size else np.random.default_rng(place).bytes(size))
    return np.frombuffer(b"".join(parts), np.uint8).reshape(len(parts), size)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return one number for each row of (n, k) words."""
    mixed = np.full(len(words), 0x9E3779B97F4A7C15, np.uint64)
    for column in words.T:
        mixed = (mixed ^ column) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(31)
    return mixed
