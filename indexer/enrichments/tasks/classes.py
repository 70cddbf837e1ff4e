"""What a classifier says of documents: probabilities of its labels, and the labels that come of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from quarry.indexer.enrichments.base import Result
from quarry.indexer.enrichments.tasks.base import by_label, sure
from quarry.search.models.auto.serving import AutoModel, Floats, sigmoid, softmax

_ENOUGH = 0.5  # of a label that does not exclude the others


def shares(model: AutoModel, logits: Any) -> Floats:
    """Return what a model says of each label, of its logits (batch, labels): probabilities, or numbers."""
    if _kind(model) == "regression":
        return np.asarray(logits.float(), np.float32)
    return sigmoid(logits) if _kind(model) == "multi_label_classification" else softmax(logits)


def classified(name: str, model: AutoModel, row: Floats) -> Result:
    """Return the likeliest label of a document, or each that is likely where labels don't exclude one another.

    Args:
        name: the field.
        row: (labels,) of `shares`.
    """
    if _kind(model) == "regression":
        return Result({name: [round(float(value), 4) for value in row] if len(row) > 1 else float(row[0])})
    named = by_label(model.labels, row)
    if _kind(model) == "multi_label_classification":
        return likely(name, named)
    return likeliest(name, named)


def likeliest(name: str, probabilities: dict[str, float]) -> Result:
    """Return the likeliest label, where one of them holds."""
    return Result({name: max(probabilities, key=probabilities.__getitem__)}, confidence={name: sure(probabilities)})


def likely(name: str, probabilities: dict[str, float]) -> Result:
    """Return the labels that are likely, best first, where any of them may hold, or none."""
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    found = [label for label in ranked if probabilities[label] >= _ENOUGH]
    return Result({name: found} if found else {}, confidence={name: sure(probabilities)})


def _kind(model: AutoModel) -> str:
    """Return what a model's outputs are, as transformers calls it: of labels together, of each alone, or numbers."""
    stated = model.model.config.problem_type
    if stated in ("regression", "multi_label_classification"):
        return str(stated)
    return "multi_label_classification" if len(model.labels) == 1 else "single_label_classification"
