"""Tiny models that look at pictures, saved as transformers saves them, and wired so that what they say is known.

They tell colours: what they see of a picture is how red, green and blue it is, or each part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

SIDE, PATCH, SIZE = 32, 8, 16  # pixels, and of what stands for a patch
COLOURS = ("red", "green", "blue")
WORDS = (*COLOURS, "dog", "cat", "a", "and", "on", "the", "grass", "photo", "of", ".")
_VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", *WORDS, "[SEP]")  # whose end has the highest number, as CLIP's has
_END = len(_VOCABULARY) - 1
_MEAN_STD = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_SQUARE = {"size": {"height": SIDE, "width": SIDE}, **_MEAN_STD}
_SIZES = {"hidden_size": SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": SIZE}
_VISION = {**_SIZES, "image_size": SIDE, "patch_size": PATCH}
_RESNET: Mapping[str, Any] = {"embedding_size": 8, "hidden_sizes": [8], "depths": [1], "layer_type": "basic"}
CAPTION = "a red dog on the grass"
CIRCLE = "a dog and a dog and a dog"  # without an end
# What YOLOS's tokens stand for: a label, or none, and a box (centre, width and height).
TOKENS = (
    ("dog", (0.3, 0.5, 0.4, 0.6)),
    ("dog", (0.31, 0.5, 0.4, 0.6)),  # the same again
    ("cat", (0.75, 0.75, 0.3, 0.2)),
    ("cat", (0.5, 0.1, 0.01, 0.02)),  # a dot
    ("N/A", (0.5, 0.5, 0.5, 0.5)),
    ("", (0.5, 0.5, 0.5, 0.5)),
)


def save(folder: Path, kind: str) -> Path:
    """Save a model of a kind of `MODELS` in a new folder, with what makes its input."""
    import torch

    torch.manual_seed(7)
    with torch.no_grad():
        for part in MODELS[kind]():
            part.save_pretrained(folder)
    return folder


def _vit() -> tuple[Any, ...]:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    model = ViTForImageClassification(ViTConfig(**_VISION, **_named(COLOURS)))
    _pass_colours(model, "patch_embeddings.projection")
    _tell_colours(model.classifier)
    return model, ViTImageProcessor(**_SQUARE)


def _broken() -> tuple[Any, ...]:
    """Its outputs are no numbers, and its labels nothing that can be stored."""
    model, made = _vit()
    model.classifier.bias.fill_(float("nan"))
    model.config.id2label = {0: "re\ud800d\n\n", 1: "x" * 5_000, 2: ""}
    return model, made


def _resnet() -> tuple[Any, ...]:
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    model = ResNetForImageClassification(ResNetConfig(**_RESNET, **_named(COLOURS)))
    _quiet(model)
    for channel in range(3):
        model.resnet.embedder.embedder.convolution.weight[channel, channel, 3, 3] = 1.0
    _tell_colours(model.classifier[1])
    return model, ViTImageProcessor(**_SQUARE)


def _blip(caption: str = CAPTION) -> tuple[Any, ...]:
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    text = {**_writer(), "sep_token_id": _END, "encoder_hidden_size": SIZE}
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=_VISION, projection_dim=8))
    _quiet(model)
    decoder = model.text_decoder
    _say(caption, decoder.bert.embeddings.word_embeddings, decoder.cls.predictions.transform.dense)
    return model, BlipImageProcessor(**_SQUARE), _tokenizer()


def _blip2() -> tuple[Any, ...]:
    from transformers import Blip2Config, Blip2ForConditionalGeneration, BlipImageProcessor, OPTConfig

    text = OPTConfig(**{**_writer(), "ffn_dim": 8, "word_embed_proj_dim": 32, "tie_word_embeddings": False})
    asking = {**_SIZES, "encoder_hidden_size": SIZE, "vocab_size": 8}
    config = Blip2Config(vision_config=_VISION, qformer_config=asking, text_config=text.to_dict(), num_query_tokens=2)
    config.image_token_index = 1
    config.tie_word_embeddings = False
    model = Blip2ForConditionalGeneration(config)
    _quiet(model)
    writer = model.language_model
    _say(CAPTION, writer.model.decoder.embed_tokens, writer.lm_head)
    return model, BlipImageProcessor(**_SQUARE), _tokenizer()


def _vision_encoder_decoder() -> tuple[Any, ...]:
    from transformers import (
        BertConfig,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
    )

    decoder = BertConfig(**_writer(), is_decoder=True, add_cross_attention=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(**_VISION), decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 0, _END
    model = VisionEncoderDecoderModel(config)
    _quiet(model)
    bert = model.decoder
    _say(CAPTION, bert.bert.embeddings.word_embeddings, bert.cls.predictions.transform.dense)
    return model, ViTImageProcessor(**_SQUARE), _tokenizer()


def _git() -> tuple[Any, ...]:
    from transformers import CLIPImageProcessor, GitConfig, GitForCausalLM

    model = GitForCausalLM(GitConfig(vision_config=_VISION, **_writer()))
    _quiet(model)
    _say(CAPTION, model.git.embeddings.word_embeddings, model.output)
    made = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, **_MEAN_STD)
    return model, made, _tokenizer()


def _yolos() -> tuple[Any, ...]:
    import torch
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    labels = tuple(dict.fromkeys(label for label, _ in TOKENS if label))
    sizes = {**_VISION, "image_size": [SIDE, SIDE], "num_detection_tokens": len(TOKENS)}
    model = YolosForObjectDetection(YolosConfig(**sizes, **_named(labels)))
    _quiet(model)
    for head in (model.class_labels_classifier, model.bbox_predictor):
        for layer in head.layers[:2]:
            layer.weight.copy_(torch.eye(SIZE))
    for number, (label, box) in enumerate(TOKENS):
        model.vit.embeddings.detection_tokens[0, number, number] = 1.0
        said = labels.index(label) if label else len(labels)
        # A token is about 3.9 in its own number behind the norm, and less than 0 in the others.
        model.class_labels_classifier.layers[2].weight[said, number] = 2.0 - 0.1 * number
        model.bbox_predictor.layers[2].weight[:, number] = torch.tensor(box).logit() / 3.87
    return model, YolosImageProcessor(size={"height": SIDE, "width": SIDE}, do_pad=False, **_MEAN_STD)


def _detr() -> tuple[Any, ...]:
    """Whatever it is shown, all its queries see the same dog."""
    import torch
    from transformers import DetrConfig, DetrForObjectDetection, DetrImageProcessor

    model = DetrForObjectDetection(DetrConfig(**_detr_sizes(), **_named(("cat", "dog"))))
    _quiet(model)
    model.class_labels_classifier.bias[1] = 4.0
    model.bbox_predictor.layers[2].bias.copy_(torch.tensor((0.5, 0.25, 0.5, 0.5)).logit())
    return model, DetrImageProcessor(size={"shortest_edge": SIDE, "longest_edge": 2 * SIDE}, **_MEAN_STD)


def _clip() -> tuple[Any, ...]:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    model = CLIPModel(CLIPConfig(text_config=_reader(), vision_config=_VISION, projection_dim=SIZE))
    _compare(model)
    made = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, **_MEAN_STD)
    return model, CLIPProcessor(made, _tokenizer())


def _siglip() -> tuple[Any, ...]:
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

    model = SiglipModel(SiglipConfig(text_config=_reader(), vision_config=_VISION))
    made = SiglipImageProcessor(**_SQUARE)
    return model, SiglipProcessor(made, _tokenizer())


def _owlvit() -> tuple[Any, ...]:
    import torch
    from transformers import OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessor, OwlViTProcessor

    config = OwlViTConfig(text_config=_reader(), vision_config=_VISION, projection_dim=SIZE)
    model = OwlViTForObjectDetection(config)
    _compare(model.owlvit)
    for part in (model.class_head, model.box_head):
        _quiet(part)
    for layer in model.owlvit.vision_model.encoder.layers:
        layer.self_attn.v_proj.weight.zero_()  # each part is seen by itself
    model.owlvit.vision_model.embeddings.class_embedding[:3] = 1.0
    model.class_head.dense0.weight.copy_(torch.eye(SIZE))
    model.class_head.logit_scale.bias.fill_(11.0)
    model.class_head.logit_shift.bias.fill_(-0.5)
    made = OwlViTImageProcessor(size={"height": SIDE, "width": SIDE}, do_center_crop=False, **_MEAN_STD)
    return model, OwlViTProcessor(made, _tokenizer())


def _grounding_dino() -> tuple[Any, ...]:
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        ResNetConfig,
    )

    sizes = _detr_sizes() | {"d_model": 32, "num_queries": 6, "num_feature_levels": 2, "decoder_layers": 2}
    sizes |= {"encoder_n_points": 2, "decoder_n_points": 2}
    backbone = ResNetConfig(**_RESNET, out_features=["stage1"])
    config = GroundingDinoConfig(**{**sizes, "backbone_config": backbone}, text_config=BertConfig(**_writer()))
    made = GroundingDinoImageProcessor(size={"shortest_edge": SIDE, "longest_edge": 2 * SIDE}, **_MEAN_STD)
    return GroundingDinoForObjectDetection(config), GroundingDinoProcessor(made, _tokenizer())


def _segformer() -> tuple[Any, ...]:
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    sizes = {"num_encoder_blocks": 1, "depths": [1], "sr_ratios": [1], "hidden_sizes": [SIZE], "patch_sizes": [3]}
    sizes |= {"strides": [2], "num_attention_heads": [2], "mlp_ratios": [1], "decoder_hidden_size": SIZE}
    model = SegformerForSemanticSegmentation(SegformerConfig(**sizes, **_named(COLOURS)))
    _quiet(model)
    head = model.decode_head
    for channel in range(3):
        model.segformer.stages[0].patch_embeddings.proj.weight[channel, channel, 1, 1] = 1.0
    head.linear_projections[0].proj.weight.copy_(torch.eye(SIZE))
    head.linear_fuse.weight[:, :, 0, 0] = torch.eye(SIZE)
    head.classifier.weight[:, :3, 0, 0] = 4 * torch.eye(3)
    return model, SegformerImageProcessor(**_SQUARE)


def _maskformer() -> tuple[Any, ...]:
    """Whatever it is shown, one of its queries sees grass, in a part of the picture that its weights say."""
    import torch
    from transformers import (
        DetrConfig,
        MaskFormerConfig,
        MaskFormerForInstanceSegmentation,
        MaskFormerImageProcessor,
        SwinConfig,
    )

    backbone = SwinConfig(image_size=SIDE, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2)
    backbone.out_features = ["stage1", "stage2", "stage3", "stage4"]
    decoder = DetrConfig(**{**_detr_sizes(), "num_queries": 2})
    config = MaskFormerConfig(
        backbone_config=backbone, decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32,
        **_named(("cat", "grass")),
    )  # fmt: skip
    model = MaskFormerForInstanceSegmentation(config)
    model.class_predictor.weight.zero_()
    model.class_predictor.bias.copy_(torch.tensor([0.0, 6.0, 0.0]))
    made = MaskFormerImageProcessor(
        size={"shortest_edge": SIDE, "longest_edge": 2 * SIDE}, size_divisor=SIDE, **_MEAN_STD
    )
    return model, made


MODELS: Mapping[str, Callable[[], tuple[Any, ...]]] = {
    "vit": _vit,
    "resnet": _resnet,
    "broken": _broken,
    "blip": _blip,
    "blip2": _blip2,
    "blip in circles": lambda: _blip(CIRCLE),
    "vision encoder decoder": _vision_encoder_decoder,
    "git": _git,
    "yolos": _yolos,
    "detr": _detr,
    "clip": _clip,
    "siglip": _siglip,
    "owlvit": _owlvit,
    "grounding dino": _grounding_dino,
    "segformer": _segformer,
    "maskformer": _maskformer,
}


def _named(labels: Sequence[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}


def _detr_sizes() -> dict[str, Any]:
    from transformers import ResNetConfig

    return {
        "backbone_config": ResNetConfig(**_RESNET, out_features=["stage1"]),
        "num_queries": 4,
        "d_model": SIZE,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": SIZE,
        "decoder_ffn_dim": SIZE,
    }


def _reader() -> dict[str, Any]:
    """Return the sizes of what reads labels."""
    ids = {"bos_token_id": 2, "eos_token_id": _END, "pad_token_id": 0}
    return {**_SIZES, "vocab_size": len(_vocabulary()), "max_position_embeddings": 16, **ids}


def _writer() -> dict[str, Any]:
    """Return the sizes of what writes captions: a number of its own for each word."""
    return {**_reader(), "hidden_size": 32, "max_position_embeddings": 64}


def _quiet(model: Any) -> None:
    """Have a model pass on what comes in, behind its norms, and add nothing to it."""
    for name, value in model.named_parameters():
        is_norm = value.ndim == 1 and any(part in name.lower() for part in ("norm", "layrnorm", "projection.1."))
        value.fill_(1.0 if is_norm and name.endswith("weight") else 0.0)


def _pass_colours(model: Any, patches: str) -> None:
    """Have the first three numbers of what stands for a picture say its colours."""
    import torch

    _quiet(model)
    for name, value in model.named_parameters():
        if name.endswith(f"{patches}.weight"):
            for channel in range(3):
                value[channel, channel] = 1.0 / PATCH**2
        elif name.endswith(("v_proj.weight", "o_proj.weight", "out_proj.weight")):
            value.copy_(torch.eye(len(value)))


def _tell_colours(classifier: Any) -> None:
    import torch

    classifier.weight[:, :3] = 4 * torch.eye(3)


def _compare(model: Any) -> None:
    """Have a model of pictures and texts find that a colour and its name are alike."""
    import torch

    _pass_colours(model, "patch_embedding")
    table = model.text_model.embeddings.token_embedding.weight
    for number, colour in enumerate(COLOURS):
        table[_vocabulary()[colour], number] = 9.0
    model.visual_projection.weight.copy_(torch.eye(SIZE))
    model.text_projection.weight.copy_(torch.eye(SIZE))
    model.logit_scale.fill_(3.0)


def _say(caption: str, words: Any, after: Any) -> None:
    """Have a decoder write a caption: each word calls for the one that first followed it."""
    vocabulary = _vocabulary()
    tokens = ["[CLS]", *caption.split(), "[SEP]"]
    for token, number in vocabulary.items():
        if number < words.weight.shape[1]:
            words.weight[vocabulary[token], number] = 1.0
    following: dict[str, str] = {}
    for token, next in pairwise(tokens):
        following.setdefault(token, next)
    for token, next in following.items():
        after.weight[vocabulary[next], vocabulary[token]] = 4.0


def _vocabulary() -> dict[str, int]:
    return {token: number for number, token in enumerate(_VOCABULARY)}


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(_vocabulary(), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", _END)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **special, bos_token="[CLS]", eos_token="[SEP]", model_max_length=16
    )
