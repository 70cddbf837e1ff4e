"""Cards of image models: what Quarry knows of one, and the identity of the vectors that it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from quarry.search.models.card import Card
from quarry.search.types import Preprocessing, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCard(Card):
    """A model that puts pictures and texts into one space.

    Args:
        dimension: length of a vector.
        preprocessing: the size and cut of its pixels.
        mean, std: of each colour, which pixels of 0..1 are brought to by (value - mean) / std.
        context_length: tokens of every text, special ones and padding included.
        tokenizer: `clip` (the byte pairs of CLIP) or `huggingface`, "" where another model is the text tower.
        clean: what is done to a text first, as open_clip calls it: `lower`, `whitespace` or `canonicalize`.
        text_tower: the text model whose query vectors a projection takes into the space of the pictures, "" for a text
            tower of its own.
        text_identity: of that text model.
        text_constant: what texts have in place of the bias that pictures have: see `with_constant`; 0 for no bias.
    """

    dimension: int
    preprocessing: Preprocessing
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    context_length: int = 0
    tokenizer: str = ""
    clean: str = ""
    text_tower: str = ""
    text_identity: str = ""
    text_constant: float = 0.0

    INCIDENTAL: ClassVar[tuple[str, ...]] = (*Card.INCIDENTAL, "text_tower")

    @property
    def stem(self) -> str:
        """Architecture, width of a picture and dimension."""
        family = re.sub(r"[^\w.-]", "-", self.family, flags=re.ASCII)[:60] or "image"
        return f"{family}-{self.preprocessing.width}px-{self.dimension}"

    @property
    def option(self) -> str:
        """The option by which the command line names one."""
        return "--image-model"

    def with_constant(self, units: Vectors) -> Vectors:
        """Return (n, dimension) unit vectors of texts from those, (n, d), that a projection gave.

        A model whose pictures carry a bias has it as one more number in their vectors, and a last one that makes their
        length 1. Texts have a constant there, and 0.
        """
        if not self.text_constant:
            return units
        blank = np.zeros((len(units), 2), np.float32)
        blank[:, 0] = self.text_constant
        longer = np.concatenate([units, blank], axis=1)
        return np.asarray(longer / (1 + self.text_constant**2) ** 0.5, np.float32)

    def as_query(self, picture: Vectors) -> Vectors:
        """Return the (dimension,) unit vector by which pictures are found that show what one does.

        A picture's bias says how readily it is found by words; two that have one in common need not be alike.
        """
        if not self.text_constant:
            return picture
        shown = np.concatenate([picture[:-2], np.zeros(2, np.float32)])
        return np.asarray(shown / max(float(np.linalg.norm(shown)), 1e-12), np.float32)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read `to_json`'s values; KeyError, TypeError or ValueError where they are not those."""
        tuples = {key: tuple(values[key]) for key in ("mean", "std", "scripts")}
        return cls(**{**values, **tuples, "preprocessing": Preprocessing(**values["preprocessing"])})
