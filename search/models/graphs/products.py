"""What of a transformer is large: products with constant weights, attention and embeddings, in float32 or less.

int8 is what `search.models.quantize` makes of an exported graph. What it learns from samples is handed in here: it
was learned once and is kept with the weights, since no two kinds of CPU would find quite the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.blocks import BLOCK, Blocks, halves, scales
from quarry.search.models.graphs.graph import CONTRIB, Floats, Graph
from quarry.search.models.quantize import Channels, correction, rounded, smoothing

_FLOAT = 1  # onnx.TensorProto.FLOAT
_BY_INT8 = 4  # how MatMulNBits may take activations; where a CPU has no kernel for it, it takes them in float32


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer: its weights, (in, out), and its bias, (out,); and the weights as blocks of four bits, if any."""

    weight: Floats
    bias: Floats
    blocks: Blocks | None = None

    @classmethod
    def beside(cls, layers: Sequence[Linear]) -> Linear:
        """Return one layer that gives what several give, one after the other."""
        weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
        return cls(np.concatenate(weights, axis=1), np.concatenate(biases))


def read_channels(path: Path) -> dict[str, Channels]:
    """Return what the inputs of layers hold, by their names, as `indexer/training/drawing.py` wrote it down."""
    from safetensors.numpy import load_file

    stored = load_file(path)
    names = dict.fromkeys(name.rpartition(".")[0] for name in stored)
    return {name: Channels(stored[f"{name}.peak"], stored[f"{name}.mean"]) for name in names}


class Products(Protocol):
    """How they stand in a graph."""

    def linear(self, graph: Graph, source: str, layer: Linear, name: str) -> str:
        """Add `layer` over `source`, (1, n, in), and return the name of what it gives, (1, n, out)."""
        ...

    def attention(self, graph: Graph, source: str, parts: Sequence[Linear], heads: int, name: str) -> str:
        """Add attention, unmasked, over queries, keys and values of `source`, and return the name of what it gives."""
        ...

    def rows(self, graph: Graph, table: Floats, indices: str, name: str) -> str:
        """Add a look-up in a table of embeddings, (rows, d), and return the name of what it gives."""
        ...


class Float32:
    """Everything in float32: what int8 is compared with, and what samples run through."""

    def linear(self, graph: Graph, source: str, layer: Linear, name: str) -> str:
        """Add a product and a sum."""
        weights, bias = graph.constant(f"{name}.weights", layer.weight), graph.constant(f"{name}.bias", layer.bias)
        return graph.add("Add", [graph.add("MatMul", [source, weights], f"{name}.product"), bias], name)

    def attention(self, graph: Graph, source: str, parts: Sequence[Linear], heads: int, name: str) -> str:
        """Add three layers, and attention over what they give."""
        names = (f"{name}.queries", f"{name}.keys", f"{name}.values")
        inputs = [self.linear(graph, source, layer, part) for layer, part in zip(parts, names, strict=True)]
        return graph.add("MultiHeadAttention", inputs, name, domain=CONTRIB, num_heads=heads)

    def rows(self, graph: Graph, table: Floats, indices: str, name: str) -> str:
        """Add a look-up."""
        return graph.add("Gather", [graph.constant(f"{name}.table", table), indices], name, axis=0)


class FourBits(Float32):
    """Weights in the four bits that they are kept in, activations in int8 with a scale for each 32."""

    def linear(self, graph: Graph, source: str, layer: Linear, name: str) -> str:
        """Add a product that takes blocks, and adds the bias."""
        assert layer.blocks is not None
        inner, outer = layer.weight.shape
        values = halves(layer.blocks)
        inputs = [
            source,
            graph.constant(f"{name}.weights", values[..., 0::2] | values[..., 1::2] << 4),
            graph.constant(f"{name}.scales", scales(layer.blocks).reshape(-1)),
            "",  # about 8
            "",
            graph.constant(f"{name}.bias", layer.bias),
        ]
        sizes = {"K": inner, "N": outer, "bits": 4, "block_size": BLOCK, "accuracy_level": _BY_INT8}
        return graph.add("MatMulNBits", inputs, name, domain=CONTRIB, **sizes)


@dataclass(frozen=True, slots=True)
class Int8:
    """Weights in int8 per output channel, activations in uint8 with a scale found at run time.

    Args:
        channels: what the inputs of layers hold over some samples, by their names.
    """

    channels: Mapping[str, Channels]

    def linear(self, graph: Graph, source: str, layer: Linear, name: str) -> str:
        """Add the even input, and a product that quantises it."""
        even, weights, scales, zeros, bias = self._even(graph, source, layer, name)
        return graph.add("DynamicQuantizeMatMul", [even, weights, scales, zeros, bias], name, domain=CONTRIB)

    def attention(self, graph: Graph, source: str, parts: Sequence[Linear], heads: int, name: str) -> str:
        """Add one node that does it all after its input is quantised."""
        even, weights, scales, zeros, bias = self._even(graph, source, Linear.beside(parts), name)
        whole, scale, zero = names = (f"{even}.int8", f"{even}.scale", f"{even}.zero")
        graph.add("DynamicQuantizeLinear", [even], *names)
        inputs = [whole, weights, bias, scale, scales, "", zero, zeros]
        return graph.add("QAttention", inputs, name, domain=CONTRIB, num_heads=heads)

    def rows(self, graph: Graph, table: Floats, indices: str, name: str) -> str:
        """Add a look-up in int8 rows and one in their scales."""
        values, scales = rounded(table, axis=1)
        rows = self._gather(graph, values, indices, f"{name}.rows")
        floats = graph.add("Cast", [rows], f"{name}.floats", to=_FLOAT)
        return graph.add("Mul", [floats, self._gather(graph, scales, indices, f"{name}.scales")], name)

    def _even(self, graph: Graph, source: str, layer: Linear, name: str) -> list[str]:
        """Add the input with its channels made even, and what a product takes beside it: weights to bias."""
        channels = self.channels[source]
        factors = smoothing(channels.peak, [layer.weight])
        weight = layer.weight * factors[:, None]
        values, scales = rounded(weight, axis=0, bits=7)
        constants: dict[str, NDArray[Any]] = {
            "weights": values,
            "scales": scales.reshape(-1),
            "zeros": np.zeros(scales.size, np.int8),
            "bias": layer.bias + correction(channels.mean / factors, weight, values, scales),
        }
        even = graph.add("Mul", [source, graph.constant(f"{source}.factors", 1 / factors)], f"{source}.even")
        return [even, *(graph.constant(f"{name}.{key}", kept) for key, kept in constants.items())]

    def _gather(self, graph: Graph, table: NDArray[Any], indices: str, name: str) -> str:
        return graph.add("Gather", [graph.constant(f"{name}.table", table), indices], name, axis=0)
