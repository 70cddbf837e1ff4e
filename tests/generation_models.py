"""Small randomly initialised models that write, saved as transformers saves them. What they write is nonsense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORPUS = [
    "Summarize the passages below. Say only what they say. Answer the question at the end from the passages.",
    "Stars form in clouds of gas that fall together under their own weight, and shine for billions of years.",
    "Bread rises since yeast makes gas out of sugar; salt slows it down. The oven must be hot.",
    "[1] [2] [3] Question: Answer: Summary: Write in the language of the question. 0 1 2 3 4 5 6 7 8 9",
    "별은 가스 구름이 스스로의 무게로 무너질 때 태어난다. 빵은 효모가 설탕으로 가스를 만들어 부풀어 오른다.",
]
CHAT = (
    "{% for message in messages %}<|user|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|model|>{% endif %}"
)
SMALL = {"d_model": 16, "vocab_size": 400}
BART = {
    **SMALL,
    "max_position_embeddings": 256,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
}
LLAMA = {
    "vocab_size": 400,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 512,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("T5", {**SMALL, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "n_positions": 200}),
    "bart": ("Bart", BART),
    "gpt2": ("GPT2", {"vocab_size": 400, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 512}),
    "llama": ("Llama", LLAMA),
    "chat": ("Llama", LLAMA),
    "bert": ("Bert", LLAMA),
}
CLASSES = {"T5": "ForConditionalGeneration", "Bart": "ForConditionalGeneration", "GPT2": "LMHeadModel"}
CLASSES |= {"Llama": "ForCausalLM", "Bert": "ForMaskedLM"}


def save(folder: Path, kind: str) -> Path:
    """Save a model of one of `MODELS` in the new folder `folder`/`kind`, with its tokenizer."""
    import torch
    import transformers

    family, sizes = MODELS[kind]
    ids = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "decoder_start_token_id": 0}
    if family in ("Llama", "GPT2", "Bert"):
        ids.pop("decoder_start_token_id")
    config = getattr(transformers, f"{family}Config")(**sizes, **ids)
    torch.manual_seed(7)
    model = getattr(transformers, f"{family}{CLASSES[family]}")(config)
    target = folder / kind
    model.save_pretrained(target)
    _tokenizer(CHAT if kind == "chat" else None).save_pretrained(target)
    if kind == "t5":
        written = json.loads((target / "config.json").read_text())
        written["task_specific_params"] = {"summarization": {"prefix": "summarize: ", "num_beams": 4}}
        (target / "config.json").write_text(json.dumps(written))
    if kind == "bart":  # what a summarizer of beams and samples comes with
        how = {"num_beams": 4, "early_stopping": True, "length_penalty": 2.0, "min_length": 56, "max_length": 142}
        how |= {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "no_repeat_ngram_size": 3, **ids}
        (target / "generation_config.json").write_text(json.dumps(how))
    return target


def _tokenizer(chat_template: str | None) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "</s>", "<s>", "<|user|>", "<|end|>", "<|model|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        bos_token="<s>",
        additional_special_tokens=["<|user|>", "<|end|>", "<|model|>"],
    )
    fast.chat_template = chat_template
    return fast
