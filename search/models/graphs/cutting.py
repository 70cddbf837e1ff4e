"""A part of a serialized ONNX graph: up to some of the values that it works out, for an input of another size.

What convolutions alone lead to does not depend on how large a picture is; only what follows them does. So the graph
that embeds a picture of 224 pixels gives the features of one of 448, cut off before it is asked to put them together.
Nothing of a node or weight is changed, and the library onnx, which a search never imports, is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.graphs.outputs import FLOATS
from quarry.search.models.graphs.wire import fields, message, number, whole

# Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MODEL_GRAPH = 7
_NODE, _CONSTANT, _INPUT, _OUTPUT, _SHAPES = 1, 5, 11, 12, 13  # of a graph
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_DIMENSIONS, _TENSOR_NAME, _RAW = 1, 8, 9  # of a constant
_BYTES = 2  # TensorProto.UINT8


def cut(graph: bytes, outputs: Sequence[str], takes: str, shape: Sequence[int]) -> bytes:
    """Return the part of a graph that leads to `outputs`, floats that it works out, in this order.

    Args:
        takes: the graph's input, of uint8.
        shape: its new one.
    """
    made = []
    for place, raw, content in fields(graph):
        made.append(message(place, _part(content, outputs, takes, shape)) if place == _MODEL_GRAPH else raw)
    return b"".join(made)


def constants(graph: bytes, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Return constants of a graph, of float32, by their names; KeyError where it lacks one."""
    found = {}
    for place, _, content in fields(graph):
        for inner, _, tensor in fields(content) if place == _MODEL_GRAPH else ():
            if inner == _CONSTANT and (name := _named(tensor, _TENSOR_NAME)[0]) in names:
                found[name] = _array(tensor)
    return {name: found[name] for name in names}


def _part(graph: bytes, outputs: Sequence[str], takes: str, shape: Sequence[int]) -> bytes:
    parts = list(fields(graph))
    wanted, nodes = set(outputs), list[bytes]()
    for place, raw, content in reversed(parts):  # nodes stand in the order of running
        if place == _NODE and wanted & set(_named(content, _NODE_OUTPUT)):
            wanted |= set(_named(content, _NODE_INPUT))
            nodes.append(raw)
    kept = [
        raw
        for place, raw, content in parts
        if place not in (_NODE, _CONSTANT, _INPUT, _OUTPUT, _SHAPES)
        or (place == _CONSTANT and wanted & set(_named(content, _TENSOR_NAME)))
    ]
    sides = b"".join(message(1, whole(1, side)) for side in shape)
    kind = message(1, whole(1, _BYTES) + message(2, sides))
    ends = [message(_INPUT, _value(takes, kind)), *(message(_OUTPUT, _value(name, FLOATS)) for name in outputs)]
    return b"".join([*nodes[::-1], *kept, *ends])


def _value(name: str, kind: bytes) -> bytes:
    return message(1, name.encode()) + message(2, kind)


def _named(content: bytes, number: int) -> list[str]:
    """Return the texts that a message has under a number."""
    return [text.decode() for own, _, text in fields(content) if own == number]


def _array(tensor: bytes) -> NDArray[np.float32]:
    sides = [number(content) for place, _, content in fields(tensor) if place == _DIMENSIONS]
    raw = next(content for place, _, content in fields(tensor) if place == _RAW)
    return np.frombuffer(raw, "<f4", math.prod(sides)).reshape(sides)
