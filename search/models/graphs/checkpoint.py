"""Checkpoints of torch, read without torch: tensors come out as arrays, and nothing else is admitted.

A checkpoint of before torch 1.6 is a row of pickles (a number that marks it, the protocol, the machine, the tensors,
the keys of their storages) and then each storage: how many elements it has, int64, and the elements.

A pickle is a program, which may import and call anything. So none is run: the few instructions that a dictionary of
tensors needs are followed here, one of another kind is an error, and what is "called" is two names that stand for a
dictionary and a tensor.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelDamaged

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DICTIONARY, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_KINDS = {"torch FloatStorage": "<f4", "torch HalfStorage": "<f2", "torch LongStorage": "<i8"}
_VALUES = {"BININT", "BININT1", "BININT2", "BINUNICODE", "LONG1"}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_MOST_DIMENSIONS = 8


@dataclass(frozen=True, slots=True)
class _Name:
    """Something of a module, which is compared and never looked up."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = (self.offset, *self.shape, *self.strides)
        if not all(type(size) is int and 0 <= size <= self.storage.count for size in sizes):
            raise ValueError("a tensor has no proper shape")
        if len(self.shape) != len(self.strides) or len(self.shape) > _MOST_DIMENSIONS:
            raise ValueError("a tensor has no proper shape")
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if math.prod(self.shape) > self.storage.count or self.offset + last >= self.storage.count:
            raise ValueError("a tensor is larger than its storage")

    def of(self, elements: NDArray[Any]) -> NDArray[Any]:
        """Return its elements, a copy."""
        size = elements.itemsize
        strides = [stride * size for stride in self.strides]
        return np.ndarray(self.shape, elements.dtype, elements.data, self.offset * size, strides).copy()


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a checkpoint by their names, in its order.

    Raises:
        ModelDamaged: it is no such checkpoint, or holds anything but tensors.
    """
    try:
        with path.open("rb") as file:
            return _tensors(file)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelDamaged(f"{path} is no checkpoint of tensors ({error}); install it again.") from error


def _tensors(file: BinaryIO) -> dict[str, NDArray[Any]]:
    if (_unpickled(file), _unpickled(file)) != (_MAGIC, _PROTOCOL):
        raise ValueError("it is not in the form of torch before 1.6")
    if _unpickled(file)["little_endian"] is not True:
        raise ValueError("it was written by a big-endian machine")
    found, keys = _unpickled(file), _unpickled(file)
    if not isinstance(found, dict) or not all(isinstance(value, _Tensor) for value in found.values()):
        raise ValueError("it holds something else than a dictionary of tensors")
    storages = {tensor.storage.key: tensor.storage for tensor in found.values()}
    elements = {key: _elements(file, storages[key]) for key in keys}
    return {str(name): tensor.of(elements[tensor.storage.key]) for name, tensor in found.items()}


def _elements(file: BinaryIO, storage: _Storage) -> NDArray[Any]:
    if int.from_bytes(file.read(8), "little") != storage.count:
        raise ValueError("a storage is not as long as its tensors say")
    kind = np.dtype(storage.kind)
    return np.frombuffer(file.read(storage.count * kind.itemsize), kind, storage.count)


def _unpickled(file: BinaryIO) -> Any:
    """Follow one pickle to its end."""
    stack: list[Any] = []
    marks: list[int] = []
    memory: dict[Any, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        values = stack[start:]
        del stack[start:]
        return values

    for instruction, argument, _ in pickletools.genops(file):
        match instruction.name:
            case "PROTO":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                marks.append(len(stack))
            case name if name in _VALUES:
                stack.append(argument)
            case name if name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "BINPUT" | "LONG_BINPUT":
                memory[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memory[argument])
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND":
                value = stack.pop()
                _own(stack, list).append(value)
            case "APPENDS":
                values = since_mark()
                _own(stack, list).extend(values)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _own(stack, dict)[key] = value
            case "SETITEMS":
                values = since_mark()
                _own(stack, dict).update(_pairs(values))
            case "GLOBAL":
                stack.append(_Name(str(argument)))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments, called = stack.pop(), stack.pop()
                stack.append(_made(called, arguments))
            case "BUILD":
                stack.pop()  # what torch notes beside a dictionary of tensors
                _own(stack, dict)
            case other:
                raise ValueError(f"it asks for {other}, which no tensor needs")
    raise ValueError("it ends too early")


def _own(stack: list[Any], kind: type) -> Any:
    if not isinstance(stack[-1], kind):
        raise ValueError(f"it takes something for a {kind.__name__} that is none")
    return stack[-1]


def _pairs(values: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(values[::2], values[1::2], strict=True)


def _storage(reference: Any) -> _Storage:
    what, kind, key, _, count, view = reference
    if what != "storage" or view is not None or type(key) is not str or type(count) is not int or count < 0:
        raise ValueError("it refers to something else than a storage")
    return _Storage(key, _KINDS[kind.name], count)


def _made(called: Any, arguments: Any) -> Any:
    """Return what two names stand for: an empty dictionary, or a tensor."""
    if called == _Name(_DICTIONARY) and arguments == ():
        return {}
    if called == _Name(_TENSOR):
        storage, offset, shape, strides, *_ = arguments
        if isinstance(storage, _Storage):
            return _Tensor(storage, offset, tuple(shape), tuple(strides))
    raise ValueError(f"it calls {getattr(called, 'name', 'something')}")
