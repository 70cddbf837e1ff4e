"""Video classification: what is done in a film, of what a model was trained for, by frames from all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quarry.indexer.enrichments.base import Film, Filmed, Result
from quarry.indexer.enrichments.played import frames
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.indexer.enrichments.tasks.classes import classified, shares
from quarry.search.errors import FileUnreadable, LoadError
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task

TASK = Task(
    name="video-classification",
    heads=("VideoMAEForVideoClassification", "TimesformerForVideoClassification", "VivitForVideoClassification"),
    loader="AutoModelForVideoClassification",
    processor="AutoImageProcessor",
    command="quarry enrich video-classification=MODEL",
    option="any VideoMAE, TimeSformer or ViViT `...ForVideoClassification`",
    seen="the field `video-classification`, or another: filters, facets",
)


class VideoClassification(ModelEnrichment[Filmed]):
    """Finds the likeliest label of a film, or each that is likely where labels don't exclude one another.

    It looks at as many frames as its model takes, at equal distances from beginning to end: what takes a moment of a
    long film it does not see.
    """

    task = TASK
    rendition = Film()
    at_once = 1

    def look(self, model: AutoModel, items: Sequence[Filmed]) -> list[Result | None]:
        """Classify films; None is for one whose file is gone."""
        return [self._result(model, item) for item in items]

    def _result(self, model: AutoModel, item: Filmed) -> Result | None:
        if not item.path.is_file():
            return None
        count = int(model.model.config.num_frames)
        try:
            found = list(frames(item, [item.seconds * (place + 0.5) / count for place in range(count)]))
        except FileUnreadable:
            return None
        except LoadError as error:
            return Result.failure(error)
        if not found:
            return Result()
        every = [found[place * len(found) // count] for place in range(count)]  # some twice, where some are missing
        inputs: Any = model.tokens([every], return_tensors="pt")
        return classified(self.name, model, shares(model, model.outputs(inputs).logits)[0])
