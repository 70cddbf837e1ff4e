"""Originals: models that do a task, as transformers runs them, in torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quarry.search.errors import ModelDamaged
from quarry.search.models.auto.card import AutoCard
from quarry.search.models.auto.task import Task
from quarry.search.models.extra import lacking, need
from quarry.search.models.writing.original import quiet

_HERE = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, slots=True)
class AutoOriginal:
    """A loaded model, in evaluation mode, what makes its input, and words of its output, all of transformers."""

    card: AutoCard
    model: Any
    processor: Any
    tokenizer: Any = None


def load(card: AutoCard, task: Task) -> AutoOriginal:
    """Load the original of `card`; importing torch and transformers takes seconds.

    Raises:
        ModelMissing: torch, transformers, or what its tokenizer needs is not installed.
        ModelDamaged: transformers can't load it, or it lacks some of its weights.
    """
    need(card.name, "torch", "transformers")
    folder = Path(card.source)
    with warnings.catch_warnings(), quiet(), _named(card):
        warnings.simplefilter("ignore")
        model, left_out = _load(folder, task)
        processor = _opened(task.processor, folder)
        tokenizer = _opened(task.tokenizer, folder) if task.tokenizer else None
    if left_out:
        raise ModelDamaged(f"the weights in {folder} lack {sorted(left_out)[0]}; fetch the model again.")
    return AutoOriginal(card, model, processor, tokenizer)


def _load(folder: Path, task: Task) -> tuple[Any, set[str]]:
    """Return the model, and the names of weights that its files lack."""
    import torch
    import transformers

    config, loaders = _opened("AutoConfig", folder), [getattr(transformers, name) for name in task.loaders]
    loader = next((one for one in loaders if type(config) in one._model_mapping), loaders[0])  # it says so nowhere else
    model, info = loader.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **_HERE)
    is_seeing = task.processor != "AutoTokenizer"  # what such a model is given are numbers of 32 bits
    if model.dtype == torch.float16 or is_seeing:  # slow on a CPU, and it overflows where bfloat16 did not
        model = model.float()
    return model.eval(), set(info["missing_keys"])


def configured(card: AutoCard) -> tuple[Any, Any]:
    """Return the tokenizer and the configuration of a model, without its weights; raise as `load` does."""
    need(card.name, "transformers")
    folder = Path(card.source)
    with warnings.catch_warnings(), quiet(), _named(card):
        warnings.simplefilter("ignore")
        return _opened("AutoTokenizer", folder), _opened("AutoConfig", folder)


@contextmanager
def _named(card: AutoCard) -> Iterator[None]:
    """Say of what transformers raises which model it is about."""
    try:
        yield
    except ImportError as error:  # such as sentencepiece, which some tokenizers need
        raise lacking(card.name, error) from error
    except Exception as error:  # whatever transformers raises over files of strangers
        raise ModelDamaged(f"transformers can't load {card.name} from {card.source}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _opened(name: str, folder: Path) -> Any:
    """Return what an Auto class of transformers reads from a folder."""
    import transformers

    return getattr(transformers, name).from_pretrained(folder, **_HERE)
