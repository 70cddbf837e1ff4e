"""Masks -> outlines: polygons of a few points around each part of a picture that belongs together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.values.places import Box

_SIDE = 96  # of the grid that outlines are drawn along
_POINTS = 24  # of an outline, at most
_SMALLEST = 0.002  # of the picture: what is smaller is no part of its own
_MOST = 5  # parts of a mask, the largest

Points = NDArray[np.float64]  # (n, 2) of x and y
Mask = NDArray[np.bool_]  # (height, width)


@dataclass(frozen=True, slots=True)
class Outline:
    """A part of a picture: its points, x and y in turn, as shares (0..1) of width and height, and its share of it."""

    points: tuple[float, ...]
    share: float

    @property
    def box(self) -> Box:
        """The box around it."""
        across, down = self.points[::2], self.points[1::2]
        return min(across), min(down), max(across), max(down)


def outlines(mask: Mask) -> list[Outline]:
    """Return the outlines of the parts of a mask, the largest first; holes in them are not told."""
    grid = _small(mask)
    height, width = grid.shape
    found = []
    for loop in _loops(grid):
        share = _area(loop) / grid.size
        if share >= _SMALLEST:
            points = _simple(loop) / [width, height]
            found.append(Outline(tuple(round(float(one), 4) for one in points.ravel()), round(share, 4)))
    return sorted(found, key=lambda one: -one.share)[:_MOST]


def _small(mask: Mask) -> Mask:
    """Return a mask no larger than the grid: what it holds for the most part of each field."""
    from PIL import Image

    height, width = mask.shape
    scale = _SIDE / max(height, width)
    if scale >= 1:
        return mask
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) >= 128


def _loops(grid: Mask) -> Iterator[Points]:
    """Yield the borders between what a grid holds and what not, each a closed loop that has it on its right."""
    framed = np.pad(grid, 1)
    ends: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for dy, dx, start, end in (
        (-1, 0, (0, 0), (1, 0)),
        (0, 1, (1, 0), (1, 1)),
        (1, 0, (1, 1), (0, 1)),
        (0, -1, (0, 1), (0, 0)),
    ):
        beside = framed[1 + dy : 1 + dy + grid.shape[0], 1 + dx : 1 + dx + grid.shape[1]]
        for y, x in np.argwhere(grid & ~beside).tolist():
            ends.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    while ends:
        first = point = next(iter(ends))
        loop, before = [], (0, 0)
        while True:
            loop.append(point)
            following = ends[point]
            # Where four fields meet of which two lie across, one turns right: they are two parts.
            turns = [before[0] * (y - point[1]) - before[1] * (x - point[0]) for x, y in following]
            after = following.pop(turns.index(max(turns)))
            if not following:
                del ends[point]
            before, point = (after[0] - point[0], after[1] - point[1]), after
            if point == first:
                break
        yield np.array(loop, np.float64)


def _area(loop: Points) -> float:
    """Return the area of a loop that goes clockwise, as y goes down; that of a hole is negative."""
    after = np.roll(loop, -1, 0)
    return float((loop[:, 0] * after[:, 1] - after[:, 0] * loop[:, 1]).sum() / 2)


def _simple(loop: Points) -> Points:
    """Return a loop of fewer points that lie near it (Douglas and Peucker 1973)."""
    furthest = int(((loop - loop[0]) ** 2).sum(1).argmax())
    halves = loop[: furthest + 1], np.vstack([loop[furthest:], loop[:1]])
    tolerance = min(0.75, _area(loop) ** 0.5 / 8)  # fields: a slanting line is one, and a small part keeps its corners
    while True:
        found = np.vstack([_line(half, tolerance)[:-1] for half in halves])
        if len(found) <= _POINTS:
            break
        tolerance *= 1.5
    if len(found) > 2:
        return found
    (left, top), (right, bottom) = loop.min(0), loop.max(0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _line(points: Points, tolerance: float) -> Points:
    if len(points) < 3:
        return points
    start, along = points[0], points[-1] - points[0]
    length = float(np.hypot(*along))
    apart = points - start
    off = np.abs(along[0] * apart[:, 1] - along[1] * apart[:, 0]) / length if length else np.hypot(*apart.T)
    middle = int(off.argmax())
    if off[middle] <= tolerance:
        return points[[0, -1]]
    return np.vstack([_line(points[: middle + 1], tolerance)[:-1], _line(points[middle:], tolerance)])
