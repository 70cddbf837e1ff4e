"""Boilerplate: what stands in many documents of a library that have little else in common, such as a licence, the
navigation of a site or what ends each mail.

A passage that holds some beside words of its own is found by its own: the words of the boilerplate hardly count in the
lexical index (`search.lexical.rows`), and its vector is moved away from what all passages with that boilerplate
have in common (`search.frames`). One that holds little else keeps its words and its vector, and counts for less.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quarry.search.alike.fingerprints import Fingerprints, apart, fingerprints
from quarry.search.types import Ids

OFTEN = 10  # documents; what stands in fewer is none
LEAST = 0.2  # the share of a passage below which it is none that counts
WHOLE = 0.8  # the share from which a passage holds little else
FEWEST = 3  # fingerprints, about 100 characters: less of it is a phrase of the trade

Shares = NDArray[np.float32]


@dataclass(frozen=True)
class Boilerplate:
    """What of a library is boilerplate, and which of its passages hold some.

    Args:
        prints: (m,) fingerprints of it, ascending.
        documents: (m,) in how many documents each stands, copies counted once.
        ids: (n,) passages of which a share is boilerplate, ascending.
        shares: (n,) how much of each, 0..1.
        frames: (n,) the fingerprint of each that stands in most documents: those that have the same are of one frame.
    """

    prints: Fingerprints
    documents: NDArray[np.int32]
    ids: Ids
    shares: Shares
    frames: Fingerprints

    @classmethod
    def none(cls) -> Boilerplate:
        """Return that of a library without any."""
        empty, ids = np.empty(0, np.uint32), np.empty(0, np.int64)
        return cls(empty, np.empty(0, np.int32), ids, np.empty(0, np.float32), empty)

    def share_of(self, ids: Ids) -> Shares:
        """Return (n,) shares of passages, 0 of those that hold none."""
        return np.asarray(self._of(ids, self.shares, np.float32(0)), np.float32)

    def share(self, text: str) -> tuple[float, int]:
        """Return which share of a text is boilerplate, and its frame; 0 where it holds no more than a phrase of it."""
        own = fingerprints(text)
        known = np.isin(own, self.prints)
        if known.sum() < FEWEST:
            return 0.0, 0
        at = np.searchsorted(self.prints, np.unique(own[known]))
        return round(float(known.mean()), 2), int(self.prints[at[np.argmax(self.documents[at])]])

    def own(self, id: int, text: str) -> str:
        """Return by which of its words a passage is found: all, or those that are its own."""
        at = int(np.searchsorted(self.apart, id))
        return apart(text, self.prints) if at < len(self.apart) and self.apart[at] == id else text

    @cached_property
    def apart(self) -> Ids:
        """The passages that are found by their own words alone, ascending."""
        return self.ids[self.shares < WHOLE]

    def is_whole(self, ids: Ids) -> NDArray[np.bool_]:
        """Tell of (n,) passages whether they hold little else."""
        return self.share_of(ids) >= WHOLE

    def frame_of(self, ids: Ids) -> Fingerprints:
        """Return (n,) frames of passages that are found by their own words, 0 of others."""
        return np.asarray(self._of(ids, self._framed, np.uint32(0)), np.uint32)

    def in_frame(self, frame: int) -> Ids:
        """Return the passages of a frame that are found by their own words, ascending."""
        found: Ids = self.ids[self._framed == frame]
        return found

    @cached_property
    def _framed(self) -> Fingerprints:
        return np.where(np.isin(self.ids, self.apart), self.frames, np.uint32(0))

    def repeated_in(self, text: str) -> int:
        """Return in about how many documents the boilerplate of a text stands; 0 where it holds none."""
        found = np.isin(self.prints, fingerprints(text))
        return int(np.median(self.documents[found])) if found.any() else 0

    def _of(self, ids: Ids, values: NDArray[np.generic], none: np.generic) -> NDArray[np.generic]:
        if not len(self.ids):
            return np.full(len(ids), none)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[at] == ids, values[at], none)
