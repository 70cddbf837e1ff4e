"""A segment that is too large for memory: its vectors are written as they come, and read from the file after that.

What it takes beside the file is a digest, an id and a row for each vector, and what its inverted lists take.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import IO, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.faiss.lists import Lists
from quarry.search.engines.faiss.segment import LISTS_FORMAT
from quarry.search.engines.faiss.segment_file import description
from quarry.search.stores.lineage import Commit
from quarry.search.stores.rows.segment_rows import SegmentFile
from quarry.search.stores.segment_trailer import trailer
from quarry.search.types import Ids

_BATCH = 1 << 14


class GrowingSegment:
    """Writes a segment with inverted lists to an empty file.

    Args:
        stream: open for writing and reading.
        dimension: how many numbers a vector has.
    """

    def __init__(self, stream: IO[bytes], dimension: int) -> None:
        self._stream = stream
        self._dimension = dimension
        self._ids: list[Ids] = []
        self._digests: list[NDArray[np.uint64]] = []
        self._start = stream.write(_header(dimension, 0))

    @property
    def count(self) -> int:
        """How many vectors were taken in."""
        return sum(len(ids) for ids in self._ids)

    def append(self, ids: Ids, values: NDArray[np.float16]) -> None:
        """Take in (n,) ids, none of which was there yet, and their (n, d) finite vectors."""
        self._stream.write(values.tobytes())
        digests = b"".join(hashlib.blake2b(vector, digest_size=16).digest() for vector in values)
        self._digests.append(np.frombuffer(digests, np.uint64).reshape(-1, 2))
        self._ids.append(ids)

    def finish(self, name: str, identity: str, built: Commit | None, *, threads: int = 1) -> SegmentFile:
        """Write what is made of the vectors; return what the file is. There must be one at least."""
        ids = np.concatenate(self._ids)
        rows = self._drop_copies(len(ids))
        order = np.argsort(ids)
        ids, rows = ids[order], rows[order]
        count = int(rows.max()) + 1
        header = _header(self._dimension, count)
        self._stream.seek(0)
        self._stream.write(header)
        self._stream.seek(0, os.SEEK_END)
        parts = {"faiss": self._stream.tell()}
        lists_at = self._pad()
        faiss.omp_set_num_threads(threads)
        try:
            lists = Lists.build(self._values(count))
        finally:
            faiss.omp_set_num_threads(1)
        faiss.write_index(lists.index, faiss.PyCallbackIOWriter(self._stream.write))
        parts["lists"] = self._stream.tell() - lists_at
        self._pad()
        self._stream.write(ids.astype("<i8").tobytes())
        self._stream.write(rows.astype("<i4").tobytes())
        self._stream.write(trailer(parts | description(len(ids), self._dimension, identity, LISTS_FORMAT), built))
        size = self._stream.tell()
        self._stream.seek(0)
        digest = hashlib.sha256()
        while block := self._stream.read(1 << 20):
            digest.update(block)
        return SegmentFile(name, digest.hexdigest(), size, len(ids), self._dimension, identity, LISTS_FORMAT)

    def _pad(self) -> int:
        """Go on at a multiple of eight bytes; return it."""
        self._stream.write(bytes(-self._stream.tell() % 8))
        return self._stream.tell()

    def _values(self, count: int) -> NDArray[np.float16]:
        """Map the vectors that are written."""
        self._stream.flush()
        shape = (count, self._dimension)
        return np.memmap(self._stream, "<f2", "r", self._start, shape)

    def _drop_copies(self, count: int) -> NDArray[np.int32]:
        """Keep the first of equal vectors in the file; return the row of each of `count`."""
        digests = np.concatenate(self._digests)
        self._digests.clear()
        order = np.lexsort((digests[:, 1], digests[:, 0]))
        is_new = np.concatenate([[True], (np.diff(digests[order].view(np.int64), axis=0) != 0).any(axis=1)])
        group = np.empty(count, np.int64)  # of equal vectors, by their digest
        group[order] = np.cumsum(is_new) - 1
        first = order[is_new]  # a stable sort: the first of each group is the one that came first
        kept = np.sort(first)
        rows: NDArray[np.int32] = np.searchsorted(kept, first)[group].astype(np.int32)
        if len(kept) < count:
            self._close_gaps(kept, count)
        return rows

    def _close_gaps(self, kept: NDArray[np.int64], count: int) -> None:
        values = self._values(count)
        for start in range(0, len(kept), _BATCH):
            some = kept[start : start + _BATCH]
            if some[-1] >= start + len(some):  # one of them is not where it belongs
                self._stream.seek(self._start + start * 2 * self._dimension)
                self._stream.write(values[some].tobytes())  # a row only moves towards the beginning
                self._stream.flush()
        self._stream.truncate(self._start + len(kept) * 2 * self._dimension)


def _header(dimension: int, count: int) -> bytes:
    """Return what FAISS writes before the codes of a flat index of so many vectors."""
    kind: Any = faiss.ScalarQuantizer.QT_fp16
    header = bytearray(faiss.serialize_index(faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)))
    struct.pack_into("<q", header, 8, count)
    struct.pack_into("<Q", header, len(header) - 8, count * 2 * dimension)
    return bytes(header)
