"""Tokenizers of image models, from open_clip's own form into that of the tokenizers library."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from quarry.search.models.image.card import ImageCard
from quarry.search.models.image.cleaning import CLEANERS, clean
from quarry.search.models.image.parity import texts
from quarry.search.models.tracing import NotExportable

# open_clip's pattern, without its names of special tokens: a text that spells one out remains a text.
_WORDS = r"(?i)'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def serving_tokenizer(original: Any, card: ImageCard) -> bytes:
    """Return open_clip's tokenizer as the tokenizers library keeps it, cutting and filling up to the context length.

    Raises:
        NotExportable: it has no such form, or one that gives other tokens.
    """
    if card.clean not in CLEANERS:
        raise NotExportable(f"its texts are cleaned in an unknown way ({card.clean})")
    made = _byte_pairs(original, card) if card.tokenizer == "clip" else _hugging_face(original, card)
    separator = separator_id(original)
    for text in texts():
        found = np.asarray(tokens(made, card, text))
        found[found == separator] = 0
        if found.tolist() != original([text])[0].tolist():
            raise NotExportable(f"its tokenizer gives other tokens than open_clip's for {text[:40]!r}")
    content: str = made.to_str()
    return content.encode()


def tokens(tokenizer: Any, card: ImageCard, text: str) -> list[int]:
    """Return the ids of `text`, as many as the context has."""
    ids: list[int] = tokenizer.encode(clean(card.clean, text)).ids
    return ids


def separator_id(original: Any) -> int:
    """Return the id of the token that open_clip replaces by 0, -1 where it replaces none."""
    return int(original.tokenizer.sep_token_id) if getattr(original, "strip_sep_token", False) else -1


def _byte_pairs(original: Any, card: ImageCard) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    if original.reduction_fn is not None:
        raise NotExportable("it shortens texts at random")
    begin, end = (original.decoder[token] for token in (original.sot_token_id, original.eot_token_id))
    made = Tokenizer(
        models.BPE(vocab=dict(original.encoder), merges=list(original.bpe_ranks), end_of_word_suffix="</w>")
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("</w>", " ")])
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, original.sot_token_id), (end, original.eot_token_id)]
    )
    made.enable_truncation(card.context_length)
    made.enable_padding(length=card.context_length, pad_id=0, pad_token=original.decoder[0])
    return made


def _hugging_face(original: Any, card: ImageCard) -> Any:
    from tokenizers import Tokenizer

    backend = getattr(original.tokenizer, "backend_tokenizer", None)
    if backend is None or original.tokenizer_mode:
        raise NotExportable("its tokenizer has no form in the tokenizers library")
    values = json.loads(backend.to_str())
    values["truncation"] = values["padding"] = None
    made = Tokenizer.from_str(json.dumps(values))
    made.enable_truncation(card.context_length, direction=original.tokenizer.truncation_side)
    made.enable_padding(
        length=card.context_length,
        direction=original.tokenizer.padding_side,
        pad_id=original.tokenizer.pad_token_id,
        pad_token=original.tokenizer.pad_token,
    )
    return made
