"""Originals: image models as open_clip runs them itself, in torch. What an export is made of and checked against."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelDamaged
from quarry.search.models.extra import need
from quarry.search.models.image import embedded
from quarry.search.models.image.card import ImageCard
from quarry.search.models.image.source import CONFIG, TOKENIZER_FILES, WEIGHTS, Origin, find
from quarry.search.types import Pixels, Vectors


@dataclass(frozen=True, slots=True)
class ImageOriginal:
    """An image model in torch.

    Args:
        card: what is known of it.
        model: has `encode_image`, of (n, 3, height, width) floats brought to the card's mean and std, and
            `encode_text`, of token ids, where it has a text tower of its own.
        tokenizer: open_clip's, texts -> (n, context_length) ids; None where a text model is the text tower.
        projection: (dimension of that text model, dimension), what its query vectors are multiplied by.
    """

    card: ImageCard
    model: Any
    tokenizer: Callable[[list[str]], Any] | None = None
    projection: NDArray[np.float32] | None = None

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pixels, each alone, (n, dimension) of length 1."""
        import torch

        mean, std = (torch.tensor(values)[:, None, None] for values in (self.card.mean, self.card.std))
        values = (torch.tensor(picture).permute(2, 0, 1).float() / 255 for picture in pixels)
        return self.encode_floats([(value - mean) / std for value in values])

    def encode_floats(self, pictures: Sequence[Any]) -> Vectors:
        """Encode what open_clip's own transform makes of pictures, each (3, height, width), each alone."""
        return _unit(self.model.encode_image, (picture[None] for picture in pictures), self.card.dimension)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts, each alone, by the text tower of its own."""
        assert self.tokenizer is not None, self.card.name
        tokens = (self.tokenizer([text]) for text in texts)
        return _unit(self.model.encode_text, tokens, self.card.dimension)


def load(card: ImageCard) -> ImageOriginal:
    """Load the original of `card`'s model.

    Raises:
        ModelMissing: it, or what loads it, is not on this machine any more.
        ModelDamaged: open_clip can't load it.
    """
    need(card.name, "torch", "timm", "open_clip")
    if card.name == embedded.CARD.name:
        built: Any = embedded.build()
        return ImageOriginal(card, built, projection=np.ascontiguousarray(built.projection, np.float32))
    origin = find(card.name)
    with tempfile.TemporaryDirectory() as folder:
        _lay_out(origin, Path(folder))
        place = f"local-dir:{folder}"
        try:
            with warnings.catch_warnings(), _quiet():
                warnings.simplefilter("ignore")
                import open_clip

                model = open_clip.create_model(place, require_pretrained=True).float().eval()
                tokenizer = open_clip.get_tokenizer(place)
        except Exception as error:
            reason = " ".join(str(error).replace(folder, str(origin.weights.parent)).split())[:300]
            raise ModelDamaged(f"open_clip can't load {card.name}: {reason or type(error).__name__}.") from error
    return ImageOriginal(card, model, tokenizer)


def _lay_out(origin: Origin, folder: Path) -> None:
    """Lay a model out as open_clip loads one from a folder, where it looks for nothing on the hub."""
    (folder / WEIGHTS).symlink_to(origin.weights)
    config = json.loads(json.dumps(dict(origin.config)))
    if origin.text_config:
        config["model_cfg"]["text_cfg"]["hf_model_name"] = str(origin.text_config.parent)
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    if origin.tokenizer:
        for name in (*TOKENIZER_FILES, "config.json"):
            if (origin.tokenizer / name).is_file():
                (folder / name).symlink_to(origin.tokenizer / name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip from logging to the root logger, which would set that up for the whole process."""
    usual = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(usual)


def _unit(encode: Callable[[Any], Any], inputs: Any, dimension: int) -> Vectors:
    import torch

    with torch.inference_mode():
        rows = [torch.nn.functional.normalize(encode(value), dim=-1)[0].numpy() for value in inputs]
    return np.asarray(rows, np.float32).reshape(-1, dimension)
