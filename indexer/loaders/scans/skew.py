"""Pages that lie askew in the scanner: by how much, and where something on the straightened page is on the other."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

_LOOKED_AT = 700  # pixels, the longer side
_MOST, _STEP, _FINE = 8.0, 1.0, 0.25  # degrees
_LEAST = 0.6  # degrees that Tesseract takes without loss
_BETTER = 1.15  # times as sharp as it is: what has no lines of text is left alone

Box = tuple[float, float, float, float]


def skew(picture: Image.Image) -> float:
    """Return by how many degrees, anticlockwise, a page is to be turned for its lines to be level, 0 where they are.

    Lines are level, or upright on a page that lies on its side, where the rows or columns of its pixels are most
    unlike their neighbours.
    """
    small = picture.convert("L")
    small.thumbnail((_LOOKED_AT, _LOOKED_AT))
    ink = Image.fromarray(255 - np.asarray(small))
    sharpness = {angle: _sharpness(ink, angle) for angle in np.arange(-_MOST, _MOST + _STEP, _STEP)}
    about = max(sharpness, key=lambda angle: sharpness[angle])
    fine = {angle: _sharpness(ink, angle) for angle in np.arange(about - _STEP, about + _STEP + _FINE, _FINE)}
    best = max(fine, key=lambda angle: fine[angle])
    return float(best) if abs(best) >= _LEAST and fine[best] > _BETTER * sharpness[0.0] else 0.0


def straightened(picture: Image.Image, angle: float) -> Image.Image:
    """Turn a page by some degrees; what comes in at its corners is of the colour of its paper."""
    paper = int(np.percentile(np.asarray(picture.convert("L").resize((64, 64))), 75))
    return picture.convert("L").rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


def on_the_page(box: Box, angle: float, picture: tuple[int, int], turned: tuple[int, int]) -> Box:
    """Return the box, in shares, around what has a box on the straightened page.

    Args:
        picture, turned: width and height of the page as it is, and straightened.
    """
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    left, top, right, bottom = box
    corners = []
    for x, y in ((left, top), (right, top), (left, bottom), (right, bottom)):
        across, down = (x - 0.5) * turned[0], (y - 0.5) * turned[1]
        corners.append(
            (
                (across * cosine - down * sine) / picture[0] + 0.5,
                (across * sine + down * cosine) / picture[1] + 0.5,
            )
        )
    low, high = np.clip(np.min(corners, axis=0), 0, 1), np.clip(np.max(corners, axis=0), 0, 1)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _sharpness(ink: Image.Image, angle: float) -> float:
    """Return how unlike neighbouring rows or columns are, the more unlike of the two."""
    pixels = np.asarray(ink.rotate(angle, Image.Resampling.BILINEAR), np.float32)
    return max(float(np.square(np.diff(pixels.sum(axis=axis))).sum()) for axis in (0, 1))
