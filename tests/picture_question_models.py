"""Tiny randomly initialised models that answer questions about pictures, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.task_models import word_tokenizer

FAMILIES = ("Vilt", "Blip")
ANSWERS = ("yes", "no", "a boat")
_SIDE, _SIZE, _TOKENS = 32, 16, 40
_TEXT = {"hidden_size": _SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def save_picture_reader(folder: Path, family: str) -> Path:
    """Save a model of one of `FAMILIES` in a new folder: one that chooses among `ANSWERS`, or one that writes."""
    import torch

    torch.manual_seed(3)
    model, processor = _vilt() if family == "Vilt" else _blip()
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _vilt() -> tuple[Any, Any]:
    from transformers import ViltConfig, ViltForQuestionAnswering, ViltImageProcessor, ViltProcessor

    tokenizer = word_tokenizer(_TOKENS)
    config = ViltConfig(
        **_TEXT,
        vocab_size=len(tokenizer),
        max_position_embeddings=_TOKENS,
        image_size=_SIDE,
        patch_size=8,
        id2label=dict(enumerate(ANSWERS)),
        initializer_range=0.5,
    )
    images = ViltImageProcessor(size={"shortest_edge": _SIDE}, size_divisor=8)
    return ViltForQuestionAnswering(config), ViltProcessor(images, tokenizer)


def _blip() -> tuple[Any, Any]:
    from transformers import BlipConfig, BlipForQuestionAnswering, BlipImageProcessor, BlipProcessor

    tokenizer = word_tokenizer(_TOKENS)
    special = {"pad_token_id": 0, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
    text = {**_TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": _TOKENS, "encoder_hidden_size": _SIZE}
    config = BlipConfig(
        text_config={**text, **special, "is_decoder": True, "initializer_range": 0.5},
        vision_config={**_TEXT, "image_size": _SIDE, "patch_size": 8},
        projection_dim=_SIZE,
        image_text_hidden_size=_SIZE,
    )
    model = BlipForQuestionAnswering(config)
    model.decoder_start_token_id, model.decoder_pad_token_id = 2, 0
    return model, BlipProcessor(BlipImageProcessor(size={"height": _SIDE, "width": _SIDE}), tokenizer)
