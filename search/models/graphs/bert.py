"""BERT (Devlin et al. 2019) as an ONNX graph, from its weights: a sentence's vector, or a reader's logits.

Texts come alone and unpadded, so that nothing is masked and nothing depends on what else is embedded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.blocks import unpacked
from quarry.search.models.graphs.graph import Floats, Graph, float32
from quarry.search.models.graphs.products import Linear, Products

_EPSILON = 1e-12  # of its layer norms
_WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True, slots=True)
class Bert:
    """The weights of a BERT.

    Args:
        weights: by the names that transformers gives them, in any floating type, or blocks of four bits.
        heads: of attention.
        prefix: what the names of the encoder's weights begin with.
    """

    weights: Mapping[str, NDArray[Any]]
    heads: int
    prefix: str = ""

    def __getitem__(self, name: str) -> Floats:
        return float32(self.weights[self.prefix + name])

    @property
    def has_words(self) -> bool:
        """Whether the embeddings of words are among them."""
        return self.prefix + _WORDS in self.weights

    @property
    def layers(self) -> int:
        """How many layers it has."""
        start = f"{self.prefix}encoder.layer."
        return 1 + max(int(name.removeprefix(start).split(".")[0]) for name in self.weights if name.startswith(start))

    def linear(self, place: str) -> Linear:
        """Return the linear layer at `place`."""
        stored, bias = self.weights[f"{self.prefix}{place}.weight"], self[f"{place}.bias"]
        if stored.ndim == 3:  # blocks
            return Linear(unpacked(stored).T, bias, stored)
        return Linear(np.ascontiguousarray(float32(stored).T), bias)


@dataclass(frozen=True, slots=True)
class Cone:
    """Where unit vectors of a model lie: their `center`, (d,), and the directions in which their language shows.

    These are the rows of `languages`, (k, d), at right angles to each other, of length 1.
    """

    center: Floats
    languages: Floats


def inputs(bert: Bert) -> list[str]:
    """Return the names of what goes into products with constant weights."""
    parts = ("input", "looked", "middle", "active")
    return [f"layer.{number}.{part}" for number in range(bert.layers) for part in parts]


def sentence_graph(bert: Bert, products: Products, cone: Cone | None = None) -> bytes:
    """Return a text model's graph: `input_ids` (1, n) -> `sentence_embedding` (1, d), the unit mean of its tokens.

    Of a BERT without words, whose caller looks these up, it takes `word_embeddings` (1, n, d) instead.

    Args:
        cone: what is taken from each unit vector of the model.
    """
    graph = Graph("sentence")
    one_type = bert["embeddings.token_type_embeddings.weight"][0]
    places = bert["embeddings.position_embeddings.weight"] + one_type
    if bert.has_words:
        words = _words(graph, bert, products, graph.takes("input_ids", np.int64, (1, "length")), places)
    else:
        words = _placed(graph, graph.takes("word_embeddings", np.float32, (1, "length", one_type.size)), places)
    hidden = _encoded(graph, bert, products, words)
    tokens = graph.constant("tokens", np.array([1]))
    if cone is not None:  # from each token, so that the vector is still the mean of what they are
        whole = graph.add("ReduceMean", [hidden, tokens], "whole")
        length = graph.add("ReduceL2", [whole, graph.constant("across", np.array([2]))], "whole.length")
        unit = graph.add("Div", [hidden, length], "tokens.unit")
        centered = graph.add("Sub", [unit, graph.constant("center", cone.center)], "tokens.centered")
        along = graph.add("MatMul", [centered, graph.constant("languages", cone.languages.T)], "tokens.along")
        part = graph.add("MatMul", [along, graph.constant("languages.back", cone.languages)], "tokens.language")
        hidden = graph.add("Sub", [centered, part], "tokens.apart")
    mean = graph.add("ReduceMean", [hidden, tokens], "mean", keepdims=0)
    graph.add("LpNormalization", [mean], "sentence_embedding", axis=-1, p=2)
    graph.gives("sentence_embedding", (1, one_type.size))
    return graph.serialized()


def reader_graph(bert: Bert, products: Products, separator: int) -> bytes:
    """Return a reader's graph: `input_ids` (1, n) -> `logits` (1, n, 2), a start and an end for each token.

    Of a BERT without words it takes `word_embeddings` (1, n, d) as well.

    Args:
        separator: the token after which the passage begins.
    """
    graph = Graph("reader")
    ids = graph.takes("input_ids", np.int64, (1, "length"))
    border = graph.add("Equal", [ids, graph.constant("separator", np.array(separator))], "border")
    borders = graph.add("Cast", [border], "borders", to=7)
    before = graph.add("CumSum", [borders, graph.constant("along", np.array(1))], "borders.before", exclusive=1)
    types = graph.add("Min", [before, graph.constant("passage", np.array(1))], "types")
    table = graph.constant("types.table", bert["embeddings.token_type_embeddings.weight"])
    positions = bert["embeddings.position_embeddings.weight"]
    if bert.has_words:
        words = _words(graph, bert, products, ids, positions)
    else:
        rows = graph.takes("word_embeddings", np.float32, (1, "length", positions.shape[1]))
        words = _placed(graph, rows, positions)
    typed = graph.add("Add", [words, graph.add("Gather", [table, types], "types.rows", axis=0)], "words.typed")
    hidden = _encoded(graph, bert, products, typed)
    weight = graph.constant("outputs.weights", float32(bert.weights["qa_outputs.weight"].T))
    bias = graph.constant("outputs.bias", float32(bert.weights["qa_outputs.bias"]))
    graph.add("Add", [graph.add("MatMul", [hidden, weight], "outputs"), bias], "logits")
    graph.gives("logits", (1, "length", 2))
    return graph.serialized()


def _words(graph: Graph, bert: Bert, products: Products, ids: str, positions: Floats) -> str:
    """Add the embeddings of words and of the places where they stand, (1, n, d)."""
    return _placed(graph, products.rows(graph, bert[_WORDS], ids, "words"), positions, ids)


def _placed(graph: Graph, words: str, positions: Floats, counted: str = "") -> str:
    """Add to words, (1, n, d), the places where they stand; `counted` is what has their number as its second length."""
    end = graph.add("Shape", [counted or words], "length", start=1, end=2)
    table, zero, axis = (
        graph.constant(name, values)
        for name, values in (("positions", positions), ("first", np.array([0])), ("down", np.array([0])))
    )
    places = graph.add("Slice", [table, zero, end, axis], "places")
    return graph.add("Add", [words, places], "words.placed")


def _encoded(graph: Graph, bert: Bert, products: Products, words: str) -> str:
    """Add the layers of the encoder, and return the last hidden state, (1, n, d)."""
    hidden = _normed(graph, bert, "embeddings.LayerNorm", [words], "layer.0.input")
    for number in range(bert.layers):
        hidden = _layer(graph, bert, products, hidden, number)
    return hidden


def _layer(graph: Graph, bert: Bert, products: Products, hidden: str, number: int) -> str:
    """Add attention and what follows it, each with its sum and its layer norm."""
    place, name = f"encoder.layer.{number}", f"layer.{number}"
    parts = [bert.linear(f"{place}.attention.self.{part}") for part in ("query", "key", "value")]
    looked = products.attention(graph, hidden, parts, bert.heads, f"{name}.looked")
    mixed = products.linear(graph, looked, bert.linear(f"{place}.attention.output.dense"), f"{name}.mixed")
    middle = _normed(graph, bert, f"{place}.attention.output.LayerNorm", [mixed, hidden], f"{name}.middle")
    wide = products.linear(graph, middle, bert.linear(f"{place}.intermediate.dense"), f"{name}.wide")
    active = graph.add("Gelu", [wide], f"{name}.active")
    narrow = products.linear(graph, active, bert.linear(f"{place}.output.dense"), f"{name}.narrow")
    return _normed(graph, bert, f"{place}.output.LayerNorm", [narrow, middle], f"layer.{number + 1}.input")


def _normed(graph: Graph, bert: Bert, place: str, terms: list[str], name: str) -> str:
    """Add the layer norm of a sum.

    The two stay apart: ONNX Runtime's fused kernel is some eight times slower.
    """
    total = graph.add("Add", terms, f"{name}.sum") if len(terms) > 1 else terms[0]
    scale = graph.constant(f"{name}.scale", bert[f"{place}.weight"])
    bias = graph.constant(f"{name}.bias", bert[f"{place}.bias"])
    return graph.add("LayerNormalization", [total, scale, bias], name, axis=-1, epsilon=_EPSILON)
