"""Where the scene of a film changes: frames that look unlike the last one that was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from quarry.search.types import Pixels

SIDE = 32  # pixels of what is compared
MOST = 500
_CHANGED = 22.0  # mean difference of values, of 255, between the first frame of a scene and one of another
_CUT = 12.0  # and to the frame before, with less of which the camera only moves
_MOVING_S = 10.0  # for which it does, before there is something else to be seen
_BLANK = 4.0  # standard deviation of a frame's values, of 255, below which it shows nothing
_NEAREST_S = 1.0  # between two scenes


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a scene begins.

    Args:
        start: seconds, of the first frame that was looked at in it.
        after: seconds of the last one that was looked at before it.
    """

    start: float
    after: float


class Scenes:
    """Takes frames in their order, and notes those that begin a scene."""

    def __init__(self) -> None:
        self.found: list[Scene] = []
        self._kept: Pixels | None = None  # the first frame of the scene, in a few pixels
        self._seen: Pixels | None = None  # the last one that was looked at
        self._looked = 0.0

    def look(self, at: float, frame: Any) -> None:
        """Take a frame.

        Args:
            at: seconds from the beginning.
            frame: an `av.VideoFrame`.
        """
        looked, self._looked = self._looked, at
        if self.found and at < self.found[-1].start + _NEAREST_S:
            return
        small = few_pixels(frame)
        seen, self._seen = self._seen, small
        if small.std() < _BLANK:
            return
        if self._kept is not None and seen is not None:
            if difference(self._kept, small) < _CHANGED:
                return
            if difference(seen, small) < _CUT and at < self.found[-1].start + _MOVING_S:
                return
        self.found.append(Scene(max(0.0, at), looked))
        self._kept = small

    def kept(self, seconds: float) -> list[Scene]:
        """Return scenes, at most `MOST`, evenly over a film of this length."""
        if len(self.found) <= MOST:
            return self.found
        kept: list[Scene] = []
        for scene in self.found:
            if not kept or scene.start >= kept[-1].start + seconds / MOST:
                kept.append(scene)
        return kept[:MOST]


def difference(before: Pixels, now: Pixels) -> float:
    """Return how unlike two frames in a few pixels are, 0..255."""
    return float(np.abs(before.astype(np.float32) - now).mean())


def few_pixels(frame: Any) -> Pixels:
    """Return an `av.VideoFrame` as it is compared."""
    small: Pixels = frame.reformat(width=SIDE, height=SIDE, format="rgb24").to_ndarray()
    return small
