"""Image classification: which of the labels a picture has that a model was trained for."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.indexer.enrichments.base import Result, WholePicture
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.indexer.enrichments.tasks.classes import classified, shares
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.types import Pixels

TASK = Task(
    name="image-classification",
    heads=("ForImageClassification", "ForImageClassificationWithTeacher"),
    loader="AutoModelForImageClassification",
    processor="AutoImageProcessor",
    command="quarry enrich image-classification=MODEL",
    option="any `...ForImageClassification`",
    seen="the field `image-classification`, or another (`style=image-classification:MODEL`): filters, facets",
)


class ImageClassification(ModelEnrichment[Pixels]):
    """Finds the likeliest label of a picture, or each that is likely where labels don't exclude one another."""

    task = TASK
    rendition = WholePicture()

    def look(self, model: AutoModel, items: Sequence[Pixels]) -> list[Result]:
        """Classify pictures."""
        rows = shares(model, model.outputs(model.picture_inputs(items)).logits)
        return [classified(self.name, model, row) for row in rows]
