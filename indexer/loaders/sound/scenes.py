"""Where the scene of a film changes: frames that look unlike the last one that was taken."""

from __future__ import annotations

from typing import Any

import numpy as np

SIDE = 32  # pixels of what is compared
_CHANGED = 22.0  # mean difference of its values, of 255: within a scene they are below, but for fades
_BLANK = 4.0  # standard deviation of a frame's values, of 255, below which it shows nothing
_NEAREST_S = 1.0  # between two scenes
MOST = 500


class Scenes:
    """Takes frames in their order, and notes those that begin a scene."""

    def __init__(self) -> None:
        self._last: Any = None
        self._starts: list[float] = []

    def look(self, at: float, frame: Any) -> None:
        """Take a frame.

        Args:
            at: seconds from the beginning.
            frame: an `av.VideoFrame`.
        """
        if self._starts and at < self._starts[-1] + _NEAREST_S:
            return
        small = frame.reformat(width=SIDE, height=SIDE, format="rgb24").to_ndarray().astype(np.float32)
        if small.std() < _BLANK:
            return
        if self._last is None or float(np.abs(small - self._last).mean()) >= _CHANGED:
            self._last = small
            self._starts.append(max(0.0, at))

    def starts(self, seconds: float) -> list[float]:
        """Return the seconds at which scenes begin, at most `MOST`, evenly over a film of this length."""
        if len(self._starts) <= MOST:
            return self._starts
        apart = seconds / MOST
        kept: list[float] = []
        for start in self._starts:
            if not kept or start >= kept[-1] + apart:
                kept.append(start)
        return kept[:MOST]
