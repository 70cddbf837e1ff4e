"""Sources of image models: where the weights of a name lie, and its card read from them, without torch or open_clip.

A name is, in this order:

    quarry-lite0                       the embedded model
    /a/folder, local-dir:/a/folder     what open_clip saved: open_clip_config.json and open_clip_model.safetensors
    hf-hub:org/name                    the same on the hub
    ViT-B-32/laion2b_s34b_b79k         one of open_clip's architectures with one of its pretrained tags
    ViT-B-32//weights.safetensors      one of open_clip's architectures with a file

What open_clip makes of a pretrained tag is written down when it is fetched (`fetch`), since only
open_clip itself can tell. Nothing else is fetched here, no weight is unpickled, and no code of a model is run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.files.uris import expanded
from quarry.search.models import files, hub
from quarry.search.models.extra import need
from quarry.search.models.image.card import ImageCard
from quarry.search.models.image.embedded import CARD
from quarry.search.models.prepared import models_folder, note, remembered
from quarry.search.types import Preprocessing

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
HUB, FOLDER = "hf-hub:", "local-dir:"

_WEIGHTS = (WEIGHTS, "open_clip_pytorch_model.safetensors", "model.safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".npz")
_KIND = "an open_clip model"
_RESIZES: dict[str, Literal["squash", "shortest", "longest"]] = {
    "squash": "squash",
    "shortest": "shortest",
    "longest": "longest",
}
# open_clip's own values, where a configuration has none.
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# Options of a tokenizer that may come from a model's configuration; others could name code to be run.
_TOKENIZER_OPTIONS = {"clean", "strip_sep_token", "language", "additional_special_tokens", "reduction_mask"}
# Where things lie, and what open_clip decides by itself: no part of what a model computes.
_INCIDENTAL = {"hf_model_name", "hf_tokenizer_name", "hf_model_pretrained", "timm_model_pretrained"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an image model comes from.

    Args:
        name: what the user calls it.
        config: what open_clip_config.json holds or would hold: `model_cfg` and `preprocess_cfg`.
        weights: its safetensors file.
        tokenizer: the folder of its Hugging Face tokenizer, None where it has CLIP's.
        text_config: the config.json of its Hugging Face text tower, None where it has open_clip's.
    """

    name: str
    config: Mapping[str, Any]
    weights: Path
    tokenizer: Path | None = None
    text_config: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All that its card is read from."""
        tokenizer = [self.tokenizer / name for name in TOKENIZER_FILES] if self.tokenizer else []
        return [self.weights, *tokenizer, *([self.text_config] if self.text_config else [])]


def resolve(name: str) -> ImageCard:
    """Find the image model called `name` and return its card, hashing unchanged weights only once.

    Raises:
        ModelMissing: there is no such model on this machine.
        ModelDamaged: its files are not those of an open_clip model, or lack safetensors weights.
    """
    if name == CARD.name:
        return CARD
    origin = find(name)
    key = f"image|{name}|{origin.weights}|{files.sha256_of_values(origin.config)}"
    return remembered(key, lambda: origin.files, ImageCard, lambda: read_card(origin))


def find(name: str) -> Origin:
    """Find the files of the image model called `name`, which is not the embedded one.

    Raises:
        ModelMissing: they are not on this machine.
        ModelDamaged: they are not those of an open_clip model, or its weights are pickled.
    """
    if folder := _folder(name):  # by its absolute path, so that a library finds it again from any other
        return _origin(str(folder), _config(folder), _weights(folder), folder)
    if name.startswith(FOLDER):
        raise ModelMissing(f"{name.removeprefix(FOLDER)} is no folder: give the path of one that open_clip saved.")
    if name.startswith(HUB):
        snapshot = hub.snapshot(name.removeprefix(HUB))
        if snapshot is None or not (snapshot / CONFIG).is_file():
            raise _missing(name)
        return _origin(name, _config(snapshot), _weights(snapshot), None)
    architecture, checkpoint = parts(name)
    if checkpoint.endswith(_PICKLES):
        raise _pickled(Path(checkpoint))
    if checkpoint.endswith(".safetensors"):
        file = _file(checkpoint)
        if file is None:
            raise ModelMissing(f"there is no file {checkpoint}: give the path of {architecture}'s weights.")
        return _origin(f"{architecture}/{file}", {"model_cfg": architecture_config(architecture)}, file, None)
    tag = files.read_json(_tag_file(name), optional=True, model=_KIND)
    snapshot = hub.snapshot(str(tag.get("repository", ""))) if tag else None
    if snapshot is None or not (weights := snapshot / str(tag.get("file"))).is_file():
        raise _missing(name)
    return _origin(name, _checked(tag.get("config"), _tag_file(name)), weights, None)


def parts(name: str) -> tuple[str, str]:
    """Split a name into one of open_clip's architectures and a tag or file.

    Raises:
        ModelMissing: it is no such name, or open_clip is not installed.
    """
    need(name, "open_clip")
    architecture, _, checkpoint = name.partition("/")
    if not checkpoint or _architecture_file(architecture) is None:
        what = f"open_clip has no architecture {architecture!r}" if checkpoint else "it names no weights"
        raise ModelMissing(
            f"no image model {name!r}: {what}. Give ARCHITECTURE/TAG as open_clip lists them, hf-hub:ORG/NAME, "
            "or the path of a folder that open_clip saved."
        )
    return architecture, checkpoint


def is_on_hub(name: str) -> bool:
    """Return whether the weights of `name` might be fetched from the hub."""
    if name.startswith(HUB):
        return bool(hub.names_of(name.removeprefix(HUB)))
    architecture, _, checkpoint = name.partition("/")
    known = not name.startswith(FOLDER) and _architecture_file(architecture) is not None
    return known and bool(checkpoint) and not checkpoint.endswith((".safetensors", *_PICKLES))


def architecture_config(architecture: str) -> dict[str, Any]:
    """Return open_clip's configuration of one of its architectures."""
    path = _architecture_file(architecture)
    assert path is not None, architecture
    config: dict[str, Any] = files.read_json(path, model=_KIND)
    return config


def fetch(name: str) -> None:
    """Fetch an image model from the hub into its cache: weights in safetensors, configuration, tokenizer.

    Raises:
        ModelMissing: that was not possible.
    """
    need(name, "huggingface_hub")
    from huggingface_hub import hf_hub_download, snapshot_download

    try:
        if name.startswith(HUB):
            repository = name.removeprefix(HUB)
            config = files.read_json(Path(hf_hub_download(repository, CONFIG)))
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
    if not name.startswith(HUB):  # for processes without open_clip
        note(_tag_file(name), {"repository": repository, "file": file, "config": config})


def _tag(name: str) -> tuple[str, str, dict[str, Any]]:
    """Return the hub's repository, the file in it and the configuration that open_clip's pretrained tag stands for."""
    from open_clip import get_pretrained_cfg, list_pretrained_tags_by_model
    from open_clip.transform import PreprocessCfg, merge_preprocess_dict

    architecture, tag = parts(name)
    known = get_pretrained_cfg(architecture, tag)
    if not known:
        tags = ", ".join(list_pretrained_tags_by_model(architecture)) or "none"
        raise ModelMissing(f"open_clip has no weights {tag!r} for {architecture}; it has: {tags}.")
    repository, _, file = str(known.get("hf_hub") or "").rpartition("/")
    if not repository:
        raise ModelMissing(f"the weights {name!r} are not on the hub: download them, and save them as {WEIGHTS}.")
    config = architecture_config(architecture)
    if known.get("quick_gelu"):
        config["quick_gelu"] = True  # what the weights were trained with, whatever the architecture's name says
    pixels = merge_preprocess_dict(PreprocessCfg(), known)
    safe = f"{file.rpartition('.')[0]}.safetensors" if file and file != "open_clip_pytorch_model.bin" else WEIGHTS
    return repository, safe, {"model_cfg": config, "preprocess_cfg": pixels}


def read_card(origin: Origin) -> ImageCard:
    """Read the card of the model of `origin`, hashing its weights.

    Raises:
        ModelDamaged: a file is missing or malformed.
    """
    try:
        return _read_card(origin)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelDamaged(f"the configuration of {origin.name} is not one of open_clip's ({error!r}).") from error


def _read_card(origin: Origin) -> ImageCard:
    model = origin.config["model_cfg"]
    vision, text = model["vision_cfg"], model["text_cfg"]
    pixels = origin.config.get("preprocess_cfg") or {}
    options = text.get("tokenizer_kwargs") or {}
    if unknown := set(options) - _TOKENIZER_OPTIONS:
        raise ModelDamaged(f"{origin.name} asks for tokenizer options that are not allowed: {', '.join(unknown)}.")
    size = vision.get("image_size", 224)
    height, width = (size, size) if isinstance(size, int) else (int(side) for side in size)
    resize = _RESIZES[pixels.get("resize_mode") or "shortest"]
    # open_clip hands no other interpolation on to a model that is not square.
    bilinear = pixels.get("interpolation") == "bilinear" and (resize != "shortest" or width == height)
    text_config = files.read_json(origin.text_config, model=_KIND) if origin.text_config else {}
    return ImageCard(
        name=origin.name,
        dimension=int(model["embed_dim"]),
        preprocessing=Preprocessing(
            width, height, resize, "bilinear" if bilinear else "bicubic", int(pixels.get("fill_color") or 0)
        ),
        family=_family(vision),
        source=str(origin.weights.parent),
        sha256=files.file_sha256(origin.weights),
        config_sha256=files.sha256_of_values(
            [
                model | {"vision_cfg": _decisive(vision), "text_cfg": _decisive(text)},
                {key: value for key, value in text_config.items() if key not in files.INCIDENTAL},
            ]
        ),
        mean=_colours(pixels.get("mean"), _MEAN),
        std=_colours(pixels.get("std"), _STD),
        context_length=int(text.get("context_length") or 77),
        tokenizer="huggingface" if origin.tokenizer else "clip",
        tokenizer_sha256=files.tokenizer_sha256(origin.tokenizer) if origin.tokenizer else "",
        clean=str(options.get("clean") or ("whitespace" if origin.tokenizer else "lower")),
        licence=files.licence(origin.weights.parent),
    )


def _origin(name: str, config: Mapping[str, Any], weights: Path, folder: Path | None) -> Origin:
    """Find what a configuration refers to; `folder` is that of a model saved with its tokenizer."""
    text = config["model_cfg"].get("text_cfg") or {}
    tokenizer = text_config = None
    if hub_name := text.get("hf_tokenizer_name"):
        own = folder if folder and any((folder / file).is_file() for file in TOKENIZER_FILES) else None
        tokenizer = own or _folder(str(hub_name)) or hub.snapshot(str(hub_name))
        if tokenizer is None:
            raise _missing_part(name, "tokenizer", str(hub_name))
    if hub_name := text.get("hf_model_name"):
        place = _folder(str(hub_name)) or hub.snapshot(str(hub_name))
        if place is None or not (text_config := place / "config.json").is_file():
            raise _missing_part(name, "text tower", str(hub_name))
    return Origin(name, config, weights, tokenizer, text_config)


def _folder(name: str) -> Path | None:
    try:
        folder = expanded(name.removeprefix(FOLDER))
        return folder.resolve() if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # over-long, no such home, a NUL
        return None


def _file(path: str) -> Path | None:
    try:
        file = expanded(path)
        return file.resolve() if file.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    return _checked(files.read_json(path, model=_KIND), path)


def _checked(config: Any, path: Path) -> dict[str, Any]:
    model = config.get("model_cfg") if isinstance(config, dict) else None
    if not isinstance(model, dict) or not all(isinstance(model.get(part), dict) for part in ("vision_cfg", "text_cfg")):
        raise ModelDamaged(f"{path} describes no model of open_clip; fetch or save the model again.")
    values: dict[str, Any] = config
    return values


def _weights(folder: Path) -> Path:
    """Return the file that open_clip would load, if it is safetensors."""
    found = files.weight_files([folder])
    for name in _WEIGHTS:
        if folder / name in found:
            return folder / name
    if found:
        return found[0]
    pickles = sorted(path for path in folder.glob("*") if path.suffix in _PICKLES)
    raise _pickled(pickles[0]) if pickles else ModelDamaged(f"{folder} holds no {WEIGHTS}; fetch the model again.")


def _pickled(path: Path) -> ModelDamaged:
    return ModelDamaged(
        f"{path} is pickled, and pickled weights are not read, since they may run code. Save them as {WEIGHTS} with "
        "`safetensors.torch.save_file(open_clip.load_state_dict(FILE), ...)` where you trust them."
    )


def _missing(name: str) -> ModelMissing:
    return ModelMissing(
        f"no image model {name!r} on this machine: it is not prepared, nor in the hub's cache ({hub.cache()}). "
        f"Run `quarry models --prepare --image-model {name}` where the hub can be reached, or give the path of a "
        "folder that open_clip saved."
    )


def _missing_part(name: str, part: str, hub_name: str) -> ModelMissing:
    """Say what fetches a part that a model names by its hub name; a folder's is not fetched with it."""
    if not hub.names_of(hub_name):
        where = f"{hub_name} is no folder: copy it there, or name another in {CONFIG}."
    elif is_on_hub(name):
        where = f"run `quarry models --prepare --image-model {name}` where the hub can be reached."
    else:
        where = f"run `hf download {hub_name}` where the hub can be reached, or put a folder's path into {CONFIG}."
    return ModelMissing(
        f"the image model {name} takes its {part} from {hub_name}, which is not in the hub's cache "
        f"({hub.cache()}): {where}"
    )


def _architecture_file(architecture: str) -> Path | None:
    spec = find_spec("open_clip")
    if not spec or not re.fullmatch(r"\w[\w.-]{,99}", architecture, re.ASCII):
        return None
    for place in spec.submodule_search_locations or ():
        if (path := Path(place) / "model_configs" / f"{architecture}.json").is_file():
            return path
    return None


def _tag_file(name: str) -> Path:
    return models_folder() / "sources" / f"tag-{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def _family(vision: Mapping[str, Any]) -> str:
    if timm := vision.get("timm_model_name"):
        return str(timm)
    layers, width = vision.get("layers", 12), vision.get("width", 768)
    if isinstance(layers, list):
        return f"resnet-{'-'.join(map(str, layers))}x{width}"
    return f"vit-{layers}x{width}-patch{vision.get('patch_size', 16)}"


def _decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _INCIDENTAL}


def _colours(values: Any, default: tuple[float, float, float]) -> tuple[float, float, float]:
    if values is None:
        return default
    red, green, blue = (values,) * 3 if isinstance(values, int | float) else values
    return float(red), float(green), float(blue)
