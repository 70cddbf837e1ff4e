"""Cards of models that look at two texts together: readers (question, passage) and cross-encoders (query, passage)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

PairTask = Literal["reader", "cross-encoder"]

_INCIDENTAL = ("name", "source", "scripts", "licence")


@dataclass(frozen=True, slots=True)
class PairCard:
    """A model of question and passage.

    Args:
        name: what the user calls it: a hub name or the path of a folder.
        task: what it does: `reader` gives each token a logit to start and one to end the answer, `cross-encoder`
            gives the pair one logit.
        family: as `Card.family`.
        source: the folder that holds the weights, "" for the embedded reader.
        sha256: of the weights.
        config_sha256: of what else changes a logit: the rest of its configuration, or the weights that it shares.
        tokenizer_sha256: of the tokenizer's file or files.
        max_tokens: longest pair in tokens, special ones included.
        activation: what a cross-encoder makes its score of its logit with, `sigmoid` or `identity` mostly.
        scripts: as `Card.scripts`.
        licence: as the model states it, "" if it does not.
    """

    name: str
    task: PairTask
    family: str
    source: str
    sha256: str
    tokenizer_sha256: str
    max_tokens: int
    config_sha256: str = ""
    activation: str = ""
    scripts: tuple[str, ...] = ()
    licence: str = ""

    @property
    def identity(self) -> str:
        """Name all that changes a logit; the same wherever the model lies and whatever it is called."""
        decisive = {key: value for key, value in asdict(self).items() if key not in _INCIDENTAL}
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        return f"{self.family}-{self.task}-{digest[:24]}"

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PairCard:
        """Read `to_json`'s values; KeyError, TypeError or ValueError where they are not those."""
        return cls(**{**values, "scripts": tuple(values["scripts"])})
