"""More outputs of a serialized ONNX graph: what it works out on the way, by name, with not a weight changed.

A protobuf message is merged with one that follows it, so a few bytes behind the graph add outputs to it: the library
onnx, which a search never imports, is not needed, and neither is a second file beside the prepared model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_OUTPUT = 1, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND = 1, 2, 4
_FLOATS = b"\x0a\x02\x08\x01"  # TypeProto: a tensor whose elements are of type 1
_MEANS = ("ReduceMean", "ReduceSum")


def with_outputs(graph: bytes, names: Sequence[str]) -> bytes:
    """Return a graph that gives floats of its own by these names, after what it gave before."""
    added = b"".join(_field(_GRAPH_OUTPUT, _field(1, name.encode()) + _field(2, _FLOATS)) for name in names)
    return graph + _field(_MODEL_GRAPH, added)


def averaged(graph: bytes, output: str) -> list[str]:
    """Return what an output may be the mean of, by its names in the graph: the nearest to it first."""
    made: dict[str, tuple[str, list[str]]] = {}
    for number, model_part in _fields(graph):
        for inner, node in _fields(model_part) if number == _MODEL_GRAPH else ():
            if inner == _GRAPH_NODE:
                parts = list(_fields(node))
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


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and contents of the fields of a message that are texts, bytes or messages themselves."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, at = _varint(message, at)
        elif wire == 2:
            length, at = _varint(message, at)
            yield number, message[at : at + length]
            at += length
        else:
            at += {1: 8, 5: 4}[wire]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _field(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | 2) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
