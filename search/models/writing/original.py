"""Originals: models that write, as transformers runs them itself, in torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quarry.search.errors import ModelDamaged
from quarry.search.models import files
from quarry.search.models.extra import need
from quarry.search.models.writing.card import WritingCard


@dataclass(frozen=True, slots=True)
class WritingOriginal:
    """A loaded model, in evaluation mode, and its tokenizer, both of transformers.

    Args:
        tasks: what the model's config.json says of tasks by name, such as the prefix of a text to be summarized; its
            configuration class may drop that.
    """

    card: WritingCard
    model: Any
    tokenizer: Any
    tasks: Mapping[str, Any]


def load(card: WritingCard) -> WritingOriginal:
    """Load the original of `card`; importing torch and transformers takes seconds.

    Raises:
        ModelMissing: torch or transformers is not installed.
        ModelDamaged: transformers can't load it, or it lacks some of its weights.
    """
    need(card.name, "torch", "transformers")
    folder = Path(card.source)
    stated = files.read_json(folder / "config.json", model="a transformers model")
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            model, tokenizer, left_out = _load(folder, card.causal)
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelDamaged(f"transformers can't load {card.name} from {folder}: {reason}.") from error
    if left_out:
        raise ModelDamaged(f"the weights in {folder} lack {sorted(left_out)[0]}; fetch the model again.")
    return WritingOriginal(card, model, tokenizer, stated.get("task_specific_params") or {})


def _load(folder: Path, causal: bool) -> tuple[Any, Any, set[str]]:
    """Return the model, its tokenizer and the names of weights that its files lack."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    here = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **here)
    # Models of pictures and text are called ...ForConditionalGeneration, too; their text is causal.
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder and not causal else AutoModelForCausalLM
    model, info = kind.from_pretrained(folder, config=config, use_safetensors=True, output_loading_info=True, **here)
    if model.dtype == torch.float16:  # it overflows in models that were trained in bfloat16
        model = model.float()
    return model.eval(), AutoTokenizer.from_pretrained(folder, **here), set(info["missing_keys"])


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing progress bars and notes while it loads."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
