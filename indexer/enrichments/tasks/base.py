"""The contract of a task: an enrichment by a model that a library names, of which `look` is all that differs."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from quarry.indexer.enrichments.base import Enrichment, Film, Result, Unheard, WholeText
from quarry.search.errors import ModelError, ModelMismatch
from quarry.search.models.auto import serving, source
from quarry.search.models.auto.card import AutoCard
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.stores.rows.tasks import ChosenModel

Item = TypeVar("Item")
_MOST = 20  # values of a field, of which it is told how sure the model is


class ModelEnrichment(Enrichment, Generic[Item]):
    """An enrichment by a model. One is a class with `task`, `rendition` and `look`, and a row in the table.

    Attributes:
        task: what it does.
        version: raised when `look` may find something else in the same content by the same model.
        name: what it was called when its model was chosen: its field, and who says what it says.
    """

    is_slow = True
    task: ClassVar[Task]
    version: ClassVar[int] = 1

    def __init__(self, chosen: ChosenModel) -> None:
        self.name = chosen.name
        self.chosen = chosen
        self._model: AutoModel | None = None

    @property
    def identity(self) -> str:
        """What it is called, what it does, the model that does it, and what that is asked for."""
        asked = [list(self.chosen.labels), self.chosen.template] if self.chosen.labels else self.chosen.language
        written = f", {json.dumps(asked, ensure_ascii=False)}" if asked else ""
        return f"{self.name}: {self.task.name} {self.version}, {self.chosen.identity}{written}"

    @property
    def holds(self) -> str:
        """The condition over `documents d` that one holds what it looks at."""
        if isinstance(self.rendition, Unheard):
            return "json_extract(d.structure, '$.recording') NOT NULL"
        if isinstance(self.rendition, Film):
            return "d.type LIKE 'video/%' AND json_extract(d.metadata, '$.width') NOT NULL"
        return "d.characters > 0" if isinstance(self.rendition, WholeText) else "d.kind = 'image'"

    @classmethod
    def check(cls, card: AutoCard, chosen: ChosenModel) -> None:
        """Raise `ModelError` over a model that can't do what is asked, though it is called like those that do."""

    def open(self) -> None:
        """Load the model.

        Raises:
            ModelMissing, ModelDamaged: it can't be used.
            ModelMismatch: another one stands in its place.
        """
        card = source.resolve(self.chosen.model, self.task)
        if card.identity != self.chosen.identity:
            raise ModelMismatch(
                f"the model {self.chosen.model} is not the one any more that {self.name} was done by; have all of it "
                f"done again: `quarry enrich {self.name}={self.task.name}:{self.chosen.model}`."
            )
        self._model = serving.serve(card, self.task)

    def enrich(self, items: Sequence[Item]) -> Sequence[Result | None]:
        """Let the model look at what there is to look at."""
        if self._model is None:
            self.open()
            assert self._model is not None
        wanted = [number for number, item in enumerate(items) if not isinstance(item, str) or item.strip()]
        found: Mapping[int, Result | None] = {}
        if wanted:
            results = self.look(self._model, [items[number] for number in wanted])
            found = dict(zip(wanted, map(_checked, results), strict=True))
        return [found.get(number, Result()) for number in range(len(items))]

    @abstractmethod
    def look(self, model: AutoModel, items: Sequence[Item]) -> Sequence[Result | None]:
        """Return what the model finds in documents, a few at once, each in its rendition; of texts, none is blank.

        None is for one that can't be looked at now.
        """


def _checked(result: Result | None) -> Result | None:
    """Return what was found; raise `ModelError` where it can't be stored, such as what is no number."""
    try:
        json.dumps(result and result.json, allow_nan=False)
    except ValueError as error:
        raise ModelError("what the model gives are no numbers.") from error
    return result


def sure(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Return how sure a model is of values, 0..1, as it is stored: the likeliest, to a thousandth."""
    ranked = sorted(probabilities.items(), key=lambda one: (-one[1], one[0]))[:_MOST]
    return {value: round(float(share), 3) for value, share in ranked}


def by_label(labels: Sequence[str], probabilities: Any) -> dict[str, float]:
    """Return the probability of each label; where two outputs have one name, that of either."""
    found: dict[str, float] = {}
    for label, share in zip(labels, probabilities, strict=True):
        found[label] = min(1.0, found.get(label, 0.0) + float(share))
    return found
