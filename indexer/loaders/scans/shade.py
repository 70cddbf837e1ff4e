"""Paper that is lit unevenly: a page of which one side, or a corner, is darker than the other."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

_CELL = 8  # pixels of a page to one of its paper
_STROKE = 9  # such cells, which are wider than what is printed between two white spots
_SMOOTH = 6  # such cells
_EVEN = 16.0  # of 255: what a clean scan has by its noise
_DARKEST = 0.5  # of the lightest paper; what is darker is printed so
_PAPER = 0.7  # of its paper, which most of a page is as light as, unless its letters are light on dark


def evened(picture: Image.Image) -> Image.Image:
    """Return a page as if it were lit evenly: divided by its paper, a page that is lit so, or is no paper, as
    it is.

    Tesseract finds one threshold for what is ink on a page; where paper is as dark on one side as thin strokes are on
    the other, it reads nothing at all (all of a grey, noisy page of Korean in a thin face; .1% of characters wrong so).
    """
    grey = picture.convert("L")
    small = grey.resize((max(1, grey.width // _CELL), max(1, grey.height // _CELL)), Image.Resampling.BOX)
    paper = small.filter(ImageFilter.MaxFilter(_STROKE)).filter(ImageFilter.GaussianBlur(_SMOOTH))
    dark, light = np.percentile(np.asarray(paper), (5, 95))
    least = _DARKEST * max(light, 1)
    share = np.median(np.asarray(small, np.float32) / np.maximum(np.asarray(paper), least))
    if light - dark < _EVEN or share < _PAPER:
        return picture
    lit = np.asarray(paper.resize(grey.size, Image.Resampling.BILINEAR), np.float32)
    even = np.asarray(grey, np.float32) * (255 / np.maximum(lit, least))
    return Image.fromarray(np.minimum(even, 255).astype(np.uint8))
