"""Export of image models: an open_clip model into two ONNX graphs, compared with it from raw pictures and strings.

Needs torch, but for the embedded model, and is run in a process of its own (`search.models.exporting`).

visual.onnx takes `pixels` (1, height, width, 3) uint8, textual.onnx `input_ids` (1, context length); each gives
`vectors` (1, dimension) of length 1. Where a text model is the text tower, projection.npy takes the second one's place.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quarry.search.errors import ModelMissing
from quarry.search.models.image import embedded
from quarry.search.models.image.card import ImageCard
from quarry.search.models.image.original import ImageOriginal, load
from quarry.search.models.image.parity import check
from quarry.search.models.image.serving import OnnxImageEncoder
from quarry.search.models.image.source import resolve
from quarry.search.models.image.tokenizing import separator_id, serving_tokenizer
from quarry.search.models.prepared import PROJECTION, TEXTUAL, TOKENIZER, VISUAL, Prepared, versions
from quarry.search.models.quantize import optimise
from quarry.search.models.text.parity import EXACT
from quarry.search.models.tokenizing import scripts_of
from quarry.search.models.tracing import NotExportable, check_size, reason_of, traced

if TYPE_CHECKING:
    from onnx import ModelProto

_PROJECTED = 0.95  # least cosine where a text model is the text tower: in few dimensions its int8 form is coarser
_LIBRARIES = ("torch", "open_clip_torch", "timm", "transformers", "onnx", "onnxruntime", "tokenizers", "ftfy")


def export(name: str, into: Path, say: Callable[[str], None]) -> Prepared[ImageCard]:
    """Export the model called `name` into the new folder `into`.

    A model that can't be exported to within `EXACT` of itself is left to torch; the `notice` then says so.

    Raises:
        ModelMissing: there is no such model.
        ModelDamaged: its weights are not what they should be, or can't be loaded.
    """
    say(f"reading {name}")
    card = resolve(name)
    return embedded.draw(into) if card == embedded.CARD else export_original(load(card), into, say)


def export_original(original: ImageOriginal, into: Path, say: Callable[[str], None]) -> Prepared[ImageCard]:
    """Export a loaded model into the new folder `into`, as `export` does."""
    card = original.card
    into.mkdir(parents=True)
    made = Prepared(into, card, "float32", {}, versions=versions(_LIBRARIES))
    try:
        parts = _text_parts(original, say)
        if TOKENIZER in parts:
            made = replace(made, card=replace(card, scripts=card.scripts or scripts_of(parts[TOKENIZER])))
        say(f"exporting the image tower of {card.name} to ONNX")
        parts[VISUAL] = optimise(visual_graph(original))
        for part, content in parts.items():
            (into / part).write_bytes(content)
        made = made.hashed()
        say(f"comparing {card.name} with its original")
        return replace(made, parity=_parity(made, original)).finished()
    except (OSError, ModelMissing):
        raise
    except Exception as error:  # whatever a library meets in a model's code
        reason = reason_of(error)
        if not isinstance(error, NotExportable):
            reason = f"the export failed: {reason}"
    notice = f"{card.name} is served by open_clip itself, which is slower and takes more memory: {reason}."
    return replace(made.emptied(), precision="torch", notice=notice).finished()


def _text_parts(original: ImageOriginal, say: Callable[[str], None]) -> dict[str, bytes]:
    """Return the files that the side of texts needs, by name."""
    if original.projection is not None:
        content = io.BytesIO()
        np.save(content, original.projection, allow_pickle=False)
        return {PROJECTION: content.getvalue()}
    tokenizer = serving_tokenizer(original.tokenizer, original.card)
    say(f"exporting the text tower of {original.card.name} to ONNX")
    return {TOKENIZER: tokenizer, TEXTUAL: optimise(textual_graph(original))}


def visual_graph(original: ImageOriginal) -> ModelProto:
    """Trace the image tower, with what comes before and after it: uint8 pixels -> vectors of length 1."""
    import torch

    card = original.card

    class Visual(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.model = original.model
            mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (card.mean, card.std))
            self.register_buffer("scale", 1 / (255 * std))
            self.register_buffer("shift", mean / std)

        def forward(self, pixels: Any) -> Any:
            values = pixels.permute(0, 3, 1, 2).float() * self.scale - self.shift
            return torch.nn.functional.normalize(self.model.encode_image(values), dim=-1)

    check_size(getattr(original.model, "visual", original.model))
    height, width = card.preprocessing.height, card.preprocessing.width
    example = (torch.arange(height * width * 3) % 251).reshape(1, height, width, 3).to(torch.uint8)
    return traced(Visual(), example, "pixels", "vectors")


def textual_graph(original: ImageOriginal) -> ModelProto:
    """Trace the text tower: what `serving_tokenizer` gives -> vectors of length 1."""
    import torch

    separator = separator_id(original.tokenizer)

    class Textual(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.model = original.model

        def forward(self, input_ids: Any) -> Any:
            if separator >= 0:
                input_ids = torch.where(input_ids == separator, torch.zeros_like(input_ids), input_ids)
            return torch.nn.functional.normalize(self.model.encode_text(input_ids), dim=-1)

    assert original.tokenizer is not None
    check_size(getattr(original.model, "text", original.model))
    # The tokens of a short text: padding must be part of what is traced.
    return traced(Textual(), original.tokenizer(["a photo of a dog"]), "input_ids", "vectors")


def _parity(made: Prepared[ImageCard], original: ImageOriginal) -> Mapping[str, float]:
    """Compare what is served with the original.

    Raises:
        NotExportable: they differ.
    """
    figures = check(OnnxImageEncoder(made), original)
    for what, least in (("pictures", EXACT), ("texts", _PROJECTED if made.card.text_tower else EXACT)):
        if (found := figures[f"{what}_min"]) < least:
            raise NotExportable(f"the exported graph differs from the model for {what} (cosine {found:.4f})")
    return figures
