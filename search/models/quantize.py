"""Quantisation: a float32 graph into one int8 graph that gives every CPU the same sums.

Weights of matrix products are symmetric int8 per output channel within 7 bits, activations uint8 with a scale found at
run time: 255 * 63 * 2 fits the 16-bit sums of AVX2's `vpmaddubsw`, so that nothing saturates on CPUs without VNNI.
Embedding tables are int8 with a scale per row, which costs almost nothing and halves the file.

Two things are learned from a few sample texts, both from Nagel et al. 2021 (A White Paper on Neural Network
Quantization) and Xiao et al. 2023 (SmoothQuant). A few channels of a transformer's activations run tens of times higher
than the others, which lose their bits to them: every channel is divided by a factor before it is quantised and its
weights are multiplied by it. And what rounding the weights changes on average is given back through the bias.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.runtime import available_cores, load_onnxruntime, open_session

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

Floats = NDArray[np.float32]

_SMOOTHING = 0.7  # how much of the channels' unevenness goes over to the weights
_FLOAT32 = 1  # onnx.TensorProto.FLOAT
_NARROW = 8  # columns up to which a product costs nothing in float32: the logits of a reader, which rounding would move
_LARGE_TABLE = 1_000  # rows from which on an embedding table is quantised


@dataclass(frozen=True, slots=True)
class Channels:
    """What the channels of one tensor hold over some samples: largest magnitude and mean, both (channels,)."""

    peak: Floats
    mean: Floats


def quantise(model: ModelProto, samples: Sequence[NDArray[np.int64]], *, bits: int = 7) -> ModelProto:
    """Return a copy of `model` with its matrix products and embedding tables in int8.

    Args:
        model: takes `input_ids`.
        samples: (1, length) inputs to learn the channels from.
        bits: of a weight; with 8, sums saturate on x86 CPUs without VNNI.
    """
    import onnx

    model = onnx.ModelProto.FromString(model.SerializeToString())
    _quantise_products(model, samples, bits)
    _quantise_tables(model.graph)
    return model


def _quantise_products(model: ModelProto, samples: Sequence[NDArray[np.int64]], bits: int) -> None:
    """Replace each product with constant weights by the integer form that ONNX Runtime has fused kernels for."""
    from onnx import helper, numpy_helper

    graph = model.graph
    constants = {c.name: numpy_helper.to_array(c) for c in graph.initializer if c.data_type == _FLOAT32}
    products: dict[str, list[NodeProto]] = {}  # by their common input
    for node in graph.node:
        factor = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if factor is not None and factor.ndim == 2 and factor.shape[1] > _NARROW:
            products.setdefault(node.input[0], []).append(node)
    if not products:
        return
    channels = channels_of(model, list(products), [{"input_ids": ids} for ids in samples])
    made: dict[str, list[NodeProto]] = {}  # by the output of the product they stand for
    corrections: dict[str, Floats] = {}
    for source, group in products.items():
        weights = [constants[node.input[1]] for node in group]
        factors = smoothing(channels[source].peak, weights)
        even, mean = f"{source}.even", channels[source].mean / factors
        _add_constant(graph, f"{source}.factors", 1 / factors)
        nodes = [
            helper.make_node("Mul", [source, f"{source}.factors"], [even]),
            helper.make_node("DynamicQuantizeLinear", [even], [f"{even}.int8", f"{even}.scale", f"{even}.zero"]),
        ]
        for node, original in zip(group, weights, strict=True):
            output = node.output[0]
            weight = original * factors[:, None]
            values, scales = rounded(weight, axis=0, bits=bits)
            corrections[output] = correction(mean, weight, values, scales)
            _add_constant(graph, f"{output}.weights", values)
            _add_constant(graph, f"{output}.scales", scales.reshape(-1))
            _add_constant(graph, f"{output}.zeros", np.zeros(scales.size, np.int8))
            operands = [f"{even}.int8", f"{output}.weights", f"{even}.zero", f"{output}.zeros"]
            made[output] = [
                *nodes,
                helper.make_node("Mul", [f"{even}.scale", f"{output}.scales"], [f"{output}.scale"]),
                helper.make_node("MatMulInteger", operands, [f"{output}.sums"]),
                helper.make_node("Cast", [f"{output}.sums"], [f"{output}.floats"], to=_FLOAT32),
                helper.make_node("Mul", [f"{output}.floats", f"{output}.scale"], [output]),
            ]
            nodes = []
    _replace_nodes(graph, [new for node in graph.node for new in made.get(node.output[0], [node])])
    for node in graph.node:
        if node.op_type == "Add" and (product := next((name for name in node.input if name in corrections), "")):
            position = 1 - list(node.input).index(product)
            bias = constants.get(node.input[position])
            if bias is not None and bias.shape == corrections[product].shape:
                node.input[position] = f"{product}.bias"
                _add_constant(graph, f"{product}.bias", bias + corrections[product])


def channels_of(
    model: ModelProto, tensors: Sequence[str], samples: Sequence[Mapping[str, NDArray[Any]]]
) -> dict[str, Channels]:
    """Run `samples`, what the model takes by name, and look at the last axis of `tensors`."""
    import onnx
    from onnx import helper

    probe = onnx.ModelProto.FromString(model.SerializeToString())
    probe.graph.output.extend(helper.make_tensor_value_info(name, _FLOAT32, None) for name in tensors)
    session = open_session(probe.SerializeToString(), threads=available_cores())
    peaks: dict[str, list[Floats]] = {name: [] for name in tensors}
    means: dict[str, list[Floats]] = {name: [] for name in tensors}
    for sample in samples:
        for name, values in zip(tensors, session.run(list(tensors), sample), strict=True):
            rows = values.reshape(-1, values.shape[-1])
            peaks[name].append(np.abs(rows).max(axis=0))
            means[name].append(rows.mean(axis=0))
    return {name: Channels(np.max(peaks[name], axis=0), np.mean(means[name], axis=0)) for name in tensors}


def smoothing(peak: Floats, weights: Sequence[Floats]) -> Floats:
    """Return what each channel is divided by, (channels,), around 1.

    Sixteen bits of a factor are kept, so that it is the same whatever CPU works out its powers.
    """
    reach = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0).astype(np.float64)
    even = np.maximum(peak.astype(np.float64), 1e-5) ** _SMOOTHING / np.maximum(reach, 1e-5) ** (1 - _SMOOTHING)
    parts, exponents = np.frexp(np.clip(even / np.exp(np.log(even).mean()), 1 / 32, 32))
    factors: Floats = np.ldexp(np.rint(parts * 2**16) / 2**16, exponents).astype(np.float32)
    return factors


def correction(mean: Floats, weight: Floats, values: NDArray[np.int8], scales: Floats) -> Floats:
    """Return what rounding `weight`, (in, out), to `values` takes from a product on average, (out,).

    Rounded to a millionth, as the factors are.

    Args:
        mean: of each channel of the input, (in,).
    """
    lost = weight.astype(np.float64) - values * scales.astype(np.float64)
    return np.asarray(np.rint(mean.astype(np.float64) @ lost * 2**20) / 2**20, np.float32)


def rounded(values: Floats, *, axis: int, bits: int = 8) -> tuple[NDArray[np.int8], Floats]:
    """Return int8 values and their scales, one for each slice along `axis`."""
    largest = 2 ** (bits - 1) - 1
    scales = np.maximum(np.abs(values).max(axis=axis, keepdims=True), 1e-12).astype(np.float32) / np.float32(largest)
    return np.clip(np.rint(values / scales), -largest, largest).astype(np.int8), scales


def _quantise_tables(graph: GraphProto) -> None:
    """Replace each `Gather` in a large float table by one in int8 rows and one in their scales."""
    from onnx import helper, numpy_helper

    tables = {
        c.name: c
        for c in graph.initializer
        if c.data_type == _FLOAT32 and len(c.dims) == 2 and c.dims[0] >= _LARGE_TABLE
    }
    nodes: list[Any] = []
    done: set[str] = set()
    for node in graph.node:
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        if node.op_type != "Gather" or axis != 0 or node.input[0] not in tables:
            nodes.append(node)
            continue
        (table, indices), output = node.input, node.output[0]
        if table not in done:
            done.add(table)
            values, scales = rounded(numpy_helper.to_array(tables[table]), axis=1)
            _add_constant(graph, f"{table}.rows", values)
            _add_constant(graph, f"{table}.scales", scales)
        nodes += [
            helper.make_node("Gather", [f"{table}.rows", indices], [f"{output}.rows"], axis=0),
            helper.make_node("Gather", [f"{table}.scales", indices], [f"{output}.scales"], axis=0),
            helper.make_node("Cast", [f"{output}.rows"], [f"{output}.floats"], to=_FLOAT32),
            helper.make_node("Mul", [f"{output}.floats", f"{output}.scales"], [output]),
        ]
    _replace_nodes(graph, nodes)


def _add_constant(graph: GraphProto, name: str, values: NDArray[Any]) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))


def _replace_nodes(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    """Give `graph` other nodes, and drop the constants that none of them uses."""
    used = {name for node in nodes for name in node.input}
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]  # deleting invalidates its own
    constants = [type(c).FromString(c.SerializeToString()) for c in graph.initializer if c.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(copies)
    graph.initializer.extend(constants)


def optimise(model: ModelProto) -> bytes:
    """Return `model` serialized, with ONNX Runtime's hardware-independent fusions already made.

    Fusing a layer norm with the sum before it is left out: the fused kernel is some eight times slower than the two.
    """
    import onnx

    onnxruntime = load_onnxruntime()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "optimised.onnx"
        onnx.save(model, source)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(target)
        onnxruntime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
        )
        return target.read_bytes()
