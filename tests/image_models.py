"""Small randomly initialised open_clip models, saved as open_clip loads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from quarry.search.models.text.embedded import embedded_folder

TEXT = {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VIT = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
MODELS: dict[str, dict[str, Any]] = {
    "vit": {"model_cfg": {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT}},
    "resnet": {
        "model_cfg": {
            "embed_dim": 24,
            "quick_gelu": True,
            "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 16},
            "text_cfg": TEXT,
        },
        "preprocess_cfg": {"resize_mode": "longest", "fill_color": 127, "interpolation": "bilinear"},
    },
    "timm-cnn": {
        "model_cfg": {
            "embed_dim": 24,
            "custom_text": True,
            "vision_cfg": {"timm_model_name": "test_efficientnet", "timm_proj": "linear", "image_size": 64},
            "text_cfg": {
                **TEXT,
                "no_causal_mask": True,
                "pool_type": "last",
                "proj_bias": True,
                "tokenizer_kwargs": {"clean": "canonicalize"},
            },
        },
        "preprocess_cfg": {"resize_mode": "squash", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    },
    "timm-vit-hugging-face": {
        "model_cfg": {
            "embed_dim": 24,
            "vision_cfg": {
                "timm_model_name": "test_vit",
                "timm_pool": "token",
                "timm_proj": "linear",
                "image_size": 160,
            },
            "text_cfg": {
                "context_length": 24,
                "hf_model_name": "",  # filled in by `save`
                "hf_tokenizer_name": "bert",
                "hf_proj_type": "mlp",
                "tokenizer_kwargs": {"strip_sep_token": True},
            },
        }
    },
    "oblong": {
        "model_cfg": {"embed_dim": 16, "vision_cfg": {**VIT, "image_size": [32, 48]}, "text_cfg": TEXT},
        "preprocess_cfg": {"interpolation": "bilinear"},
    },
    "clips": {
        "model_cfg": {
            "embed_dim": 16,
            "vision_cfg": VIT,
            "text_cfg": {**TEXT, "hf_tokenizer_name": "bert", "tokenizer_mode": "clips"},
        }
    },
}


def save(folder: Path, kind: str) -> Path:
    """Save a model of one of `MODELS` in the new folder `folder`/`kind`, with its own tokenizer where it has one."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    target = folder / kind
    target.mkdir(parents=True)
    config = json.loads(json.dumps(MODELS[kind]))
    text = config["model_cfg"]["text_cfg"]
    if "hf_tokenizer_name" in text:
        save_tokenizer(target)
    if "hf_model_name" in text:
        text["hf_model_name"] = str(save_bert(folder / f"{kind}-bert"))
    (target / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(11)
    model = open_clip.create_model(f"local-dir:{target}", pretrained_text=False)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(8 if "token_embedding" in name else 2)  # else all vectors would point the same way
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, target / WEIGHTS)
    return target


WEIGHTS = "open_clip_model.safetensors"


def save_tokenizer(folder: Path) -> None:
    """Put the embedded text model's tokenizer into `folder`, with the special tokens that CLIPS asks for."""
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (embedded_folder() / name).is_file():
            shutil.copy(embedded_folder() / name, folder / name)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "BertTokenizerFast", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def save_bert(folder: Path) -> Path:
    """Write the configuration of a tiny BERT, which is all that open_clip needs of one whose weights it has."""
    from transformers import BertConfig

    BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48
    ).save_pretrained(folder)
    return folder
