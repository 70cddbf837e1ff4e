from __future__ import annotations

import collections
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.search.errors import ModelDamaged
from quarry.search.models.graphs.checkpoint import read_checkpoint
from quarry.search.models.image import embedded

MAGIC, PROTOCOL, MACHINE = 0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}


class Call:
    """Something that a pickle has called when it is loaded."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self.reduced = (called, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


def save(tensors: Any, path: Path) -> Path:
    """Save in the form of torch before 1.6."""
    import torch

    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return path


def written(path: Path, *objects: Any, rest: bytes = b"") -> Path:
    """Write pickles, each an object or its bytes, one after the other."""
    parts = [thing if isinstance(thing, bytes) else pickle.dumps(thing, 2) for thing in objects]
    path.write_bytes(b"".join(parts) + rest)
    return path


def rebuilt(count: int, offset: Any, shape: Any, strides: Any) -> bytes:
    """Return the pickle of {"a": a tensor of a storage of `count` floats}."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    storage += pickle.dumps(count, 2)[2:-1] + b"NtQ"
    numbers = b"".join(pickle.dumps(value, 2)[2:-1] for value in (offset, shape, strides))
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers + b"\x89}tR"
    return b"\x80\x02}X\x01\x00\x00\x00a" + call + b"s."


def test_the_backbone_is_read_as_torch_reads_it() -> None:
    import torch

    path = embedded.backbone()
    expected = torch.load(path, weights_only=True)
    found = read_checkpoint(path)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].shape == tuple(tensor.shape) and found[name].dtype == tensor.numpy().dtype
        assert np.array_equal(found[name], tensor.numpy())


def test_views_of_one_storage_are_read(tmp_path: Path) -> None:
    import torch

    whole = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors = {"whole": whole, "turned": whole.T, "column": whole[:, 1], "half": whole[0].half(), "long": whole.long()}
    found = read_checkpoint(save(tensors, tmp_path / "a.pth"))
    for name, tensor in tensors.items():
        assert np.array_equal(found[name], tensor.numpy())


@pytest.mark.parametrize(
    "thing",
    [
        Call(os.system, "touch {marker}"),
        Call(eval, "open('{marker}', 'w')"),
        {"a": Call(os.system, "touch {marker}")},
        Call(collections.OrderedDict, [("a", 1)]),
        collections.Counter("aab"),
        np.zeros(3),
        ["a"],
        {"a": 1},
        Path("/etc"),
        b"\x80\x02cos\nsystem\n(X\x0e\x00\x00\x00touch {marker}tR.",
        b"(S'touch {marker}'\nios\nsystem\n.",  # INST
        b"\x80\x02(cos\nsystem\nX\x05\x00\x00\x00touchoq\x00.",  # OBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x05touch\x85R.",  # STACK_GLOBAL
        b"\x80\x02\x82\x01.",  # an extension's number
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(tR.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
        b"\x80\x02X\x01\x00\x00\x00aQ.",
        b"\x80\x02r\xff\xff\xff\x7f.",  # a memory of two thousand million places
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
        b"\x80\x02h\x07.",
        b"\x80\x02.",
    ],
)
def test_what_is_no_tensor_is_refused_and_nothing_is_called(thing: Any, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    if isinstance(thing, Call):
        called, arguments = thing.reduced
        thing = Call(called, *(a.format(marker=marker) if isinstance(a, str) else a for a in arguments))
    path = written(tmp_path / "a.pth", MAGIC, PROTOCOL, MACHINE, thing, [])
    with pytest.raises(ModelDamaged, match="is no checkpoint of tensors"):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("count", "offset", "shape", "strides"),
    [
        (4, 1, (4,), (1,)),
        (4, 0, (2, 4), (4, 1)),
        (4, -1, (2,), (1,)),
        (4, 0, (2,), (-1,)),
        (4, 0, (-2,), (1,)),
        (4, 0, (2,), (1, 1)),
        (4, 0, (1_000_000, 1_000_000), (0, 0)),
        (4, 0, (2.0,), (1,)),
        (4, 0, (True,), (1,)),
        (4, 0, 7, (1,)),
        (2**62, 0, (2**62,), (1,)),
        (5, 0, (4,), (1,)),
        (-1, 0, (0,), (1,)),
    ],
)
def test_a_tensor_stays_within_its_storage(count: int, offset: Any, shape: Any, strides: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    rest = struct.pack("<q4f", 4, 1, 2, 3, 4)
    written(path, MAGIC, PROTOCOL, MACHINE, rebuilt(4, 1, (3,), (1,)), ["0"], rest=rest)
    assert read_checkpoint(path)["a"].tolist() == [2, 3, 4]
    written(path, MAGIC, PROTOCOL, MACHINE, rebuilt(count, offset, shape, strides), ["0"], rest=rest)
    with pytest.raises(ModelDamaged):
        read_checkpoint(path)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    import torch

    whole = save({"a": torch.arange(100.0)}, tmp_path / "a.pth").read_bytes()
    for end in range(0, len(whole), 37):
        (tmp_path / "a.pth").write_bytes(whole[:end])
        with pytest.raises(ModelDamaged, match=r"a\.pth"):
            read_checkpoint(tmp_path / "a.pth")
    for content in (pickle.dumps(MAGIC, 2), b"PK\x03\x04", b"\x80\x02" + b"\xff" * 40):
        (tmp_path / "a.pth").write_bytes(content)
        with pytest.raises(ModelDamaged):
            read_checkpoint(tmp_path / "a.pth")
    with pytest.raises(ModelDamaged):
        read_checkpoint(tmp_path / "none.pth")
