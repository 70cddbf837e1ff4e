"""Zero-shot classification: which of the labels that one gives a text is about, by a model of inference.

That tells whether a text entails "This text is about sport." (Yin, Hay and Roth 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from quarry.indexer.enrichments.base import Result
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.indexer.enrichments.tasks.classes import likely
from quarry.search.errors import ModelError
from quarry.search.models.auto.card import AutoCard
from quarry.search.models.auto.serving import AutoModel, Floats, softmax
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.windows import TextWindow, beside, pair_batches, windows
from quarry.search.stores.rows.tasks import ChosenModel
from quarry.search.tasks.natural_language_inference import verdicts

TASK = Task(
    name="zero-shot-classification",
    heads=("ForSequenceClassification",),
    loader="AutoModelForSequenceClassification",
    takes_labels=True,
    command="quarry enrich zero-shot-classification=MODEL --labels A,B,C",
    option="any `...ForSequenceClassification` of inference, with a label `entailment`",
    seen="the field `zero-shot-classification`, or another (`topic=zero-shot-classification:MODEL`): filters, facets",
)
_TEMPLATE = "This text is about {}."
_WINDOWS = 8  # of a text, from its beginning to its end: each is looked at once for each label


class ZeroShotClassification(ModelEnrichment[str]):
    """Finds the labels that a text is about, any of them or none.

    The probability of a label is that it is entailed rather than contradicted: of several windows, their mean.
    """

    task = TASK

    @classmethod
    def check(cls, card: AutoCard, chosen: ChosenModel) -> None:
        """Refuse a model without a label for what is entailed."""
        if "supports" not in verdicts(card.labels):
            there = f"; it has {', '.join(card.labels[:5])}" if card.labels else ""
            raise ModelError(
                f"{card.name} is no model of inference, and not for {TASK.name}: no label of it is entailment{there}."
            )

    def look(self, model: AutoModel, items: Sequence[str]) -> list[Result]:
        """Classify texts."""
        labels = self.chosen.labels
        asked = [(self.chosen.template or _TEMPLATE).replace("{}", label) for label in labels]
        shown = list(_shown(windows(model, items, max(beside(model, one) for one in asked))))
        pairs = [(items[one.text][one.span], text) for one in shown for text in asked]
        found = np.zeros(len(pairs), np.float32)
        for numbers, inputs in pair_batches(model, pairs):
            found[list(numbers)] = _entailed(model, inputs)
        shares = found.reshape(len(shown), len(labels))
        weights = np.array([one.weight for one in shown], np.float64)
        results = []
        for number in range(len(items)):
            own = [at for at, one in enumerate(shown) if one.text == number]
            row = np.average(shares[own], axis=0, weights=weights[own])
            results.append(likely(self.name, dict(zip(labels, map(float, row), strict=True))))
        return results


def _shown(found: Sequence[TextWindow]) -> Iterator[TextWindow]:
    """Yield the windows of each text that are looked at, as far from each other as can be."""
    for number in dict.fromkeys(one.text for one in found):
        own = [one for one in found if one.text == number]
        places = np.linspace(0, len(own) - 1, min(len(own), _WINDOWS)).round().astype(int)
        yield from (own[place] for place in places)


def _entailed(model: AutoModel, inputs: object) -> Floats:
    """Return how likely each text entails what it is asked about (batch,)."""
    meanings = verdicts(model.labels)
    weighed = [
        number
        for number, meaning in enumerate(meanings)
        if meaning in ("supports", "contradicts") or "contradicts" not in meanings
    ]
    shares = softmax(model.outputs(inputs).logits[:, weighed])
    return np.asarray(shares[:, [meanings[number] == "supports" for number in weighed]].sum(axis=1), np.float32)
