"""Text classification: which of the labels a text has that a model was trained for, such as its sentiment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quarry.indexer.enrichments.base import Result
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.indexer.enrichments.tasks.classes import classified, shares
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.windows import batches, windows

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
            for window, row in zip(batch, shares(model, model.outputs(inputs).logits), strict=True):
                sums[window.text] += row * window.weight
                weights[window.text] += window.weight
        return [classified(self.name, model, row) for row in sums / weights]
