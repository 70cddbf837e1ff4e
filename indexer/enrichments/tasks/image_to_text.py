"""Image to text: what a picture shows, in a sentence that a model writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quarry.indexer.enrichments.base import Result, Said, WholePicture
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.search.language.repetition import unrepeated
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.types import Pixels

TASK = Task(
    name="image-to-text",
    heads=("BlipForConditionalGeneration", "GitForCausalLM", "VisionEncoderDecoderModel"),
    loader="AutoModelForImageTextToText",
    processor="AutoImageProcessor",
    tokenizer="AutoTokenizer",
    command="quarry enrich image-to-text=MODEL",
    option="any `Blip...`, `GitForCausalLM` or `VisionEncoderDecoderModel` that writes captions",
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
        written = model.generated(
            inputs,
            max_new_tokens=_TOKENS,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
        )
        tokens = written.sequences[:, -len(written.logits) :]
        texts = [unrepeated(text) for text in model.tokenizer.batch_decode(tokens, skip_special_tokens=True)]
        sure = _sure(tokens, written.logits, set(model.tokenizer.all_special_ids))
        return [
            Result(said=(Said(text, confidence=share),) if text else ())
            for text, share in zip(texts, sure, strict=True)
        ]


def _sure(tokens: Any, logits: Sequence[Any], special: set[int]) -> list[float]:
    """Return the geometric mean of the probabilities of the tokens of each row that are words.

    Args:
        tokens: (batch, length).
        logits: of each of the `length` steps, (batch, vocabulary).
    """
    import torch

    steps = torch.stack([step.float().log_softmax(-1) for step in logits], dim=1)
    shares = steps.gather(-1, tokens[..., None])[..., 0]
    are_words = torch.tensor([[token not in special for token in row] for row in tokens.tolist()])
    means = (shares * are_words).sum(1) / are_words.sum(1).clamp(min=1)
    return [round(float(one), 3) for one in means.exp()]
