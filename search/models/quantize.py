"""Quantisation: a float32 graph into one int8 graph that gives every CPU the same sums.

Weights of matrix products are symmetric int8 per output channel within 7 bits, activations uint8 with a scale found at
run time: 255 * 64 * 2 fits the 16-bit sums of AVX2's `vpmaddubsw`, so that nothing saturates on CPUs without VNNI.
Embedding tables are int8 with a scale per row, which costs almost nothing and halves the file.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto

_LARGE_TABLE = 1_000  # rows from which on an embedding table is quantised


def quantise(model: ModelProto, *, per_channel: bool = True, reduce_range: bool = True) -> ModelProto:
    """Return `model` with its matrix products and embedding tables in int8."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        logging.disable(logging.WARNING)  # it advises a step that was taken
        try:
            quantize_dynamic(
                source,
                target,
                op_types_to_quantize=["MatMul"],
                per_channel=per_channel,
                reduce_range=reduce_range,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        quantised = onnx.load(target)
    _quantise_tables(quantised)
    return quantised


def _quantise_tables(model: ModelProto) -> None:
    """Replace each `Gather` in a large float table by one in int8 rows and one in their scales."""
    from onnx import helper, numpy_helper

    tables = {t.name: t for t in model.graph.initializer if len(t.dims) == 2 and t.dims[0] >= _LARGE_TABLE}
    nodes: list[Any] = []
    done: set[str] = set()
    for node in model.graph.node:
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        table = tables.get(node.input[0]) if node.op_type == "Gather" and axis == 0 else None
        values = numpy_helper.to_array(table) if table is not None else None
        if table is None or values is None or values.dtype != np.float32:
            nodes.append(node)
            continue
        name, output = table.name, node.output[0]
        if name not in done:
            done.add(name)
            scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
            rows = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
            model.graph.initializer.append(numpy_helper.from_array(rows, f"{name}.rows"))
            model.graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scales"))
        indices = node.input[1]
        nodes += [
            helper.make_node("Gather", [f"{name}.rows", indices], [f"{output}.rows"], axis=0),
            helper.make_node("Gather", [f"{name}.scales", indices], [f"{output}.scales"], axis=0),
            helper.make_node("Cast", [f"{output}.rows"], [f"{output}.values"], to=1),
            helper.make_node("Mul", [f"{output}.values", f"{output}.scales"], [output]),
        ]
    still_used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in still_used]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)


def optimise(model: ModelProto) -> bytes:
    """Return `model` serialized, with ONNX Runtime's hardware-independent fusions already made.

    Fusing a layer norm with the sum before it is left out: the fused kernel is some eight times slower than the two.
    """
    import onnx
    import onnxruntime

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
