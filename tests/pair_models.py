"""Small randomly initialised readers and cross-encoders, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quarry.search.models.text.embedded import embedded_folder

READERS = ("bert", "distilbert", "roberta", "electra")
SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "initializer_range": 0.2}


def save_reader(folder: Path, kind: str) -> Path:
    """Save a model for question answering of one of the families `READERS` in `folder`/`kind`."""
    import torch
    import transformers as t

    torch.manual_seed(7)
    words = byte_pairs() if kind == "roberta" else t.AutoTokenizer.from_pretrained(str(embedded_folder()))
    words.model_max_length = 512
    sizes = {"vocab_size": len(words), "hidden_size": 48, **SHAPE, "pad_token_id": words.pad_token_id}
    slim = {"vocab_size": len(words), "dim": 48, "hidden_dim": 96, "n_layers": 2, "n_heads": 4}
    model: Any = {
        "bert": lambda: t.BertForQuestionAnswering(t.BertConfig(**sizes)),
        "electra": lambda: t.ElectraForQuestionAnswering(t.ElectraConfig(**sizes, embedding_size=32)),
        "distilbert": lambda: t.DistilBertForQuestionAnswering(t.DistilBertConfig(**slim, initializer_range=0.2)),
        "roberta": lambda: t.RobertaForQuestionAnswering(
            t.RobertaConfig(**sizes, max_position_embeddings=514, type_vocab_size=1)
        ),
    }[kind]()
    model.save_pretrained(folder / kind)
    words.save_pretrained(folder / kind)
    return folder / kind


def save_cross_encoder(folder: Path, activation: str) -> Path:
    """Save a CrossEncoder whose activation is the torch module `activation` in `folder`/`activation`."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(7)
    words = AutoTokenizer.from_pretrained(str(embedded_folder()))
    bare = folder / f"{activation}-bare"
    config = BertConfig(vocab_size=len(words), hidden_size=48, num_labels=1, **SHAPE)
    BertForSequenceClassification(config).save_pretrained(bare)
    words.save_pretrained(bare)
    model = CrossEncoder(str(bare), device="cpu", activation_fn=getattr(torch.nn, activation)())
    model.save(str(folder / activation), create_model_card=False)
    return folder / activation


def byte_pairs() -> Any:
    """Return a tokenizer like RoBERTa's, which puts two separators between question and passage."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import RobertaTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the tower of the cathedral was left at 98 metres when the money ran out"], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return RobertaTokenizerFast(tokenizer_object=tokenizer)
