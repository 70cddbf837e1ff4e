"""Where the scene of a film changes: frames that look unlike the last one that was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from quarry.search.types import Pixels

SIDE = 32  # pixels of what is compared
MOST = 500
_CHANGED = 22.0  # mean difference of its values, of 255: within a scene they are below, but for fades
_BLANK = 4.0  # standard deviation of a frame's values, of 255, below which it shows nothing
_NEAREST_S = 1.0  # between two scenes


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a scene begins.

    Args:
        start: seconds, of the first frame that was looked at in it.
        after: seconds of the last one that was looked at before it.
        before: the scene before it in a few pixels, None of the first.
    """

    start: float
    after: float
    before: Pixels | None


class Scenes:
    """Takes frames in their order, and notes those that begin a scene."""

    def __init__(self) -> None:
        self.found: list[Scene] = []
        self._last: Pixels | None = None
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
        small = _small(frame)
        if small.std() >= _BLANK and (self._last is None or changed(self._last, small)):
            self.found.append(Scene(max(0.0, at), looked, self._last))
            self._last = small

    def kept(self, seconds: float) -> list[Scene]:
        """Return scenes, at most `MOST`, evenly over a film of this length."""
        if len(self.found) <= MOST:
            return self.found
        kept: list[Scene] = []
        for scene in self.found:
            if not kept or scene.start >= kept[-1].start + seconds / MOST:
                kept.append(scene)
        return kept[:MOST]


def begins(scene: Scene, frame: Any) -> bool:
    """Whether a frame from before it was found is of the scene already."""
    small = _small(frame)
    return scene.before is not None and bool(small.std() >= _BLANK) and changed(scene.before, small)


def changed(before: Pixels, now: Pixels) -> bool:
    """Whether two frames in a few pixels are of different scenes."""
    return float(np.abs(before.astype(np.float32) - now).mean()) >= _CHANGED


def _small(frame: Any) -> Pixels:
    small: Pixels = frame.reformat(width=SIDE, height=SIDE, format="rgb24").to_ndarray()
    return small
