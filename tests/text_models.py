"""Small randomly initialised sentence-transformers models, saved as it saves them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from search.models import sources

SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "initializer_range": 0.2}


def save(folder: Path, kind: str) -> Path:
    """Save a small randomly initialised sentence-transformers model of some kind."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import (
        BertConfig,
        BertModel,
        DistilBertConfig,
        DistilBertModel,
        MPNetConfig,
        MPNetModel,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    torch.manual_seed(7)
    size = 48
    sizes = {"hidden_size": size, **SHAPE}
    words = transformers.AutoTokenizer.from_pretrained(str(sources.embedded_folder()))
    vocabulary = {"vocab_size": len(words)}
    transformer: Any = {
        "bert-mean": lambda: BertModel(BertConfig(**sizes, **vocabulary)),
        "bert-cls-prefixes-dense": lambda: BertModel(BertConfig(**sizes, **vocabulary)),
        "xlm-roberta": lambda: XLMRobertaModel(
            XLMRobertaConfig(**sizes, **vocabulary, max_position_embeddings=130, type_vocab_size=1, pad_token_id=0)
        ),
        "mpnet": lambda: MPNetModel(MPNetConfig(**sizes, **vocabulary, max_position_embeddings=130, pad_token_id=0)),
        "distilbert-layer-norm": lambda: DistilBertModel(
            DistilBertConfig(dim=size, hidden_dim=96, n_layers=2, n_heads=4, initializer_range=0.2, **vocabulary)
        ),
    }[kind]()
    bare = folder / "bare"
    transformer.save_pretrained(bare)
    words.save_pretrained(bare)
    parts = [modules.Transformer(str(bare), max_seq_length=100)]
    prompts = None
    if kind == "bert-cls-prefixes-dense":
        parts += [modules.Pooling(size, pooling_mode="cls"), modules.Dense(size, 24)]
        prompts = {"query": "query: ", "document": "passage: "}
    elif kind == "distilbert-layer-norm":
        parts += [modules.Pooling(size, pooling_mode="mean"), modules.LayerNorm(size)]  # a module without a graph
    else:
        parts += [modules.Pooling(size, pooling_mode="mean"), modules.Normalize()]
    model = SentenceTransformer(modules=parts, prompts=prompts, device="cpu")
    target = folder / kind
    model.save(str(target), create_model_card=False)
    shutil.rmtree(bare)
    return target
