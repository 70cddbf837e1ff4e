"""Tiny models that do a task, saved as transformers saves them, and wired so that what they say is known.

A model that reads text knows words: what it says of one goes by the word, what it says of a text by the words in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SIZE = 16  # of what stands for a token
TOKENS = 64  # that a model takes at once
WORDS = ("good", "lovely", "bad", "awful", "ada", "lovelace", "seoul", "acme", "corp", "the", "was", "in", "and", "a")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_SIZES: Mapping[str, dict[str, Any]] = {
    "Bert": {"hidden_size": SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "DistilBert": {"dim": SIZE, "n_layers": 1, "n_heads": 2, "hidden_dim": 16},
}
TEXT_FAMILIES = tuple(_SIZES)


def save_text_model(
    folder: Path,
    family: str,
    head: str,
    labels: Mapping[str, Sequence[str]],
    *,
    named: bool = True,
    **config: Any,
) -> Path:
    """Save a model of one of `TEXT_FAMILIES` for texts or words in a new folder.

    Args:
        head: how its architecture's name ends, such as `ForSequenceClassification`.
        labels: what it tells apart, at most ten, and the words of `WORDS` that make it say so; without any, the first.
        named: whether it says what its labels mean.
    """
    import torch
    import transformers

    names = list(labels)
    map = {"id2label": dict(enumerate(names))} if named else {"num_labels": len(names)}
    sizes = {**_SIZES[family], "vocab_size": len(_vocabulary()), "max_position_embeddings": TOKENS, "pad_token_id": 0}
    made = getattr(transformers, f"{family}Config")(**sizes, **map, **config)
    torch.manual_seed(7)
    model = getattr(transformers, f"{family}{head}")(made)
    _wire(model, list(labels.values()))
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


def _wire(model: Any, words: Sequence[Sequence[str]]) -> None:
    """Have each token stand for the label of its word; where the text is asked about, it attends to all alike."""
    import torch

    vocabulary, same = _vocabulary(), torch.eye(SIZE)
    passing = ["pooler.dense", "pre_classifier"]
    if "Token" not in type(model).__name__:
        passing += ["attention.self.value", "attention.output.dense", "v_lin", "out_lin"]
    with torch.no_grad():
        for name, value in model.named_parameters():
            is_norm = "LayerNorm" in name or "layer_norm" in name
            value.fill_(1.0 if is_norm and name.endswith("weight") else 0.0)
            if name.endswith("weight") and any(part in name for part in passing):
                value.copy_(same)
        table = model.get_input_embeddings().weight
        for label, own in enumerate(words):
            for word in own:
                table[vocabulary[word], label + 1] = 10.0
        model.classifier.weight[:, 1 : len(words) + 1] = 4 * torch.eye(len(words))
        model.classifier.bias[: len(words)] = -1.0
        model.classifier.bias[0] = 1.0


def _vocabulary() -> dict[str, int]:
    letters = [chr(code) for code in range(33, 127)]
    tokens = dict.fromkeys([*_SPECIAL, *WORDS, *letters, *(f"##{letter}" for letter in letters)])
    return {token: number for number, token in enumerate(tokens)}


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = _vocabulary()
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=TOKENS,
    )
