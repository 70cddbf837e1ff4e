"""Tiny models that answer questions about pages, saved as transformers saves them, and wired so that what they say is
known: those of the LayoutLM family find one word, wherever it stands; Donut writes one, whatever it is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

ANSWER = "forty"
_SIZE, TOKENS = 32, 48
_SIZES = {"hidden_size": _SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def save(folder: Path, kind: str) -> Path:
    """Save a model, `layoutlm`, `layoutlmv3` or `donut`, in a new folder."""
    import torch

    with torch.no_grad():
        for part in {"layoutlm": _layoutlm, "layoutlmv3": _layoutlmv3, "donut": _donut}[kind]():
            part.save_pretrained(folder)
    return folder


def _layoutlm() -> tuple[Any, ...]:
    from transformers import LayoutLMConfig, LayoutLMForQuestionAnswering, LayoutLMTokenizer

    vocabulary = {token: number for number, token in enumerate(_tokens())}
    sizes = {**_SIZES, "vocab_size": len(vocabulary), "max_position_embeddings": TOKENS}
    model = LayoutLMForQuestionAnswering(LayoutLMConfig(**sizes, pad_token_id=0))
    _find(model, model.qa_outputs, vocabulary)
    return model, LayoutLMTokenizer(vocab=vocabulary, model_max_length=TOKENS)


def _layoutlmv3() -> tuple[Any, ...]:
    from transformers import (
        LayoutLMv3Config,
        LayoutLMv3ForQuestionAnswering,
        LayoutLMv3ImageProcessor,
        LayoutLMv3Processor,
        LayoutLMv3Tokenizer,
    )

    letters = {letter: number for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz0123456789?.:,-ĠTI", 5)}
    merges, held = [], "Ġ"
    for letter in ANSWER:
        merges.append((held, letter))
        held += letter
        letters.setdefault(held, len(letters) + 5)
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, **letters}
    tokenizer = LayoutLMv3Tokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)
    sizes = {**_SIZES, "vocab_size": len(tokenizer), "max_position_embeddings": TOKENS + 2, "input_size": 32}
    boxes = {"coordinate_size": 5, "shape_size": 6, "patch_size": 16, "visual_embed": True}
    model = LayoutLMv3ForQuestionAnswering(LayoutLMv3Config(**sizes, **boxes, pad_token_id=1))
    _find(model, getattr(model.qa_outputs, "out_proj", model.qa_outputs), vocabulary, f"Ġ{ANSWER}")
    dense = getattr(model.qa_outputs, "dense", None)
    if dense is not None:
        import torch

        dense.weight.copy_(torch.eye(_SIZE))
        dense.bias.zero_()
    seen = LayoutLMv3ImageProcessor(apply_ocr=False, size={"height": 32, "width": 32})
    return model, LayoutLMv3Processor(seen, tokenizer)


def _find(model: Any, head: Any, vocabulary: dict[str, int], answer: str = ANSWER) -> None:
    """Have the token of one word score as where an answer begins and ends, and the first token as none."""
    for name, value in model.named_parameters():
        is_norm = "norm" in name.lower()
        value.fill_(1.0 if is_norm and name.endswith("weight") else 0.0)
    table = model.get_input_embeddings().weight
    table[vocabulary[answer], 0] = 10.0
    table[vocabulary[_SPECIAL[2] if "[CLS]" in vocabulary else "<s>"], 1] = 10.0
    head.weight[:, 0] = 4.0
    head.weight[:, 1] = 1.0


def _donut() -> tuple[Any, ...]:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        DonutImageProcessor,
        DonutProcessor,
        DonutSwinConfig,
        MBartConfig,
        PreTrainedTokenizerFast,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
    )

    tokens = ("<s>", "<pad>", "</s>", "<unk>", "<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", ANSWER)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens=list(tokens[4:8]),
    )  # fmt: skip
    seen = DonutSwinConfig(image_size=[32, 32], patch_size=4, embed_dim=8, depths=[1], num_heads=[1], window_size=2)
    seen.hidden_size = 8
    sizes = {"d_model": _SIZE, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 8}
    written = MBartConfig(
        **sizes, vocab_size=len(words), max_position_embeddings=128, is_decoder=True, add_cross_attention=True,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, scale_embedding=False, tie_word_embeddings=False,
    )  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(seen, written)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 4, 1, 2
    config.tie_word_embeddings = False
    model = VisionEncoderDecoderModel(config)
    for name, value in model.decoder.named_parameters():
        is_norm = "norm" in name.lower()
        value.fill_(1.0 if is_norm and name.endswith("weight") else 0.0)
    table, head = model.decoder.get_input_embeddings().weight, model.decoder.get_output_embeddings().weight
    for number in range(len(tokens)):
        table[number, number] = 9.0
    head.zero_()
    head[vocabulary[ANSWER], vocabulary["<s_answer>"]] = 9.0
    head[vocabulary["</s>"], vocabulary[ANSWER]] = 9.0
    image = DonutImageProcessor(size={"height": 32, "width": 32}, do_align_long_axis=False)
    return model, DonutProcessor(image, words)


def _tokens() -> list[str]:
    letters = [chr(code) for code in range(33, 127)]
    return list(dict.fromkeys([*_SPECIAL, ANSWER, *letters, *(f"##{letter}" for letter in letters)]))
