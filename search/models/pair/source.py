"""Sources of readers and cross-encoders: where the weights of a name lie, and its card read from them.

A name is, in this order, that of an embedded reader, a folder's path, or a hub name whose files are in the hub's cache.
A reader is any transformers model for question answering, a cross-encoder any of sentence-transformers with one label.
Nothing is fetched here, no weight is unpickled, and no code of a model is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from quarry.search.errors import ModelDamaged
from quarry.search.models import files, hub
from quarry.search.models.pair import embedded, multilingual
from quarry.search.models.pair.card import PairCard, PairTask
from quarry.search.models.prepared import Prepared, remembered
from quarry.search.models.text.tokens import Tokens


class Embedded(Protocol):
    """What a module of an embedded reader holds."""

    CARD: PairCard
    WEIGHTS: str

    def draw(self, into: Path) -> Prepared[PairCard]:
        """Write its prepared form into a new folder."""
        ...

    def build(self) -> Any:
        """Return the model in torch."""
        ...

    def untrained(self) -> Any:
        """Return the model as training begins with it."""
        ...

    def tokens(self) -> Tokens:
        """Return what cuts texts for it."""
        ...


_MODULES: Sequence[Embedded] = (embedded, multilingual)
EMBEDDED: Mapping[str, Embedded] = {module.CARD.name: module for module in _MODULES}
_ARCHITECTURES: Mapping[PairTask, tuple[str, str, str]] = {
    "reader": (
        "ForQuestionAnswering",
        "a question-answering model: name one that was trained for extractive question answering",
        "AutoModelForQuestionAnswering.from_pretrained(NAME).save_pretrained(FOLDER)",
    ),
    "cross-encoder": (
        "ForSequenceClassification",
        "a cross-encoder: name one that was trained to score pairs of query and passage",
        "CrossEncoder(NAME).save(FOLDER)",
    ),
}


def resolve(name: str, task: PairTask) -> PairCard:
    """Find the model called `name` and return its card, hashing unchanged weights only once.

    Raises:
        ModelMissing: there is no such model on this machine.
        ModelDamaged: its files are not those of a model for `task`, or lack safetensors weights or a tokenizer.
    """
    if name in EMBEDDED and task == "reader":
        return EMBEDDED[name].CARD
    folder = find(name, task)
    return remembered(
        f"{task}|{name}|{folder}", lambda: folder.glob("*"), PairCard, lambda: read_card(folder, name, task)
    )


def is_on_hub(name: str) -> bool:
    """Whether `name` might be one on the hub."""
    return name not in EMBEDDED and bool(hub.names_of(name))


def fetch(name: str) -> None:
    """Fetch a model from the hub into its cache.

    Raises:
        ModelMissing: that was not possible.
    """
    hub.download(name, name)


def find(name: str, task: PairTask) -> Path:
    """Return the folder that holds the model called `name`, which is no embedded one.

    Raises:
        ModelMissing: there is none.
    """
    if folder := files.folder_named(name):
        return folder
    snapshot = hub.snapshot(name) if is_on_hub(name) else None
    if snapshot and (snapshot / "config.json").is_file():
        return snapshot
    raise hub.lacking(task, name, f"quarry models --prepare --{task}")


def read_card(folder: Path, name: str, task: PairTask) -> PairCard:
    """Read the card of the model in `folder`, hashing its weights.

    Raises:
        ModelDamaged: a file is missing or malformed, or the model is of another kind.
    """
    ending, kind, save = _ARCHITECTURES[task]
    config = files.read_json(folder / "config.json", model="a transformers model")
    architectures = [str(architecture) for architecture in config.get("architectures") or ["model without a head"]]
    if not any(architecture.endswith(ending) for architecture in architectures):
        raise ModelDamaged(f"{name} is a {architectures[0]}, not {kind}.")
    if task == "cross-encoder" and (labels := _labels(config)) != 1:
        raise ModelDamaged(f"{name} gives a pair {labels} labels, not one score: it classifies, and can't rerank.")
    sentence = files.read_json(folder / "sentence_bert_config.json", optional=True)
    tokenizer = files.read_json(folder / "tokenizer_config.json", optional=True)
    return PairCard(
        name=name,
        task=task,
        family=str(config.get("model_type", "unknown")),
        source=str(folder),
        sha256=files.weights_sha256(folder, [folder.resolve()], save),
        config_sha256=files.sha256_of_values({k: v for k, v in config.items() if k not in files.INCIDENTAL}),
        tokenizer_sha256=files.tokenizer_sha256(folder),
        max_tokens=files.max_tokens(config, sentence, tokenizer),
        activation=_activation(folder, config) if task == "cross-encoder" else "",
        licence=files.licence(folder),
    )


def _labels(config: Mapping[str, Any]) -> int:
    if names := config.get("id2label"):
        return len(names)
    return int(config.get("num_labels") or 2)  # what transformers takes where nothing is said


def _activation(folder: Path, config: Mapping[str, Any]) -> str:
    """Return what sentence-transformers scores with: as its versions 6, 4 and 2 keep it, or by its default."""
    stated = files.read_json(folder / "config_sentence_transformers.json", optional=True).get("activation_fn")
    nested = config.get("sentence_transformers")
    if not stated and isinstance(nested, dict):
        stated = nested.get("activation_fn")
    stated = stated or config.get("sbert_ce_default_activation_function") or "Sigmoid"
    return str(stated).rsplit(".", 1)[-1].lower()
