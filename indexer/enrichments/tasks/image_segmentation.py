"""Image segmentation: what a picture consists of, each part with its outline and its share of the picture."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from quarry.indexer.enrichments.base import SHARE, Result, Said, WholePicture
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.indexer.enrichments.tasks.objects import words
from quarry.indexer.enrichments.tasks.outlines import Mask, outlines
from quarry.search.models.auto.serving import AutoModel, softmax
from quarry.search.models.auto.task import Task
from quarry.search.types import Pixels
from quarry.search.values.places import Place

TASK = Task(
    name="image-segmentation",
    heads=("ForSemanticSegmentation", "ForUniversalSegmentation", "ForInstanceSegmentation", "DetrForSegmentation"),
    loader=(
        "AutoModelForSemanticSegmentation",
        "AutoModelForUniversalSegmentation",
        "AutoModelForInstanceSegmentation",
        "AutoModelForImageSegmentation",
    ),
    processor="AutoImageProcessor",
    command="quarry enrich image-segmentation=MODEL",
    option="any `...ForSemanticSegmentation`, `...ForUniversalSegmentation` or `...ForInstanceSegmentation`",
    seen="the field `segments`, `share.segments.LABEL`: filters, facets; passages with their outline on the page",
)
SEGMENTS = "segments"
_LEAST = 0.005  # of the picture that a label has
_ENOUGH = 0.5  # of a segment that a model tells from others


class ImageSegmentation(ModelEnrichment[Pixels]):
    """Finds what a picture consists of; its field is `segments`, unless it was chosen by a name of its own.

    A label that has several parts which don't touch has an outline for each.
    """

    task = TASK
    rendition = WholePicture()

    @property
    def field(self) -> str:
        """`segments`, or its own name."""
        return SEGMENTS if self.name == self.task.name else self.name

    def look(self, model: AutoModel, items: Sequence[Pixels]) -> list[Result]:
        """Divide pictures, each by itself, as they have shapes of their own."""
        return [self._result(_segments(model, picture)) for picture in items]

    def _result(self, segments: Iterator[tuple[str, float, Mask]]) -> Result:
        shares: dict[str, float] = {}
        sure: dict[str, float] = {}
        said = []
        for label, confidence, mask in segments:
            share = round(float(mask.mean()), 4)
            if share < _LEAST:
                continue
            shares[label] = round(shares.get(label, 0.0) + share, 4)
            sure[label] = max(sure.get(label, 0.0), round(confidence, 3))
            said += [
                Said(words(label), Place(box=one.box, outline=one.points), round(confidence, 3))
                for one in outlines(mask)
            ]
        if not shares:
            return Result()
        found = sorted(shares, key=lambda label: -shares[label])
        return Result({self.field: found, SHARE: {self.field: shares}}, tuple(said), {self.field: sure})


def _segments(model: AutoModel, picture: Pixels) -> Iterator[tuple[str, float, Mask]]:
    """Yield label, confidence and mask (height, width) of what a model tells apart."""
    outputs = model.outputs(model.picture_inputs([picture]))
    divide = getattr(model.processor, "post_process_panoptic_segmentation", None)
    if divide is None or (not hasattr(outputs, "pred_masks") and not hasattr(outputs, "masks_queries_logits")):
        yield from _by_pixel(model, outputs.logits)
        return
    whole: dict[str, Any] = (
        {"label_ids_to_fuse": set()} if "label_ids_to_fuse" in inspect.signature(divide).parameters else {}
    )
    (seen,) = divide(outputs, threshold=_ENOUGH, target_sizes=[picture.shape[:2]], **whole)
    map = np.asarray(seen["segmentation"])
    for one in seen["segments_info"]:
        if one["label_id"] < len(model.labels):
            yield model.labels[one["label_id"]], float(one["score"]), map == one["id"]


def _by_pixel(model: AutoModel, logits: Any) -> Iterator[tuple[str, float, Mask]]:
    """Yield what a model sees that has a label for each pixel, of its logits (1, labels, height, width)."""
    shares = softmax(logits[0].movedim(0, -1))
    map = shares.argmax(-1)
    for number in np.unique(map).tolist():
        mask = map == number
        yield model.labels[number], float(shares[..., number][mask].mean()), mask
