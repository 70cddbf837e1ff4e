"""Small pictures that are all different, for tests to which it is all the same what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw(path: Path, number: int, size: tuple[int, int] = (48, 40)) -> Path:
    """Write a picture of blurred blocks, another one for each number."""
    values = np.random.default_rng(number).integers(0, 256, (5, 6, 3), np.uint8)
    Image.fromarray(values).resize(size, Image.Resampling.BICUBIC).save(path)
    return path
