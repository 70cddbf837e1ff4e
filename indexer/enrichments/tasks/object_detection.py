"""Object detection: what a picture shows of the things that a model was trained for, each with its box."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quarry.indexer.enrichments.base import Result
from quarry.indexer.enrichments.tasks.objects import Object, ObjectEnrichment, boxes_of
from quarry.indexer.enrichments.tasks.zero_shot_object_detection import HEADS
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.types import Pixels

TASK = Task(
    name="object-detection",
    heads=("ForObjectDetection",),
    others=(*HEADS, "OmDetTurboForObjectDetection"),
    loader="AutoModelForObjectDetection",
    processor="AutoImageProcessor",
    command="quarry enrich object-detection=MODEL",
    option="any `...ForObjectDetection` that was trained for its labels",
    seen="the field `objects`: filters, facets; passages that open at their box, drawn in a sheet and on the page",
)
_ENOUGH = 0.5


class ObjectDetection(ObjectEnrichment):
    """Finds objects, a picture at a time: pictures of several shapes at once would be padded, which moves boxes."""

    task = TASK

    def look(self, model: AutoModel, items: Sequence[Pixels]) -> list[Result]:
        """Find the objects in pictures."""
        return [self.found(_objects(model, picture)) for picture in items]


def _objects(model: AutoModel, picture: Pixels) -> Iterator[Object]:
    height, width = picture.shape[:2]
    outputs = model.outputs(model.picture_inputs([picture]))
    (seen,) = model.processor.post_process_object_detection(outputs, threshold=_ENOUGH, target_sizes=[(height, width)])
    boxes = boxes_of(seen["boxes"], height, width)
    for label, score, box in zip(seen["labels"].tolist(), seen["scores"].tolist(), boxes, strict=True):
        if box is not None and label < len(model.labels):
            yield Object(model.labels[label], score, box)
