"""Tiny models that hear or watch films, saved as transformers saves them, and wired so that what they say is known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SIZE = 16
_SIZES = {"hidden_size": _SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": _SIZE}
HEARD = ("hum", "dog_bark")
SHOWN = ("dark", "light")
SAID = "O"


def save(folder: Path, kind: str) -> Path:
    """Save a model of one of `MODELS` in a new folder, with what makes its input."""
    import torch

    torch.manual_seed(7)
    with torch.no_grad():
        for part in MODELS[kind]():
            part.save_pretrained(folder)
    return folder


def _named(labels: tuple[str, ...]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}


def _say(model: Any, head: Any, label: int) -> None:
    """Have a model say the same whatever it is shown."""
    head.weight.zero_()
    head.bias.zero_()
    head.bias[label] = 4.0


def _wav2vec2_sizes() -> dict[str, Any]:
    convolutions = {"conv_dim": [8, 8], "conv_stride": [20, 16], "conv_kernel": [20, 16], "num_feat_extract_layers": 2}
    return {**_SIZES, **convolutions, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}


def _wav2vec2() -> tuple[Any, ...]:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    model = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(**_wav2vec2_sizes(), **_named(HEARD)))
    _say(model, model.classifier, 1)
    return model, Wav2Vec2FeatureExtractor(return_attention_mask=False)


def _ast() -> tuple[Any, ...]:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    sizes = {**_SIZES, "num_mel_bins": 32, "max_length": 64, "frequency_stride": 16, "time_stride": 16}
    several = {"problem_type": "multi_label_classification"}
    model = ASTForAudioClassification(ASTConfig(**sizes, **_named(HEARD), **several))
    _say(model, model.classifier.dense, 1)
    model.classifier.dense.bias[0] = 2.0
    return model, ASTFeatureExtractor(num_mel_bins=32, max_length=64)


def _ctc(family: str) -> tuple[Any, ...]:
    import transformers
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    letters = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "O": 5}
    with tempfile.TemporaryDirectory() as temporary:
        vocabulary = Path(temporary, "vocab.json")
        vocabulary.write_text(json.dumps(letters))
        words = Wav2Vec2CTCTokenizer(str(vocabulary))
    sizes = {**_wav2vec2_sizes(), "vocab_size": len(letters), "pad_token_id": 0}
    model = getattr(transformers, f"{family}ForCTC")(getattr(transformers, f"{family}Config")(**sizes))
    _say(model, model.lm_head, 5)
    return model, Wav2Vec2Processor(Wav2Vec2FeatureExtractor(return_attention_mask=False), words)


def _videomae() -> tuple[Any, ...]:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

    config = VideoMAEConfig(**_SIZES, image_size=32, patch_size=16, num_frames=4, tubelet_size=2, **_named(SHOWN))
    model = VideoMAEForVideoClassification(config)
    _see(model, model.classifier)
    return model, VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def _timesformer() -> tuple[Any, ...]:
    from transformers import TimesformerConfig, TimesformerForVideoClassification, VideoMAEImageProcessor

    config = TimesformerConfig(**_SIZES, image_size=32, patch_size=16, num_frames=4, **_named(SHOWN))
    model = TimesformerForVideoClassification(config)
    _see(model, model.classifier)
    return model, VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def _see(model: Any, head: Any) -> None:
    """Have a model tell how light the patches of a film are: those of its middle frames count as all."""
    for name, value in model.named_parameters():
        is_norm = "norm" in name.lower()
        value.fill_(1.0 if is_norm and name.endswith("weight") else 0.0)
        if "projection.weight" in name and value.ndim > 3:
            value[0] = 1.0 / value[0].numel()
        if name.endswith(("value.weight", "v_proj.weight", "output.dense.weight", "o_proj.weight")) and (
            value.shape[0] == value.shape[1]
        ):
            import torch

            value.copy_(torch.eye(_SIZE))
        if name.endswith("qkv.weight"):
            import torch

            value[2 * _SIZE :].copy_(torch.eye(_SIZE))
        if "temporal_dense" in name and name.endswith("weight"):
            import torch

            value.copy_(torch.eye(_SIZE))
    head.weight[0, 0], head.weight[1, 0] = -2.0, 2.0


MODELS: Mapping[str, Callable[[], tuple[Any, ...]]] = {
    "wav2vec2": _wav2vec2,
    "ast": _ast,
    "wav2vec2 ctc": lambda: _ctc("Wav2Vec2"),
    "hubert ctc": lambda: _ctc("Hubert"),
    "videomae": _videomae,
    "timesformer": _timesformer,
}
