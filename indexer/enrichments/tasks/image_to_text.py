"""Image to text: what a picture shows, in a sentence that a model writes."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.indexer.enrichments.base import Result, Said, WholePicture
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.search.language.repetition import unrepeated
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.writing import Written, write
from quarry.search.types import Pixels

TASK = Task(
    name="image-to-text",
    heads=(
        "BlipForConditionalGeneration",
        "Blip2ForConditionalGeneration",
        "GitForCausalLM",
        "VisionEncoderDecoderModel",
    ),
    loader="AutoModelForImageTextToText",
    processor="AutoImageProcessor",
    tokenizer="AutoTokenizer",
    command="quarry enrich image-to-text=MODEL",
    option="any `Blip...`, `Blip2...`, `GitForCausalLM` or `VisionEncoderDecoderModel` that writes captions",
    seen="passages of the picture, marked as the model's",
)
_TOKENS = 48  # of a caption


class ImageToText(ModelEnrichment[Pixels]):
    """Writes a caption of a picture, one word after the other, the likeliest each; what repeats itself is cut off.

    How sure it is is the mean probability of its tokens, as logarithms.
    """

    task = TASK
    rendition = WholePicture()

    def look(self, model: AutoModel, items: Sequence[Pixels]) -> list[Result]:
        """Write captions."""
        inputs = {"pixel_values": model.picture_inputs(items)["pixel_values"]}
        return [self._result(one) for one in write(model, inputs, _TOKENS)]

    def _result(self, one: Written) -> Result:
        text = unrepeated(one.text)
        return Result(said=(Said(text, confidence=round(one.mean, 3)),) if text else ())
