"""Cards of models that do a task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from quarry.search.models.card import Card
from quarry.search.models.tokenizing import encodable

_UNNAMED = re.compile(r"LABEL_\d+")
_PLAINER = str.maketrans({'"': "'", "\\": "/"})
_LONGEST = 200  # characters of a label: what else is a name of a field


def label_text(label: object) -> str:
    """Return a label of a stranger's configuration as it can be stored and named: on one line, and not endless, and
    without what no filter can name.
    """
    return " ".join(encodable(str(label)).translate(_PLAINER).split())[:_LONGEST]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoCard(Card):
    """A model of transformers that does one task.

    Args:
        task: the name of that.
        labels: what it tells apart, as its configuration names them, in their order; () where that names none.
        max_tokens: of one input, where it reads text.
    """

    task: str
    labels: tuple[str, ...] = ()
    max_tokens: int = 512

    INCIDENTAL: ClassVar[tuple[str, ...]] = (*Card.INCIDENTAL, "labels", "max_tokens")  # of its configuration

    @property
    def stem(self) -> str:
        """Architecture and task."""
        return f"{self.family}-{self.task}"

    @property
    def has_label_map(self) -> bool:
        """Whether its labels are more than numbers."""
        return bool(self.labels) and not all(map(_UNNAMED.fullmatch, self.labels))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read `to_json`'s values; KeyError, TypeError or ValueError where they are not those."""
        return cls(**{**values, "scripts": tuple(values["scripts"]), "labels": tuple(values["labels"])})
