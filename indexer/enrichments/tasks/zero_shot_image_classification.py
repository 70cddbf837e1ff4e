"""Zero-shot image classification: which of the labels that one gives fits a picture best."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.indexer.enrichments.base import Result, WholePicture
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.indexer.enrichments.tasks.classes import likeliest
from quarry.search.models.auto.serving import AutoModel, sigmoid, softmax
from quarry.search.models.auto.task import Task
from quarry.search.types import Pixels

TASK = Task(
    name="zero-shot-image-classification",
    heads=("CLIPModel", "SiglipModel", "Siglip2Model"),
    loader="AutoModelForZeroShotImageClassification",
    processor="AutoProcessor",
    takes_labels=True,
    command="quarry enrich zero-shot-image-classification=MODEL --labels A,B,C",
    option="any `...CLIPModel` or `Siglip...Model`",
    seen="the field `zero-shot-image-classification`, or another: filters, facets",
)
_TEMPLATE = "a photo of a {}"


class ZeroShotImageClassification(ModelEnrichment[Pixels]):
    """Finds the label that fits a picture best, of those that were given.

    CLIP shares its probability out among them, SigLIP tells how likely each is by itself.
    """

    task = TASK
    rendition = WholePicture()

    def look(self, model: AutoModel, items: Sequence[Pixels]) -> list[Result]:
        """Classify pictures."""
        is_each = model.card.family.startswith("siglip")
        asked = [(self.chosen.template or _TEMPLATE).replace("{}", label) for label in self.chosen.labels]
        padding = "max_length" if is_each else True  # as each was trained
        inputs = model.picture_inputs(items, text=asked, padding=padding, truncation=True)
        logits = model.outputs(inputs).logits_per_image
        rows = sigmoid(logits) if is_each else softmax(logits)
        found = (dict(zip(self.chosen.labels, map(float, row), strict=True)) for row in rows)
        return [likeliest(self.name, shares) for shares in found]
