"""Reliability diagrams: of the hits that are given a relevance, how many are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

BINS = 10
FEWEST = 20  # hits, below which a share says nothing
_SIZE, _MARGIN, _GAP = 380, 60, 40  # pixels
_SCALE = 2  # is drawn so many times larger, and made smaller for smooth lines
_BLUE, _GREY = (40, 90, 200), (150, 150, 150)

Points = Sequence[tuple[float, float, int]]


def points(relevance: NDArray[np.float64], right: NDArray[np.bool_]) -> Points:
    """Return (mean relevance, share that is right, count) of hits in bins of a tenth."""
    bins = np.minimum((relevance * BINS).astype(int), BINS - 1)
    return [
        (float(relevance[chosen].mean()), float(right[chosen].mean()), int(chosen.sum()))
        for number in range(BINS)
        if (chosen := bins == number).sum() >= FEWEST
    ]


def draw(series: Mapping[str, Points], path: Path) -> None:
    """Draw a diagram of each, side by side: on the dashed line relevance is what it says."""
    width = len(series) * (_SIZE + _MARGIN) + (len(series) - 1) * _GAP + _GAP
    image = Image.new("RGB", (width * _SCALE, (_SIZE + 2 * _MARGIN) * _SCALE), "white")
    canvas = ImageDraw.Draw(image)
    for number, (name, found) in enumerate(series.items()):
        _draw_one(canvas, name, found, _MARGIN + number * (_SIZE + _MARGIN + _GAP))
    image.resize((width, _SIZE + 2 * _MARGIN), Image.Resampling.LANCZOS).save(path, optimize=True)


def _draw_one(canvas: ImageDraw.ImageDraw, name: str, found: Points, left: int) -> None:
    font = ImageFont.load_default(13 * _SCALE)

    def at(x: float, y: float) -> tuple[float, float]:
        return (left + x * _SIZE) * _SCALE, (_MARGIN + (1 - y) * _SIZE) * _SCALE

    canvas.rectangle((*at(0, 1), *at(1, 0)), outline=_GREY, width=_SCALE)
    for step in range(50):
        canvas.line((*at(step / 50, step / 50), *at((step + 0.5) / 50, (step + 0.5) / 50)), fill=_GREY, width=_SCALE)
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        canvas.text(at(tick, -0.02), f"{tick:g}", fill="black", font=font, anchor="ma")
        canvas.text(at(-0.02, tick), f"{tick:g}", fill="black", font=font, anchor="rm")
    canvas.text(at(0.5, 1.04), f"{name}: share that is right, by relevance", fill="black", font=font, anchor="ms")
    canvas.line([at(x, y) for x, y, _ in found], fill=_BLUE, width=2 * _SCALE)
    for x, y, count in found:
        (across, down), size = at(x, y), (2 + np.log10(count)) * _SCALE
        canvas.ellipse((across - size, down - size, across + size, down + size), fill=_BLUE)
        canvas.text((across + 8 * _SCALE, down + 4 * _SCALE), f"{count:,}", fill=_GREY, font=font, anchor="la")
