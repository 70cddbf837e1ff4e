"""A tiny TAPAS, saved as transformers saves it, and wired so that the cells that it chooses are known."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

_SIZE = 16
_SPECIAL = ("[PAD]", "[EMPTY]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKENS = 64


def save(folder: Path, chosen: Sequence[str], aggregation: str = "NONE", rows: int = 32) -> Path:
    """Save a model in a new folder.

    Args:
        chosen: words; cells of them are the answer to any question, those of the column that has most of them.
        aggregation: what it has done with such cells.
        rows: that it tells apart.
    """
    import torch
    from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

    letters = [chr(code) for code in range(33, 127)]
    tokens = dict.fromkeys([*_SPECIAL, *chosen, *letters, *(f"##{letter}" for letter in letters)])
    kinds = {0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"}
    config = TapasConfig(
        vocab_size=len(tokens),
        hidden_size=_SIZE,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=_SIZE,
        type_vocab_sizes=[3, 32, rows, 2, 256, 256, 10],
        num_aggregation_labels=len(kinds),
        aggregation_labels=kinds,
    )
    model = TapasForQuestionAnswering(config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.fill_(1.0 if "LayerNorm.weight" in name else 0.0)
        table = model.get_input_embeddings().weight
        for number, token in enumerate(tokens):
            table[number, 0] = 10.0 if token in chosen else -10.0
        model.output_weights[0] = 2.0
        model.column_output_weights[0] = 1.0
        model.aggregation_classifier.bias[[*kinds.values()].index(aggregation)] = 4.0
    model.save_pretrained(folder)
    with tempfile.TemporaryDirectory() as temporary:
        vocabulary = Path(temporary, "vocab.txt")
        vocabulary.write_text("\n".join(tokens))
        TapasTokenizer(str(vocabulary), model_max_length=TOKENS).save_pretrained(folder)
    return folder
