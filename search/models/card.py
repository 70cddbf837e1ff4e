"""Cards: what Quarry knows of a model, and the identity of what it computes. The card of each kind adds its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A model of any kind.

    Args:
        name: what the user calls it: a short name, a hub name or the path of a folder.
        family: the architecture, as the model's own configuration names it (`bert`, `xlm-roberta`).
        source: the folder that holds the weights, "" for an embedded model (found when it is needed).
        sha256: of the weights; of one file its own, of several that of their sorted `name digest` lines.
        config_sha256: of what else changes what it computes, such as the rest of its configuration; "" where `sha256`
            pins that.
        tokenizer_sha256: of the tokenizer's file or files, "" where there is none.
        graph_sha256: of the graph that `search.models.graphs` draws of an embedded model, "" where one is exported.
        scripts: the writing systems that it was made for, () where nobody knows (then every script counts as known).
        licence: as the model states it, "" if it does not.
    """

    name: str
    family: str = ""
    source: str = ""
    sha256: str = ""
    config_sha256: str = ""
    tokenizer_sha256: str = ""
    graph_sha256: str = ""
    scripts: tuple[str, ...] = ()
    licence: str = ""

    # What changes nothing that it computes, or, as its graph does, by less than rounding.
    INCIDENTAL: ClassVar[tuple[str, ...]] = ("name", "source", "graph_sha256", "scripts", "licence")

    @property
    def identity(self) -> str:
        """Name all that changes what the model computes; the same wherever it lies and whatever it is called."""
        decisive = {key: value for key, value in asdict(self).items() if key not in self.INCIDENTAL}
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        return f"{self.stem}-{digest[:24]}"

    @property
    def stem(self) -> str:
        """How an identity begins: in words, what the model is."""
        raise NotImplementedError

    @property
    def option(self) -> str:
        """The option by which the command line names a model of this kind, "" where the name stands alone."""
        return ""

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON values; a prepared model notes the hash of its graph itself."""
        return {key: value for key, value in asdict(self).items() if key != "graph_sha256"}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read `to_json`'s values; KeyError, TypeError or ValueError where they are not those."""
        return cls(**{**values, "scripts": tuple(values["scripts"])})
