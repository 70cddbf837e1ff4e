"""Sketches: what is kept of a document to tell copies of it by, some hundred bytes however long it is.

Of a text these are MinHash values (Broder 1997, "On the resemblance and containment of documents"): of two texts as
many are equal, by expectation, as they share of the runs of eight characters that either has. Of a picture they are a
perceptual hash, the signs of its lowest frequencies, its brightness at 32 by 32 points, and its colours at 4 by 4.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.types import LOOK, Ids, Kind

MINIMA = 128  # of a text: an estimate is off by 3% or less, two times in three
GREYS, COLOURS = LOOK * LOOK, 4 * 4 * 3  # bytes
TEXT_BYTES = 8 + 2 * MINIMA  # the digest of the text itself, and 16 bits of each of the minima
PICTURE_BYTES = 8 + GREYS + COLOURS  # the perceptual hash, brightness, colours
IDENTITIES: Mapping[Kind, str] = {"text": "minhashes 1, rensa 2", "image": "looks 2"}  # of what makes them
_BANDS = 16  # of eight minima each: of texts that share 0.8, 95 in 100 have one in common, of 0.9 all
_PARTS = 6  # of a perceptual hash, of which any two make a key: four bits that differ leave two as they are
_FAR = 16.0  # levels by which the colours of pictures differ that are not alike at all
_PLAIN = 4.0  # levels of contrast, below which a picture counts as plain
# Differences of contrast that are none at all any more: copies differ by 0.01 to 0.06 of their contrast, two invoices
# on the paper of one sender by 0.08 or more, scans of two pages by 0.44 or more.
_OTHER = 0.4
_BLOCK = 4_096  # pairs that are compared at once


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
    """Those of pictures: (n,) perceptual hashes, (n, GREYS) and (n, COLOURS) levels, (n,) contrasts of the greys."""

    hashes: NDArray[np.uint64]
    greys: NDArray[np.uint8]
    colours: NDArray[np.uint8]
    contrasts: NDArray[np.float32]

    @classmethod
    def of(cls, written: Sequence[str]) -> PictureSketches:
        """Read sketches as they are stored; one that is no sketch is like no other."""
        table = _table(written, PICTURE_BYTES)
        greys = np.ascontiguousarray(table[:, 8 : 8 + GREYS])
        contrasts = np.empty(len(greys), np.float32)
        for start in range(0, len(greys), _BLOCK):
            contrasts[start : start + _BLOCK] = _spread(greys[start : start + _BLOCK])
        return cls(table[:, :8].copy().view("<u8")[:, 0], greys, table[:, 8 + GREYS :], contrasts)

    def __len__(self) -> int:
        return len(self.hashes)

    def equal(self) -> NDArray[np.uint64]:
        """Return a digest of each whole sketch."""
        levels = np.concatenate([self.greys, self.colours], axis=1)
        return _mixed(np.concatenate([self.hashes[:, None], levels.view("<u8")], axis=1))

    def keys(self, of: Ids) -> Iterator[NDArray[np.uint64]]:
        """Yield a key for any two parts of the hash."""
        bits = np.unpackbits(self.hashes[of][:, None].view(np.uint8), axis=1)
        parts = [np.packbits(part, axis=1) for part in np.array_split(bits, _PARTS, axis=1)]
        for one in range(_PARTS):
            for other in range(one):
                yield _mixed(np.concatenate([parts[one], parts[other]], axis=1).astype(np.uint64))

    def alike(self, ones: Ids, others: Ids) -> NDArray[np.float32]:
        """Return how little their colours differ, and their brightness, however bright they are as a whole.

        Colours alone would take one page of a scan for another, brightness alone a white sheet for a black one.
        """
        found = np.zeros(len(ones), np.float32)
        for start in range(0, len(ones), _BLOCK):
            one, other = ones[start : start + _BLOCK], others[start : start + _BLOCK]
            near = 1 - _apart(self.colours[one], self.colours[other]) / _FAR
            likely = np.flatnonzero(near > 0)
            one, other = one[likely], other[likely]
            contrast = np.maximum(np.maximum(self.contrasts[one], self.contrasts[other]), _PLAIN)
            apart = _spread(self.greys[one].astype(np.int16) - self.greys[other])
            near[likely] = np.minimum(near[likely], 1 - apart / contrast / _OTHER)
            found[start : start + _BLOCK] = near
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


def _spread(levels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the standard deviation of each row of (m, k) levels: a third of the time that NumPy's takes."""
    exact = levels.astype(np.float32)
    mean = exact.mean(axis=1)
    variance = np.einsum("ij,ij->i", exact, exact) / exact.shape[1] - mean * mean
    return np.asarray(np.sqrt(np.maximum(variance, 0)), np.float32)


def _apart(ones: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float32]:
    """Return the root mean squares of what (m, k) levels differ by."""
    return np.asarray(np.sqrt(np.square(ones.astype(np.float32) - others).mean(axis=1)), np.float32)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return one number for each row of (n, k) words."""
    mixed = np.full(len(words), 0x9E3779B97F4A7C15, np.uint64)
    for column in words.T:
        mixed = (mixed ^ column) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(31)
    return mixed
