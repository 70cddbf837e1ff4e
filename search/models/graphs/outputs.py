"""More outputs of a serialized ONNX graph: what it works out on the way, by name, with not a weight changed.

A protobuf message is merged with one that follows it, so a few bytes behind the graph add outputs to it: the library
onnx, which a search never imports, is not needed, and neither is a second file beside the prepared model.
"""

from __future__ import annotations

from collections.abc import Sequence

from quarry.search.models.graphs.wire import fields, message

# Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_OUTPUT = 1, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND = 1, 2, 4
FLOATS = b"\x0a\x02\x08\x01"  # TypeProto: a tensor whose elements are of type 1
_MEANS = ("ReduceMean", "ReduceSum")


def with_outputs(graph: bytes, names: Sequence[str]) -> bytes:
    """Return a graph that gives floats of its own by these names, after what it gave before."""
    added = b"".join(message(_GRAPH_OUTPUT, message(1, name.encode()) + message(2, FLOATS)) for name in names)
    return graph + message(_MODEL_GRAPH, added)


def averaged(graph: bytes, output: str) -> list[str]:
    """Return what an output may be the mean of, by its names in the graph: the nearest to it first."""
    made: dict[str, tuple[str, list[str]]] = {}
    for place, _, model_part in fields(graph):
        for inner, _, node in fields(model_part) if place == _MODEL_GRAPH else ():
            if inner == _GRAPH_NODE:
                parts = [(field, value) for field, _, value in fields(node)]
                kind = next((value.decode() for field, value in parts if field == _NODE_KIND), "")
                inputs = [value.decode() for field, value in parts if field == _NODE_INPUT]
                for name in (value.decode() for field, value in parts if field == _NODE_OUTPUT):
                    made[name] = kind, inputs
    found, seen, waiting = list[str](), set[str](), [output]
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in made:
            continue
        seen.add(name)
        kind, inputs = made[name]
        if kind in _MEANS:
            found.append(inputs[0])
        else:
            waiting += inputs
    return list(dict.fromkeys(found))
