"""What passages with the same boilerplate have in common in a vector space, taken from their vectors.

A text model's vector is about the mean of what its words say. So of passages in one frame, a licence or the navigation
of a site, each has the frame's share in its vector, and their middle, less that of all passages, shows it: what is
common to a group is noise to whoever looks within it (Arora et al. 2017, "A simple but tough-to-beat baseline for
sentence embeddings", take a common component from all vectors; here each frame has its own). Nothing is embedded anew.
"""

from __future__ import annotations

import numpy as np

from quarry.search.alike.boilerplate import OFTEN, Boilerplate
from quarry.search.engines.base import VectorView
from quarry.search.stores.catalog import Snapshot
from quarry.search.stores.rows import boilerplate as rows
from quarry.search.stores.spaces import Space
from quarry.search.types import WORDS, Ids, Vectors

TAKEN = 0.75  # of what a frame adds to its passages: own words of a kind of document are common to it, too
_LOOKED_AT = 64  # passages of a frame, or of all


class Frames:
    """The frames of one space; what each adds is looked up when the first of its passages is found."""

    def __init__(self, boilerplate: Boilerplate) -> None:
        self._boilerplate = boilerplate
        self._usual: Vectors | None = None
        self._added: dict[int, Vectors] = {}

    def without(self, ids: Ids, stored: Vectors, vectors: VectorView) -> Vectors:
        """Return (n, d) stored vectors of passages without what their frames add, of length 1; zeros stay."""
        frames = self._boilerplate.frame_of(ids)
        if not frames.any():
            return stored
        each, place = np.unique(frames, return_inverse=True)
        nothing = np.zeros(stored.shape[1], np.float32)
        added = np.stack([self._of(frame, vectors) if frame else nothing for frame in each.tolist()])[place]
        left = stored - np.float32(TAKEN) * added
        length = np.sqrt(np.einsum("ij,ij->i", left, left))
        moved = np.any(added, axis=1, keepdims=True) & np.any(stored, axis=1, keepdims=True)
        return np.where(moved, left / np.maximum(length, np.float32(1e-12))[:, None], stored)

    def _of(self, frame: int, vectors: VectorView) -> Vectors:
        """Return the (d,) vector that a frame adds; zeros where too few passages are in it."""
        if frame not in self._added:
            if self._usual is None:
                some = vectors.sample(_LOOKED_AT)  # none where all passages are in the space beside
                self._usual = some.sum(axis=0) / np.float32(max(len(some), 1))
            held = vectors.vectors(self._boilerplate.in_frame(frame)[:_LOOKED_AT])
            held = held[held.any(axis=1)]
            is_enough = len(held) >= OFTEN
            self._added[frame] = held.mean(axis=0) - self._usual if is_enough else np.zeros_like(self._usual)
        return self._added[frame]


class KnownBoilerplate:
    """The boilerplate of a library and its frames in each space, read and worked out once for what was told once."""

    def __init__(self) -> None:
        self._known = ("", Boilerplate.none())
        self._frames: dict[str, tuple[str, Frames]] = {}  # by the name of the space

    def of(self, snapshot: Snapshot) -> Boilerplate:
        """Return what is told at a generation."""
        return self._at(snapshot)[1]

    def frames(self, snapshot: Snapshot, space: Space | None) -> Frames | None:
        """Return what it adds to the vectors of a space; None where it adds nothing."""
        stamp, found = self._at(snapshot)
        if space is None or space.medium != WORDS or not len(found.apart):
            return None
        stamp = f"{stamp} {space.id} {space.activation}"
        known = self._frames.get(space.name)
        if known is None or known[0] != stamp:
            self._frames[space.name] = known = (stamp, Frames(found))
        return known[1]

    def _at(self, snapshot: Snapshot) -> tuple[str, Boilerplate]:
        stamp, known = rows.stamp(snapshot.connection), self._known
        if known[0] != stamp:
            self._known = known = (stamp, rows.read(snapshot.connection).found)
        return known
