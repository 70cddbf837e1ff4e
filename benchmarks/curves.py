"""Curves against a size on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIZE, _MARGIN, _GAP = 360, 64, 30  # pixels
_SCALE = 2  # is drawn so many times larger, and made smaller for smooth lines
_COLOURS = ((40, 90, 200), (200, 90, 20), (20, 140, 90))
_GREY, _PALE = (110, 110, 110), (225, 225, 225)

Series = Mapping[str, Sequence[tuple[float, float]]]


def draw(diagrams: Mapping[str, Series], path: Path, bounds: tuple[float, float] | None = None) -> None:
    """Draw a diagram for each title, side by side: named series of (size, value).

    Args:
        bounds: of a linear axis of values; a logarithmic one where there are none.
    """
    width = len(diagrams) * (_SIZE + _MARGIN) + len(diagrams) * _GAP + _MARGIN // 2  # half of the last number
    image = Image.new("RGB", (width * _SCALE, (_SIZE + 2 * _MARGIN) * _SCALE), "white")
    canvas = ImageDraw.Draw(image)
    names = sorted({name for series in diagrams.values() for name in series})
    colours = dict(zip(names, _COLOURS, strict=False))
    for number, (title, series) in enumerate(diagrams.items()):
        _draw_one(canvas, title, series, colours, _MARGIN + number * (_SIZE + _MARGIN + _GAP), bounds)
    image.resize((width, _SIZE + 2 * _MARGIN), Image.Resampling.LANCZOS).save(path, optimize=True)


def _draw_one(
    canvas: ImageDraw.ImageDraw,
    title: str,
    series: Series,
    colours: Mapping[str, tuple[int, int, int]],
    left: int,
    bounds: tuple[float, float] | None,
) -> None:
    font = ImageFont.load_default(13 * _SCALE)
    sizes = [np.log10(size) for points in series.values() for size, _ in points]
    values = [value for points in series.values() for _, value in points]
    first, last = np.floor(min(sizes)), np.ceil(max(sizes) - 1e-9)
    if bounds is None:
        low, high = np.floor(np.log10(min(values))), np.ceil(np.log10(max(values)))
        ticks = [10.0**power for power in np.arange(low, high + 1)]
    else:
        low, high = bounds
        ticks = list(np.linspace(low, high, 5))

    def at(size: float, value: float) -> tuple[float, float]:
        across = (np.log10(size) - first) / max(last - first, 1)
        up = ((value if bounds else np.log10(value)) - low) / max(high - low, 1e-9)
        return (left + across * _SIZE) * _SCALE, (_MARGIN + (1 - up) * _SIZE) * _SCALE

    for power in np.arange(first, last + 1):
        x, bottom = at(10.0**power, ticks[0])
        canvas.line((x, bottom, x, at(10.0**power, ticks[-1])[1]), fill=_PALE, width=_SCALE)
        canvas.text((x, bottom + 8 * _SCALE), f"{10**power:,.0f}", fill="black", font=font, anchor="ma")
    for tick in ticks:
        x, y = at(10.0**first, tick)
        canvas.line((x, y, at(10.0**last, tick)[0], y), fill=_PALE, width=_SCALE)
        canvas.text((x - 6 * _SCALE, y), f"{tick:,.4g}", fill="black", font=font, anchor="rm")
    canvas.text((left * _SCALE, (_MARGIN - 26) * _SCALE), title, fill="black", font=font, anchor="ls")
    offset = left * _SCALE
    for name, points in sorted(series.items()):
        canvas.line([at(*point) for point in points], fill=colours[name], width=2 * _SCALE)
        for point in points:
            x, y = at(*point)
            canvas.ellipse((x - 3 * _SCALE, y - 3 * _SCALE, x + 3 * _SCALE, y + 3 * _SCALE), fill=colours[name])
        canvas.text((offset, (_MARGIN - 8) * _SCALE), name, fill=colours[name], font=font, anchor="ls")
        offset += canvas.textlength(name + "    ", font=font)
    canvas.text(
        ((left + _SIZE / 2) * _SCALE, (_MARGIN + _SIZE + 44) * _SCALE), "vectors", fill=_GREY, font=font, anchor="ms"
    )
