"""Sources of models that write: where the weights of a name lie, and its card read from them.

A name is a folder's path, or a hub name whose files are in the hub's cache; of any sequence-to-sequence or causal model
of transformers. Nothing is fetched but by `fetch`, no weight is unpickled, and no code of a model is run.
"""

from __future__ import annotations

import re
from pathlib import Path

from quarry.search.errors import ModelError
from quarry.search.models import files, hub
from quarry.search.models.prepared import remembered
from quarry.search.models.writing.card import WritingCard

_CAUSAL = re.compile(r"\w+(ForCausalLM|LMHeadModel)")
_WRITES = re.compile(rf"{_CAUSAL.pattern}|\w+(ForConditionalGeneration|ForSeq2SeqLM)")
_SAVE = "AutoModel....from_pretrained(...).save_pretrained(FOLDER)"


def resolve(name: str) -> WritingCard:
    """Find the model called `name` and return its card, hashing unchanged weights only once (about 1 GB/s).

    Raises:
        ModelMissing: there is no such model on this machine.
        ModelError: it is a model of another kind, which can't write.
        ModelDamaged: its files are not those of a transformers model, or lack safetensors weights or a tokenizer.
    """
    folder = find(name)
    key = f"writing|{name}|{folder}"
    return remembered(key, lambda: folder.glob("*"), WritingCard, lambda: read_card(folder, name))


def find(name: str) -> Path:
    """Return the folder that holds the model called `name`.

    Raises:
        ModelMissing: there is none.
    """
    if folder := files.folder_named(name):
        return folder
    if hub.names_of(name) and (snapshot := hub.snapshot(name)):
        return snapshot
    raise hub.lacking("model", name, "hf download")


def is_on_hub(name: str) -> bool:
    """Whether `name` might be one on the hub."""
    return bool(hub.names_of(name))


def fetch(name: str) -> None:
    """Fetch a model from the hub into its cache.

    Raises:
        ModelMissing: that was not possible.
    """
    for hub_name in hub.names_of(name):
        hub.download(name, hub_name)


def read_card(folder: Path, name: str) -> WritingCard:
    """Read the card of the model in `folder`, hashing its weights.

    Raises:
        ModelError: it is a model of another kind, which can't write.
        ModelDamaged: a file is missing or malformed.
    """
    config = files.read_json(folder / "config.json", model="a transformers model")
    architecture = str((config.get("architectures") or ["model of no stated architecture"])[0])
    if not _WRITES.fullmatch(architecture):
        raise ModelError(
            f"{name} is a {architecture}, which can't write: give a sequence-to-sequence model (...ForConditional"
            "Generation) or a causal one (...ForCausalLM)."
        )
    return WritingCard(
        name=name,
        family=str(config.get("model_type", "unknown")),
        source=str(folder),
        sha256=files.weights_sha256(folder, [folder.resolve()], _SAVE),
        config_sha256=files.sha256_of_values({k: v for k, v in config.items() if k not in files.INCIDENTAL}),
        tokenizer_sha256=files.tokenizer_sha256(folder),
        causal=bool(_CAUSAL.fullmatch(architecture)),
        licence=files.licence(folder),
    )
