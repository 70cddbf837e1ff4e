"""Captioned pictures and views of them: as the search sees them, and cropped, flipped and recoloured at random."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from quarry.indexer.training.activations import BATCH
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.formats.pixels import decode, opened, picture
from quarry.search.models.image.embedded import CARD
from quarry.search.models.image.tower import ImageTower
from quarry.search.types import Pixels

_AREA = 0.55  # least part of a picture that a crop keeps
_ASPECT = 0.72  # how far its aspect may differ; the search squashes pictures, so that this is nothing new to the model
_COLOURED, _GREY = 0.8, 0.08  # how often
_STRENGTHS = ((ImageEnhance.Brightness, 0.25), (ImageEnhance.Contrast, 0.25), (ImageEnhance.Color, 0.3))


def shared_of(
    tower: ImageTower, pictures: Sequence[Path], view: int, seed: int, device: torch.device
) -> Iterator[Tensor]:
    """Yield `ImageTower.shared` of a view of pictures, in batches; raise as `pixels` does."""
    for start in range(0, len(pictures), BATCH):
        values = np.stack([pixels(path, view, seed) for path in pictures[start : start + BATCH]])
        channels = torch.from_numpy(values).to(device).permute(0, 3, 1, 2).float()
        with torch.no_grad():
            shared = tower.shared(channels / 127.5 - 1)
        yield shared


def pixels(path: Path, view: int, seed: int) -> Pixels:
    """Return a view of a picture, (224, 224, 3): the 0th is what the search sees, any other is drawn by its number.

    Raises:
        FileMalformed: the picture can't be read; names it.
    """
    try:
        with path.open("rb") as stream, opened(stream) as image:
            if not view:
                return picture(image, CARD.preprocessing, thumbnails=False).pixels
            return np.asarray(_varied(decode(image), random.Random(f"{seed} {view} {path.name}")))
    except LoadError as error:
        raise FileMalformed(f"{path}: {error}") from error


def _varied(image: Image.Image, chance: random.Random) -> Image.Image:
    area = image.width * image.height * chance.uniform(_AREA, 1)
    aspect = math.exp(chance.uniform(math.log(_ASPECT), -math.log(_ASPECT)))
    width, height = min(image.width, math.sqrt(area * aspect)), min(image.height, math.sqrt(area / aspect))
    left, top = chance.uniform(0, image.width - width), chance.uniform(0, image.height - height)
    size = CARD.preprocessing.width, CARD.preprocessing.height
    varied = image.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    if chance.random() < 0.5:
        varied = varied.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if chance.random() < _COLOURED:
        for enhance, strength in _STRENGTHS:
            varied = enhance(varied).enhance(chance.uniform(1 - strength, 1 + strength))
    return varied.convert("L").convert("RGB") if chance.random() < _GREY else varied
