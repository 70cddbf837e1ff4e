"""Export of image models: an open_clip model into two ONNX graphs, compared with it from raw pictures and strings.

    python -m quarry.search.models.image_export NAME --into FOLDER

Runs in a process of its own, as `search.models.export` does, and writes the same JSON lines. Without `--into` it only
fetches from the hub, and writes down what open_clip says of a pretrained tag.

visual.onnx takes `pixels` (1, height, width, 3) uint8, textual.onnx `input_ids` (1, context length); each gives
`vectors` (1, dimension) of length 1. Where a text model is the text tower, projection.npy takes the second one's place.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quarry.search.errors import ModelMissing
from quarry.search.models import image_originals, image_parity, image_sources, sources, text_sources
from quarry.search.models.export import finish, run, scripts_of
from quarry.search.models.image_cards import ImageCard
from quarry.search.models.image_originals import Original
from quarry.search.models.image_sources import CONFIG, TOKENIZER_FILES, WEIGHTS
from quarry.search.models.image_tokenizers import separator_id, serving_tokenizer
from quarry.search.models.parity import EXACT, Parity
from quarry.search.models.prepared import PROJECTION, TEXTUAL, TOKENIZER, VISUAL, Prepared
from quarry.search.models.quantize import optimise
from quarry.search.models.text_originals import TextOriginal
from quarry.search.models.tracing import NotExportable, traced
from quarry.search.types import Vectors

if TYPE_CHECKING:
    from onnx import ModelProto

_LARGEST = 1_800_000_000  # bytes of weights; a serialized graph must stay under 2 GiB
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
    return export_original(image_originals.load(image_sources.resolve(name)), into, say)


def export_original(original: Original, into: Path, say: Callable[[str], None]) -> Prepared[ImageCard]:
    """Export a loaded model into the new folder `into`, as `export` does."""
    card = original.card
    into.mkdir(parents=True)
    made = Prepared(into, card, "float32", {}, versions={library: version(library) for library in _LIBRARIES})
    try:
        parts = _text_parts(original, say)
        if TOKENIZER in parts:
            made = replace(made, card=replace(card, scripts=card.scripts or scripts_of(parts[TOKENIZER])))
        say(f"exporting the image tower of {card.name} to ONNX")
        parts[VISUAL] = optimise(visual_graph(original))
        for part, content in parts.items():
            (into / part).write_bytes(content)
        made = replace(made, files={part: hashlib.sha256(content).hexdigest() for part, content in parts.items()})
        say(f"comparing {card.name} with its original")
        return finish(replace(made, parity=_parity(made, original)))
    except (OSError, ModelMissing):
        raise
    except Exception as error:  # whatever a library meets in a model's code
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if not isinstance(error, NotExportable):
            reason = f"the export failed: {reason}"
    for path in into.iterdir():
        path.unlink()
    notice = f"{card.name} is served by open_clip itself, which is slower and takes more memory: {reason}."
    return finish(replace(made, precision="torch", files={}, notice=notice))


def _text_parts(original: Original, say: Callable[[str], None]) -> dict[str, bytes]:
    """Return the files that the side of texts needs, by name."""
    if original.projection is not None:
        content = io.BytesIO()
        np.save(content, original.projection, allow_pickle=False)
        return {PROJECTION: content.getvalue()}
    tokenizer = serving_tokenizer(original.tokenizer, original.card)
    say(f"exporting the text tower of {original.card.name} to ONNX")
    return {TOKENIZER: tokenizer, TEXTUAL: optimise(textual_graph(original))}


def visual_graph(original: Original) -> ModelProto:
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

    _check_size(getattr(original.model, "visual", original.model))
    height, width = card.preprocessing.height, card.preprocessing.width
    example = (torch.arange(height * width * 3) % 251).reshape(1, height, width, 3).to(torch.uint8)
    return traced(Visual(), example, "pixels", "vectors")


def textual_graph(original: Original) -> ModelProto:
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
    _check_size(getattr(original.model, "text", original.model))
    # The tokens of a short text: padding must be part of what is traced.
    return traced(Textual(), original.tokenizer(["a photo of a dog"]), "input_ids", "vectors")


def _check_size(module: Any) -> None:
    if sum(parameter.numel() * parameter.element_size() for parameter in module.parameters()) > _LARGEST:
        raise NotExportable("its weights are larger than an ONNX graph may be")


def _parity(made: Prepared[ImageCard], original: Original) -> Mapping[str, float]:
    """Compare what is served with the original.

    Raises:
        NotExportable: they differ.
    """
    from quarry.search.encoders.image import OnnxImageEncoder

    encoder = OnnxImageEncoder(made)
    images = image_parity.pictures()
    transform = image_parity.own_transform(made.card)
    pictures = Parity.of(
        encoder.encode_pictures(image_parity.fitted(made.card, images)),
        original.encode_floats([transform(image) for image in images]),
    )
    texts = Parity.of(encoder.encode_texts(image_parity.texts()), _text_reference(made.card, original))
    for parity, least, what in (
        (pictures, EXACT, "pictures"),
        (texts, _PROJECTED if made.card.text_tower else EXACT, "texts"),
    ):
        if parity.least < least:
            raise NotExportable(f"the exported graph differs from the model for {what} (cosine {parity.least:.4f})")
    return {
        "min": min(pictures.least, texts.least),
        "mean": round((pictures.mean + texts.mean) / 2, 6),
        "pictures_min": pictures.least,
        "texts_min": texts.least,
    }


def _text_reference(card: ImageCard, original: Original) -> Vectors:
    if original.projection is None:
        return original.encode_texts(image_parity.texts())
    tower = TextOriginal(text_sources.resolve(card.text_tower))
    vectors = tower.encode(image_parity.texts(), "query") @ original.projection
    units = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
    return card.with_constant(units)


def fetch(name: str) -> None:
    """Fetch an image model from the hub into its cache: weights in safetensors, configuration, tokenizer.

    Raises:
        ModelMissing: that was not possible.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    try:
        if name.startswith(image_sources.HUB):
            repository = name.removeprefix(image_sources.HUB)
            config = sources.read_json(Path(hf_hub_download(repository, CONFIG)))
            file = WEIGHTS
        else:
            repository, file, config = _tag(name)
        hf_hub_download(repository, file)
        snapshot_download(repository, allow_patterns=["README.md"])
        text = config["model_cfg"]["text_cfg"]
        if tokenizer := text.get("hf_tokenizer_name"):
            snapshot_download(tokenizer, allow_patterns=[*TOKENIZER_FILES, "config.json"])
        if tower := text.get("hf_model_name"):
            hf_hub_download(tower, "config.json")
    except ModelMissing:
        raise
    except Exception as error:  # a dozen kinds, from requests and the hub alike
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelMissing(
            f"the image model {name!r} is not on this machine and could not be fetched from the hub ({reason}). "
            "Fetch it where the hub can be reached, and give the path of its folder. Only safetensors are fetched."
        ) from error
    if not name.startswith(image_sources.HUB):
        image_sources.note_tag(name, repository, file, config)


def _tag(name: str) -> tuple[str, str, dict[str, Any]]:
    """Return the hub's repository, the file in it and the configuration that open_clip's pretrained tag stands for."""
    from open_clip import get_pretrained_cfg, list_pretrained_tags_by_model
    from open_clip.transform import PreprocessCfg, merge_preprocess_dict

    architecture, tag = image_sources.parts(name)
    known = get_pretrained_cfg(architecture, tag)
    if not known:
        tags = ", ".join(list_pretrained_tags_by_model(architecture)) or "none"
        raise ModelMissing(f"open_clip has no weights {tag!r} for {architecture}; it has: {tags}.")
    repository, _, file = str(known.get("hf_hub") or "").rpartition("/")
    if not repository:
        raise ModelMissing(f"the weights {name!r} are not on the hub: download them, and save them as {WEIGHTS}.")
    config = image_sources.architecture_config(architecture)
    if known.get("quick_gelu"):
        config["quick_gelu"] = True  # what the weights were trained with, whatever the architecture's name says
    pixels = merge_preprocess_dict(PreprocessCfg(), known)
    safe = f"{file.rpartition('.')[0]}.safetensors" if file and file != "open_clip_pytorch_model.bin" else WEIGHTS
    return repository, safe, {"model_cfg": config, "preprocess_cfg": pixels}


if __name__ == "__main__":
    sys.exit(run("quarry.search.models.image_export", export, fetch))
