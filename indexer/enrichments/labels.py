"""Labels that nothing was trained for, by the vectors that are stored: no document is read or embedded again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from quarry.indexer.enrichments.base import Enrichment, OwnVectors, Rendition, Result
from quarry.search.alike.labels import APT, Label, Labeller
from quarry.search.models.auto.task import Task
from quarry.search.relevance import Null
from quarry.search.stores.rows.label_sets import LabelSet
from quarry.search.stores.spaces import Space
from quarry.search.types import Vectors

TASK = Task(
    name="zero-shot-classification",
    command="quarry label --labels a,b,c",
    default="the library's own encoders, by the stored vectors",
    seen="the field `label`, or another (`--as subject`): filters, facets",
)
_LEAST = 0.05  # probability from which it is kept how likely a label is
_TOLD = 5  # labels of a document

Item = Sequence[tuple[str, Vectors]]  # (space, (d,) vector)


class Labels(Enrichment):
    """Finds the labels of a set that are apt, in its field.

    Args:
        spaces: the library's active ones.
        encoder: returns the live encoder of one, by its name.
        nulls: what scores are by chance, by the names of spaces.
    """

    rendition: ClassVar[Rendition] = OwnVectors()
    is_slow = True
    at_once = 2_048

    def __init__(
        self,
        labels: LabelSet,
        spaces: Sequence[Space],
        encoder: Callable[[str], Any],
        nulls: Mapping[str, Null],
    ) -> None:
        self.name = labels.field
        self.rendition = OwnVectors(labels.kind)  # type: ignore[misc]
        self._labels = [Label(*one) for one in labels.labels]
        self._spaces = [space for space in spaces if labels.kind in ("", space.medium)]
        self.labels = labels
        self._encoder, self._nulls = encoder, nulls
        self._labellers: dict[str, Labeller] | None = None
        told = repr((labels, [(space.name, space.identity) for space in self._spaces]))
        self._identity = f"labels 1 {hashlib.sha256(told.encode()).hexdigest()[:32]}"

    @property
    def identity(self) -> str:
        """A digest of the labels and of the models of the spaces."""
        return self._identity

    @property
    def holds(self) -> str:
        """The condition over `documents d` for those that can get them."""
        return f"d.kind = '{self.labels.kind}'" if self.labels.kind else "1"

    def open(self) -> None:
        """Encode the labels in each space; raise why its model can't be used."""
        self._labellers = {
            space.name: Labeller(self._encoder(space.name), space.medium, self._labels, self._nulls[space.name])
            for space in self._spaces
        }

    def enrich(self, items: Sequence[Item]) -> Sequence[Result | None]:
        """Label documents; None of those whose vectors are not stored yet."""
        if self._labellers is None:
            self.open()
            assert self._labellers is not None
        shares: list[dict[str, float]] = [{} for _ in items]
        for space in self._spaces:
            rows = [number for number, item in enumerate(items) if any(name == space.name for name, _ in item)]
            if not rows:
                continue
            vectors = np.stack([dict(items[number])[space.name] for number in rows])
            for number, found in zip(rows, self._labellers[space.name].shares(vectors), strict=True):
                shares[number] = found | shares[number]  # of a label that two spaces know, the first one's
        return [
            None if isinstance(item, tuple) else _result(self.name, found)
            for item, found in zip(items, shares, strict=True)
        ]


def _result(field: str, shares: dict[str, float]) -> Result:
    ranked = sorted(shares.items(), key=lambda one: (-one[1], one[0]))[:_TOLD]
    apt = [name for name, share in ranked if share >= APT]
    sure = {name: round(share, 3) for name, share in ranked if share >= _LEAST}
    return Result({field: apt} if apt else {}, confidence={field: sure} if sure else {})
