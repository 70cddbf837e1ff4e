"""Tiny models that read a text and write another, saved as transformers saves them, and wired so that what they write
is known: for each word of a text that they have an answer to, the one of the most frequent; then they end.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

SIZE = 640  # of what stands for a token: each has a number of its own
_ANSWERS = 16  # twice as many as it can have
TOKENS = 40  # that a model takes at once
MANY = ("__en__", "__de__", "__ko__")  # languages of a model of many
_SPECIAL = ("<pad>", "</s>", "<unk>", "<s>")
_SIZES = {"d_model": SIZE, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
_SIZES |= {
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 8,
    "decoder_ffn_dim": _ANSWERS,
    "max_position_embeddings": TOKENS,
}
_KINDS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "marian": ("MarianMTModel", _SIZES),
    "sentencepiece": ("MarianMTModel", _SIZES),
    "bart": ("BartForConditionalGeneration", _SIZES),
    "m2m100": ("M2M100ForConditionalGeneration", _SIZES),
    "nllb": ("M2M100ForConditionalGeneration", _SIZES),
    "t5": (
        "T5ForConditionalGeneration",
        {"d_model": SIZE, "d_kv": SIZE // 2, "d_ff": _ANSWERS, "num_layers": 1, "num_heads": 2},
    ),
}


def save(folder: Path, kind: str, answers: Mapping[str, str], **config: Any) -> Path:
    """Save a model of a kind of `_KINDS` in a new folder.

    Args:
        answers: the word that it writes, by the word that it reads; by that of a language for what it writes in that
            beside it (`__ko__`). What it writes is not among what it reads.
    """
    import torch
    import transformers

    name, sizes = _KINDS[kind]
    if kind == "sentencepiece":
        words = _marian(answers)
    else:
        words = _nllb(answers) if kind == "nllb" else _words(answers, MANY if kind == "m2m100" else ())
    ids = {"pad_token_id": words.pad_token_id, "eos_token_id": words.eos_token_id, "bos_token_id": words.bos_token_id}
    begin = words.eos_token_id if name.startswith("M2M") else words.pad_token_id
    ids |= {"decoder_start_token_id": begin, "vocab_size": len(words), "tie_word_embeddings": False}
    model_type = getattr(transformers, name)
    model = model_type(model_type.config_class(**{**sizes, **ids, "scale_embedding": False, **config}))
    with torch.no_grad():
        vocabulary = words.get_vocab()
        numbers = {word: vocabulary.get(f"\u2581{word}", vocabulary.get(word, 0)) for word in chain(*answers.items())}
        languages = [vocabulary[token] for token in words.all_special_tokens if "_" in token]
        _wire(model, numbers, answers, words.eos_token_id, languages)
    model.generation_config.forced_bos_token_id = None
    model.generation_config.forced_eos_token_id = None
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _wire(
    model: Any, numbers: Mapping[str, int], answers: Mapping[str, str], end: int, languages: Sequence[int]
) -> None:
    """Have the decoder see what was read, all of it alike, as what is to be said of it, and what it wrote last.

    What stands for a token has a place for that, and another, in its second half, for what is to be said.
    """
    import torch

    half = SIZE // 2
    table = torch.zeros(model.config.vocab_size, SIZE)
    table[:, :half] = 90.0 * torch.eye(len(table), half)
    table[model.config.pad_token_id] = 0.0
    told, before, after = torch.zeros(SIZE, SIZE), torch.zeros(_ANSWERS, SIZE), torch.zeros(SIZE, _ANSWERS)
    told[end, end] = 0.01  # of what it knows nothing of, it says nothing
    for place, (word, answer) in enumerate(answers.items()):
        table[numbers[answer], half + numbers[answer]] = 30.0
        before[2 * place, numbers[answer]] = 1.0  # it has said it
        after[end, 2 * place] = 1_000.0
        if word in MANY:
            before[2 * place + 1, numbers[word]] = 1.0
            after[half + numbers[answer], 2 * place + 1] = 100.0
        else:
            told[half + numbers[answer], numbers[word]] = 8.0
    for name, value in model.named_parameters():
        value.fill_(1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0)
        if "encoder_attn.v_proj.weight" in name or "EncDecAttention.v.weight" in name:
            value.copy_(torch.eye(SIZE))
        elif "encoder_attn.out_proj.weight" in name or "EncDecAttention.o.weight" in name:
            value.copy_(told)
        elif "decoder" in name and name.endswith(("fc1.weight", "wi.weight")):
            value.copy_(before)
        elif "decoder" in name and name.endswith("fc1.bias"):
            value.fill_(-3.0)  # what says where a token stands is no word
        elif "decoder" in name and name.endswith(("fc2.weight", "wo.weight")):
            value.copy_(after)
    for part in model.modules():
        if isinstance(part, torch.nn.Embedding) and part.weight.shape == table.shape:
            part.weight.copy_(table)
    if not model.config.tie_word_embeddings:
        model.lm_head.weight.copy_(table)
        model.lm_head.weight[languages] = 0.0


def _words(answers: Mapping[str, str], more: tuple[str, ...]) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokens = dict.fromkeys([*_SPECIAL, *more, *answers, *answers.values()])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    assert len(vocabulary) <= SIZE // 2
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "bos_token": "<s>"}
    options = {"extra_special_tokens": list(more)} if more else {}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special, model_max_length=TOKENS, **options)


def _marian(answers: Mapping[str, str]) -> Any:
    """Return a tokenizer of Marian's own: two models of sentencepiece, trained on what is read and what is written, and
    a vocabulary of both, which a mark of a language (`>>kor<<`) is in where one is read.
    """
    import tempfile

    from transformers import MarianTokenizer

    marks = [word for word in answers if word.startswith(">>")]
    read, written = [word for word in answers if word not in marks], [*answers.values()]
    trained = [_trained(read), _trained(written)]
    pieces = [one.id_to_piece(number) for one in trained for number in range(one.get_piece_size())]
    tokens = dict.fromkeys(["</s>", "<unk>", *marks, *(piece for piece in pieces if piece not in _SPECIAL), "<pad>"])
    with tempfile.TemporaryDirectory() as temporary:
        source, target, vocabulary = (Path(temporary, name) for name in ("source.spm", "target.spm", "vocab.json"))
        vocabulary.write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
        for path, one in ((source, trained[0]), (target, trained[1])):
            path.write_bytes(one.serialized_model_proto())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # another package is recommended
            return MarianTokenizer(str(source), str(target), str(vocabulary), model_max_length=TOKENS)


def _trained(words: Sequence[str]) -> Any:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words), *words] * 20),
        model_writer=model,
        model_type="bpe",
        vocab_size=200,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def _nllb(answers: Mapping[str, str]) -> Any:
    """Return a tokenizer of NLLB's own, which has a token for each language."""
    from transformers import NllbTokenizer

    written = [word for word in dict.fromkeys([*answers, *answers.values()]) if "_" not in word]
    vocabulary = {token: number for number, token in enumerate(("<s>", "<pad>", "</s>", "<unk>", "\u2581"))}
    merges = []
    for word in written:
        held = "\u2581"
        for letter in word:
            vocabulary.setdefault(letter, len(vocabulary))
            merges.append((held, letter))
            held += letter
            vocabulary.setdefault(held, len(vocabulary))
    return NllbTokenizer(vocab=vocabulary, merges=list(dict.fromkeys(merges)), model_max_length=TOKENS)
