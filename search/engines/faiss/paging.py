"""Values of a mapped file that need not be in memory: those that are wanted are asked of the disk all at once.

Left alone, the system reads 128 KB around each row that is touched, and one row after the other.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

_PAGE = mmap.PAGESIZE


def read_singly(owner: mmap.mmap) -> None:
    """Let nothing be read around what is touched."""
    owner.madvise(mmap.MADV_RANDOM)


@contextmanager
def read_ahead(owner: mmap.mmap) -> Iterator[None]:
    """Let much be read ahead of what is touched, as long as all is looked at in its order."""
    owner.madvise(mmap.MADV_SEQUENTIAL)
    try:
        yield
    finally:
        read_singly(owner)


def want(owner: mmap.mmap, values: NDArray[np.float16], rows: NDArray[np.int64]) -> None:
    """Ask the disk for some rows of (r, d) values within the map; wait for none of them."""
    base = values.ctypes.data - np.frombuffer(owner, np.uint8).ctypes.data
    width = values.strides[0]
    starts = base + rows * width
    pages = np.unique(np.concatenate([starts // _PAGE, (starts + width - 1) // _PAGE]))
    first = np.concatenate([[True], np.diff(pages) > 1])[: len(pages)]  # of each run of pages
    lengths = np.diff(np.append(np.flatnonzero(first), len(pages)))
    for page, length in zip(pages[first].tolist(), lengths.tolist(), strict=True):
        owner.madvise(mmap.MADV_WILLNEED, page * _PAGE, length * _PAGE)
