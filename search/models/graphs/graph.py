"""A graph in the making: ONNX nodes and constants put together by hand, the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CONTRIB = "com.microsoft"  # ONNX Runtime's own operators, which do in one pass what takes several of the standard's
_IR_VERSION = 10
_OPSETS = (("", 20), (CONTRIB, 1))


class Graph:
    """Nodes in the order of running, and the constants that they take.

    All names are the caller's and the versions of the format are fixed, so that nothing of the machine or of a
    library's version goes into the bytes.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._takes: list[Any] = []
        self._gives: list[Any] = []

    def takes(self, name: str, kind: type[np.generic], shape: Sequence[int | str]) -> str:
        """Declare an input; a length that is a word may be any."""
        self._takes.append(_value(name, kind, shape))
        return name

    def gives(self, name: str, shape: Sequence[int | str]) -> None:
        """Declare an output, of float32."""
        self._gives.append(_value(name, np.float32, shape))

    def constant(self, name: str, values: Any) -> str:
        """Keep an array, in the type that it has, and return its name."""
        from onnx import TensorProto

        array = np.asarray(values)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        kept = TensorProto(dims=array.shape, data_type=_kind(array.dtype), name=name, raw_data=little.tobytes("C"))
        assert self._constants.setdefault(name, kept) == kept, name
        return name

    def add(
        self, operator: str, inputs: Sequence[str], output: str, *more: str, domain: str = "", **attributes: Any
    ) -> str:
        """Add a node, and return the name of its first output; an input called "" is left out."""
        from onnx import helper

        given = dict(sorted(attributes.items()))
        self._nodes.append(helper.make_node(operator, inputs, (output, *more), name=output, domain=domain, **given))
        return output

    def serialized(self) -> bytes:
        """Return the model's bytes."""
        from onnx import GraphProto, ModelProto, OperatorSetIdProto

        graph = GraphProto(name=self._name, node=self._nodes, initializer=self._constants.values())
        graph.input.extend(self._takes)
        graph.output.extend(self._gives)
        model = ModelProto(ir_version=_IR_VERSION, producer_name="quarry", graph=graph)
        model.opset_import.extend(OperatorSetIdProto(domain=domain, version=version) for domain, version in _OPSETS)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _value(name: str, kind: type[np.generic], shape: Sequence[int | str]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, _kind(np.dtype(kind)), shape)


def _kind(kind: np.dtype[Any]) -> int:
    """Return the number of ONNX's type."""
    from onnx import TensorProto

    return int(getattr(TensorProto, "FLOAT" if kind == np.float32 else kind.name.upper()))


def float32(values: NDArray[Any]) -> Floats:
    """Return stored weights as a graph takes them."""
    return np.ascontiguousarray(values, np.float32)
