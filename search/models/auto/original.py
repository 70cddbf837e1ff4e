"""Originals: models that do a task, as transformers runs them, in torch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quarry.search.errors import ModelDamaged
from quarry.search.models.auto.card import AutoCard
from quarry.search.models.auto.task import Task
from quarry.search.models.extra import need
from quarry.search.models.writing.original import quiet


@dataclass(frozen=True, slots=True)
class AutoOriginal:
    """A loaded model, in evaluation mode, and what makes its input, both of transformers."""

    card: AutoCard
    model: Any
    processor: Any


def load(card: AutoCard, task: Task) -> AutoOriginal:
    """Load the original of `card`; importing torch and transformers takes seconds.

    Raises:
        ModelMissing: torch or transformers is not installed.
        ModelDamaged: transformers can't load it, or it lacks some of its weights.
    """
    need(card.name, "torch", "transformers")
    folder = Path(card.source)
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            model, processor, left_out = _load(folder, task)
    except Exception as error:  # whatever transformers raises over files of strangers
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelDamaged(f"transformers can't load {card.name} from {folder}: {reason}.") from error
    if left_out:
        raise ModelDamaged(f"the weights in {folder} lack {sorted(left_out)[0]}; fetch the model again.")
    return AutoOriginal(card, model, processor)


def _load(folder: Path, task: Task) -> tuple[Any, Any, set[str]]:
    """Return the model, what makes its input, and the names of weights that its files lack."""
    import torch
    import transformers

    here = {"local_files_only": True, "trust_remote_code": False}
    opened = getattr(transformers, task.loader).from_pretrained(
        folder, use_safetensors=True, output_loading_info=True, **here
    )
    model, info = opened
    if model.dtype == torch.float16:  # slow on a CPU, and it overflows in models that were trained in bfloat16
        model = model.float()
    return (
        model.eval(),
        getattr(transformers, task.processor).from_pretrained(folder, **here),
        set(info["missing_keys"]),
    )
