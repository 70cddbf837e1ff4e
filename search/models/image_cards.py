"""Cards of image models: what Quarry knows of one, and the identity of the vectors that it makes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quarry.search.types import Preprocessing, Vectors

DEFAULT_IMAGE_MODEL = "quarry-lite0"

_INCIDENTAL = ("name", "source", "text_tower", "scripts", "licence")


@dataclass(frozen=True, slots=True)
class ImageCard:
    """A model that puts pictures and texts into one space.

    Args:
        name: what the user calls it: `ViT-B-32/laion2b_s34b_b79k`, `hf-hub:org/name` or a folder.
        dimension: length of a vector.
        preprocessing: the size and cut of its pixels.
        family: the architecture of its image tower.
        source: the folder that holds the weights, "" for the embedded model.
        sha256: of the weights.
        config_sha256: of what else in the model's configuration changes a vector, "" where `sha256` pins that.
        mean, std: of each colour, which pixels of 0..1 are brought to by (value - mean) / std.
        context_length: tokens of every text, special ones and padding included.
        tokenizer: `clip` (the byte pairs of CLIP) or `huggingface`, "" where another model is the text tower.
        tokenizer_sha256: of the tokenizer's files, "" where `tokenizer` says it all.
        clean: what is done to a text first, as open_clip calls it: `lower`, `whitespace` or `canonicalize`.
        text_tower: the text model whose query vectors a projection takes into the space of the pictures, "" for a text
            tower of its own.
        text_identity: of that text model.
        text_constant: what texts have in place of the bias that pictures have: see `with_constant`; 0 for no bias.
        scripts: as `Card.scripts`.
        licence: as the model states it, "" if it does not.
    """

    name: str
    dimension: int
    preprocessing: Preprocessing
    family: str = ""
    source: str = ""
    sha256: str = ""
    config_sha256: str = ""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    context_length: int = 0
    tokenizer: str = ""
    tokenizer_sha256: str = ""
    clean: str = ""
    text_tower: str = ""
    text_identity: str = ""
    text_constant: float = 0.0
    scripts: tuple[str, ...] = ()
    licence: str = ""

    @property
    def identity(self) -> str:
        """Name all that changes a vector; the same wherever the model lies and whatever it is called."""
        decisive = {key: value for key, value in asdict(self).items() if key not in _INCIDENTAL}
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        family = re.sub(r"[^\w.-]", "-", self.family, flags=re.ASCII)[:60] or "image"
        return f"{family}-{self.preprocessing.width}px-{self.dimension}-{digest[:24]}"

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return asdict(self)

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
    def from_json(cls, values: Mapping[str, Any]) -> ImageCard:
        """Read `to_json`'s values; KeyError, TypeError or ValueError where they are not those."""
        tuples = {key: tuple(values[key]) for key in ("mean", "std", "scripts")}
        return cls(**{**values, **tuples, "preprocessing": Preprocessing(**values["preprocessing"])})
