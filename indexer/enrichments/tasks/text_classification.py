"""Text classification: which of the labels a text has that a model was trained for, such as its sentiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from quarry.indexer.enrichments.base import Result
from quarry.indexer.enrichments.tasks.base import ModelEnrichment, by_label, sure
from quarry.search.models.auto.serving import AutoModel, Floats, sigmoid, softmax
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.windows import batches, windows

_ENOUGH = 0.5  # of a label that does not exclude the others

TASK = Task(
    name="text-classification",
    heads=("ForSequenceClassification",),
    loader="AutoModelForSequenceClassification",
    command="quarry enrich text-classification=MODEL",
    option="any `...ForSequenceClassification`",
    seen="the field `text-classification`, or another (`sentiment=text-classification:MODEL`): filters, facets",
)


class TextClassification(ModelEnrichment[str]):
    """Finds the likeliest label of a text, or each that is likely where labels don't exclude one another.

    The probabilities of a text of several windows are their mean, by how much of the text each looks at alone.
    """

    task = TASK

    def look(self, model: AutoModel, items: Sequence[str]) -> list[Result]:
        """Classify texts."""
        sums, weights = np.zeros((len(items), len(model.labels))), np.zeros((len(items), 1))
        for batch, inputs in batches(model, windows(model, items)):
            for window, row in zip(batch, _outputs(model, inputs), strict=True):
                sums[window.text] += row * window.weight
                weights[window.text] += window.weight
        return [self._result(model, row) for row in sums / weights]

    def _result(self, model: AutoModel, row: Floats) -> Result:
        if _kind(model) == "regression":
            return Result({self.name: [round(float(value), 4) for value in row] if len(row) > 1 else float(row[0])})
        shares = by_label(model.labels, row)
        found: str | list[str] = max(shares, key=lambda label: shares[label])
        if _kind(model) == "multi_label_classification":
            found = [label for label, share in shares.items() if share >= _ENOUGH]
        return Result({self.name: found} if found else {}, confidence={self.name: sure(shares)})


def _outputs(model: AutoModel, inputs: Any) -> Floats:
    """Return what a model says of each label (batch, labels)."""
    logits = model.outputs(inputs).logits
    if _kind(model) == "regression":
        return np.asarray(logits.float(), np.float32)
    return sigmoid(logits) if _kind(model) == "multi_label_classification" else softmax(logits)


def _kind(model: AutoModel) -> str:
    """Return what a model's outputs are, as transformers calls it: of labels together, of each alone, or numbers."""
    stated = model.model.config.problem_type
    if stated in ("regression", "multi_label_classification"):
        return str(stated)
    return "multi_label_classification" if len(model.labels) == 1 else "single_label_classification"
