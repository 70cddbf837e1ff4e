"""Zero-shot object detection: where in a picture something is that has one of the labels that one gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from quarry.indexer.enrichments.base import Result
from quarry.indexer.enrichments.tasks.objects import Object, ObjectEnrichment, boxes_of
from quarry.search.models.auto.serving import AutoModel, portions, sigmoid
from quarry.search.models.auto.task import Task
from quarry.search.types import Pixels

_GROUNDED = "GroundingDinoForObjectDetection"
HEADS = ("OwlViTForObjectDetection", "Owlv2ForObjectDetection", _GROUNDED)
TASK = Task(
    name="zero-shot-object-detection",
    heads=HEADS,
    loader="AutoModelForZeroShotObjectDetection",
    processor="AutoProcessor",
    takes_labels=True,
    command="quarry enrich zero-shot-object-detection=MODEL --labels A,B,C",
    option="any `OwlViT...`, `Owlv2...` or `GroundingDinoForObjectDetection`",
    seen="the field `objects`: filters, facets; passages that open at their box, drawn in a sheet and on the page",
)
_ENOUGH, _ENOUGH_OF_WORDS = 0.1, 0.25  # as their makers have it: of OWL models, and of those that score words
_AT_ONCE, _WORDS_AT_ONCE = 64, 8  # labels; Grounding DINO reads 256 tokens


class ZeroShotObjectDetection(ObjectEnrichment):
    """Finds objects of the labels that were given, a picture at a time."""

    task = TASK

    def look(self, model: AutoModel, items: Sequence[Pixels]) -> list[Result]:
        """Find the objects in pictures."""
        look = _by_words if type(model.model).__name__.endswith(_GROUNDED) else _by_labels
        template = self.chosen.template or ("{}" if look is _by_words else "a photo of a {}")
        return [self.found(look(model, picture, self.chosen.labels, template)) for picture in items]


def _by_labels(model: AutoModel, picture: Pixels, labels: Sequence[str], template: str) -> Iterator[Object]:
    """Yield what a model of the OWL family sees: it scores each label by itself."""
    height, width = picture.shape[:2]
    for some in portions(labels, _AT_ONCE):
        asked = [template.replace("{}", label) for label in some]
        outputs = model.outputs(model.picture_inputs([picture], text=[asked], truncation=True))
        made = model.processor.image_processor
        (seen,) = made.post_process_object_detection(outputs, threshold=_ENOUGH, target_sizes=[(height, width)])
        boxes = boxes_of(seen["boxes"], height, width)
        for label, score, box in zip(seen["labels"].tolist(), seen["scores"].tolist(), boxes, strict=True):
            if box is not None and label < len(some):
                yield Object(some[label], score, box)


def _by_words(model: AutoModel, picture: Pixels, labels: Sequence[str], template: str) -> Iterator[Object]:
    """Yield what a model sees that scores the words of a text: each by the label whose surest word fits it best."""
    for some in portions(labels, _WORDS_AT_ONCE):
        text, ranges = "", []
        for label in some:
            asked = template.replace("{}", label).lower().replace(".", " ").strip()
            ranges.append((len(text), len(text) + len(asked)))
            text += f"{asked}. "
        spans = model.processor.tokenizer(text.strip(), return_offsets_mapping=True)["offset_mapping"]
        outputs = model.outputs(model.picture_inputs([picture], text=text.strip()))
        scores = sigmoid(outputs.logits[0])
        own = [
            [at for at, (a, b) in enumerate(spans[: scores.shape[1]]) if start <= a < b <= end] for start, end in ranges
        ]
        each = np.stack([scores[:, tokens].max(1) if tokens else np.zeros(len(scores)) for tokens in own], axis=1)
        centres = np.asarray(outputs.pred_boxes[0].float(), np.float64)
        middle, half = centres[:, :2], centres[:, 2:] / 2
        for row, box in zip(each, boxes_of(np.hstack([middle - half, middle + half]), 1, 1), strict=True):
            best = int(row.argmax())
            if box is not None and row[best] >= _ENOUGH_OF_WORDS:
                yield Object(some[best], float(row[best]), box)
