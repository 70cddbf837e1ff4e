"""A segment as a file: saved whole or not at all, checked bit by bit, mapped into memory and never loaded.

The file is FAISS's own serialization of the index, and of the inverted lists where there are some, then the ids (int64)
and the row of each id (int32), then a JSON description and a fixed trailer; `faiss.read_index` reads it, too. The
catalog keeps its SHA-256, because FAISS loads most damaged files without a word.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.faiss import paging
from quarry.search.engines.faiss.index_bounds import KINDS, check_index, check_lists, check_shape
from quarry.search.engines.faiss.lists import Lists
from quarry.search.engines.faiss.segment import LISTS_FORMAT, Segment
from quarry.search.errors import LibraryDamaged, LibraryError, LibraryReadOnly, StorageFull
from quarry.search.files import disks
from quarry.search.files.access import access_of, make_file, make_folder, open_kept
from quarry.search.stores.lineage import Commit
from quarry.search.stores.rows.segment_rows import SegmentFile
from quarry.search.stores.segment_trailer import read_trailer, trailer

UNFINISHED = "unfinished"


def write_segment(
    segment: Segment, directory: Path, name: str, identity: str, built: Commit | None = None
) -> SegmentFile:
    """Save under `unfinished/`, flush to the disk, move into place; only then may the catalog list it.

    Raises:
        StorageFull, LibraryReadOnly: nothing is left behind.
    """
    with saving(directory, name) as stream:
        sha256, size = _write(segment, stream.write, identity, built)
    return SegmentFile(name, sha256, size, segment.count, segment.dimension, identity, segment.format)


@contextmanager
def saving(directory: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a file under `unfinished/` that is flushed to the disk and moved into place at the end.

    Raises:
        StorageFull, LibraryReadOnly: nothing is left behind.
    """
    path, temporary = directory / name, directory / UNFINISHED / name
    access = access_of(directory.parent)
    try:
        make_folder(temporary.parent, access)
        try:
            with make_file(temporary, access) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.rename(path)
            disks.sync_folder(directory)
        except BaseException:
            temporary.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _translated(error, directory) from error


def _write(segment: Segment, write: Any, identity: str, built: Commit | None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0

    def put(data: Any) -> int:
        nonlocal size
        write(data)
        digest.update(data)
        size += len(data)
        return len(data)

    # Not faiss.write_index on a path: on a full disk it leaves a truncated file and reports success.
    faiss.write_index(segment.index, faiss.PyCallbackIOWriter(put))
    parts = {"faiss": size}
    put(bytes(-size % 8))
    put(segment.ids.astype("<i8").tobytes())
    put(segment.rows.astype("<i4").tobytes())
    put(trailer(parts | description(segment.count, segment.dimension, identity, segment.format), built))
    return digest.hexdigest(), size


def description(count: int, dimension: int, identity: str, format: str) -> dict[str, Any]:
    """Return what a file says of itself that the catalog says of it, too."""
    return {"count": count, "dimension": dimension, "identity": identity, "format": format}


def open_segment(directory: Path, file: SegmentFile, kept: str = "") -> Segment:
    """Check a file against its description, whole, and map it.

    An open segment outlives its file: a file that is unlinked stays readable until the segment is dropped.

    Args:
        directory: that of all segments, within the library's.
        kept: the folder in it that the file lies in, if not in itself.

    Raises:
        LibraryDamaged: it is missing, differs in any bit, or has a format that this version does not know.
    """
    try:
        if not file.is_plain:
            raise _damaged(file, "that is no name of one")
        try:
            descriptor = open_kept(directory / kept / file.name, directory.parent)
        except LibraryDamaged as error:
            raise _damaged(file, str(error).removesuffix(".")) from error
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            if os.fstat(stream.fileno()).st_size != file.bytes:
                raise _damaged(file, f"it has {os.fstat(stream.fileno()).st_size:,} bytes, not {file.bytes:,}")
            digest = hashlib.sha256()
            buffer = memoryview(bytearray(1 << 20))
            while read := stream.readinto(buffer):
                digest.update(buffer[:read])
            if digest.hexdigest() != file.sha256:
                raise _damaged(file, "its checksum is wrong")
            if not file.bytes:
                raise _damaged(file, "it is empty")
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise _damaged(file, "it is missing") from error
    except OSError as error:
        raise _damaged(file, f"it can't be read ({error.strerror})") from error
    try:
        return _map(mapped, file)
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, MemoryError, struct.error) as error:
        raise _damaged(file, f"its content is not what its description says ({error})") from error


def _map(mapped: mmap.mmap, file: SegmentFile) -> Segment:
    data = np.frombuffer(mapped, np.uint8)
    if file.format not in KINDS:
        raise ValueError(f"unknown format {file.format}")
    start, described = read_trailer(memoryview(mapped))
    if file.count < 0:
        raise ValueError("its parts do not fit")
    for name, value in description(file.count, file.dimension, file.identity, file.format).items():
        if described[name] != value:
            raise ValueError(f"{name} is {described[name]}, not {value}")
    has_lists = file.format == LISTS_FORMAT
    lists_at = described["faiss"] + -described["faiss"] % 8
    at = lists_at + (described["lists"] + -described["lists"] % 8 if has_lists else 0)
    if not 4 <= described["faiss"] <= lists_at <= at <= start or bytes(data[:4]) != KINDS[file.format]:
        raise ValueError("it holds another kind of index")
    ids = np.frombuffer(mapped, "<i8", file.count, at)
    rows = np.frombuffer(mapped, "<i4", file.count, at + ids.nbytes)
    if file.count and (rows.min() < 0 or (np.diff(ids) <= 0).any()):
        raise ValueError("its ids are not in order")
    count = int(rows.max()) + 1 if file.count else 0
    index = _read(data[: described["faiss"]])
    check_index(index, file.dimension, count)
    if not has_lists:
        return Segment.over(ids, rows, index, mapped)
    part = data[lists_at : lists_at + described["lists"]]
    check_shape(part, file.dimension)
    lists = _read(part)
    check_lists(lists, file.dimension, count)
    found = Lists.over(lists)
    paging.read_singly(mapped)
    return Segment.over(ids, rows, index, mapped, found)


def _read(part: NDArray[np.uint8]) -> Any:
    return faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(part), len(part)))


def _damaged(file: SegmentFile, why: str) -> LibraryDamaged:
    return LibraryDamaged(f"The vector segment {file.name} can't be used: {why}. `quarry doctor --repair` rebuilds it.")


def _translated(error: OSError, directory: Path) -> LibraryError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(
            f"The disk that holds {directory} is full. What was committed stays; free space and run again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return LibraryReadOnly(f"{directory} can't be written here ({error.strerror}); the library can be searched.")
    return LibraryError(f"A vector segment could not be written to {directory}: {error.strerror}.")
