"""Sources of models that do a task: where the weights of a name lie, and its card read from them.

A name is a folder's path, or a hub name whose files are in the hub's cache. Nothing is fetched but by `fetch`, no
weight is unpickled, and no code of a model is run.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from quarry.search.errors import ModelDamaged, ModelError
from quarry.search.models import files
from quarry.search.models.auto.card import AutoCard, label_text
from quarry.search.models.auto.task import Task
from quarry.search.models.prepared import remembered
from quarry.search.models.writing import source as writing

is_on_hub, fetch = writing.is_on_hub, writing.fetch
_SAVE = "AutoModel....from_pretrained(...).save_pretrained(FOLDER)"
_PROCESSORS = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
# What models of other tasks are for, by how their architectures are called.
_FOR = {
    "ForSequenceClassification": "text classification",
    "ForTokenClassification": "token classification",
    "ForQuestionAnswering": "question answering",
    "ForMultipleChoice": "multiple choice",
    "ForMaskedLM": "filling in masked words",
    "ForCausalLM": "text generation",
    "LMHeadModel": "text generation",
    "ForConditionalGeneration": "generation",
    "ForImageClassification": "image classification",
    "ForObjectDetection": "object detection",
    "GroundingDinoForObjectDetection": "zero-shot object detection",
    "OwlViTForObjectDetection": "zero-shot object detection",
    "Owlv2ForObjectDetection": "zero-shot object detection",
    "OmDetTurboForObjectDetection": "zero-shot object detection",
    "ForSemanticSegmentation": "image segmentation",
    "ForInstanceSegmentation": "image segmentation",
    "ForUniversalSegmentation": "image segmentation",
    "ForSegmentation": "image segmentation",
    "ForDepthEstimation": "depth estimation",
    "ForAudioClassification": "audio classification",
    "ForCTC": "speech recognition",
    "ForSpeechSeq2Seq": "speech recognition",
    "ForVideoClassification": "video classification",
    "EncoderDecoderModel": "generation",
    "Model": "embedding",
}


def resolve(name: str, task: Task) -> AutoCard:
    """Find the model called `name` and return its card, hashing unchanged weights only once (about 1 GB/s).

    Raises:
        ModelMissing: there is no such model on this machine.
        ModelError: it is a model of another task.
        ModelDamaged: its files are not those of a transformers model, or lack safetensors weights or what makes its
            input.
    """
    folder = writing.find(name)
    key = f"{task.name}|{name}|{folder}"
    return remembered(key, lambda: folder.glob("*"), AutoCard, lambda: read_card(folder, name, task))


def read_card(folder: Path, name: str, task: Task) -> AutoCard:
    """Read the card of the model in `folder`, hashing its weights; raise as `resolve` does."""
    config = files.read_json(folder / "config.json", model="a transformers model")
    stated = config.get("architectures") or []
    architecture = str(stated[0]) if isinstance(stated, list) and stated else "model of no stated architecture"
    if not architecture.endswith(task.heads) or architecture.endswith(task.others):
        raise ModelError(_wrong(name, architecture, task))
    tokenizer = files.read_json(folder / "tokenizer_config.json", optional=True)
    return AutoCard(
        name=name,
        family=str(config.get("model_type", "unknown")),
        source=str(folder),
        sha256=files.weights_sha256(folder, [folder.resolve()], _SAVE),
        config_sha256=files.sha256_of_values({k: v for k, v in config.items() if k not in files.INCIDENTAL}),
        tokenizer_sha256=_input_sha256(folder, task),
        licence=files.licence(folder),
        task=task.name,
        labels=_labels(config.get("id2label")),
        max_tokens=files.max_tokens(config, {}, tokenizer),
    )


def _wrong(name: str, architecture: str, task: Task) -> str:
    ends = [end for end in _FOR if architecture.endswith(end)]
    what = f", a model for {_FOR[max(ends, key=len)]}" if ends else ""
    return f"{name} is a {architecture}{what}, and not for {task.name}: give a model of the kind {_kinds(task)}."


def _kinds(task: Task) -> str:
    return " or ".join(f"...{head}" for head in task.heads)


def _labels(stated: Any) -> tuple[str, ...]:
    """Return the labels of a configuration in the order of their numbers, () where they are none."""
    if not isinstance(stated, dict) or not all(str(number).isdigit() for number in stated):
        return ()
    return tuple(label_text(label) for _, label in sorted(stated.items(), key=lambda one: int(one[0])))


def _input_sha256(folder: Path, task: Task) -> str:
    """Return a digest of the files that say how a model's input is made."""
    found = {name: files.file_sha256(folder / name) for name in _PROCESSORS if (folder / name).is_file()}
    is_of_words = task.processor == "AutoTokenizer"
    with nullcontext() if is_of_words or task.tokenizer else suppress(ModelDamaged):  # many have none
        found["tokenizer"] = files.tokenizer_sha256(folder)
    if not is_of_words and found.keys() <= ({"tokenizer"} if not task.may_lack_pictures else set()):
        raise ModelDamaged(f"{folder} holds no preprocessor_config.json; fetch the model again.")
    return files.sha256_of_values(sorted(found.items()))
