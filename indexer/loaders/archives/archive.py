"""Archives: zip, tar, and files compressed by gzip, bzip2 or xz. Their members are read by their own loaders.

Whatever sizes an archive states, what counts is what comes out of it. Links and devices are passed by.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

from quarry.indexer.formats import format_of
from quarry.indexer.loaders.archives.members import Members, member_name
from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import MEBIBYTE, Source
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_BLOCK = 512  # bytes, of a tar
_PIECE = 256 * 1024
_LEAST_BUDGET = 1024 * MEBIBYTE  # bytes that all that comes out of an archive may have
_RATIO = 20  # to the archive's own size, beyond that
_MOST_MEMBERS = 1_000_000
_TAR_MAGIC = slice(257, 262)
_DAMAGED = "it is damaged, and can't be read to its end; get it anew"
_BROKEN = (EOFError, OSError, ValueError, tarfile.TarError, zlib.error, lzma.LZMAError)
_UTF8 = 0x800  # APPNOTE.TXT, 4.4.4


def parse(source: Source) -> Iterator[Parsed]:
    """Read the members of an archive."""
    source.stream.seek(0)
    head = source.stream.read(_BLOCK)
    source.stream.seek(0)
    budget = max(_LEAST_BUDGET, _RATIO * os.fstat(source.stream.fileno()).st_size)
    if head.startswith(b"PK"):
        yield from _zip(source, budget)
        return
    stream = _Inflated(_opened(source.stream, head), budget)
    start = stream.read(_BLOCK)
    if start[_TAR_MAGIC] == b"ustar" or head == bytes(_BLOCK):
        yield from _tar(source, _Inflated(stream, budget, start))
    elif start and (name := source.path.stem):  # of one compressed file, which is called so without its suffix
        yield from source.within(name, chain([start], _pieces(stream)), source.wanted)


def _zip(source: Source, budget: int) -> Iterator[Parsed]:
    zipped, members = Zipped(source.stream, most=budget), Members(source)
    is_korean = _names_are_korean(zipped)
    for info in zipped.members:
        name = member_name(_name(info, is_korean=is_korean))
        kind = info.external_attr >> 28  # of Unix: 8 a file, 10 a link
        if not name or kind not in (0, 8):
            continue
        if format_of(Path(name)) is None:
            members.pass_by()
        else:
            yield from members.read(name, zipped.pieces(info))
    members.check()


def _names_are_korean(zipped: Zipped) -> bool:
    """Whether names that don't say their encoding are in that of Windows in Korea."""
    raw = b"\n".join(_raw(info) for info in zipped.members if not info.flag_bits & _UTF8)
    try:
        return not raw.isascii() and any("가" <= char <= "힣" for char in raw.decode("cp949"))
    except UnicodeDecodeError:
        return False


def _name(info: Any, *, is_korean: bool) -> str:
    if info.flag_bits & _UTF8:
        return str(info.filename)
    raw = _raw(info)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp949", "replace") if is_korean else str(info.filename)


def _raw(info: Any) -> bytes:
    return bytes(info.filename.encode("cp437", "replace"))


def _opened(stream: IO[bytes], head: bytes) -> IO[bytes]:
    if head.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if head.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(stream)
    return stream


class _Inflated(io.RawIOBase):
    """What is read of a stream, within a budget of bytes.

    Args:
        start: what was read of it already.
    """

    def __init__(self, stream: IO[bytes] | io.RawIOBase, budget: int, start: bytes = b"") -> None:
        self._stream = stream
        self._left = self._most = budget
        self._start = start

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, fewer only at the end."""
        data, self._start = self._start[:size], self._start[size:]
        parts = [data]
        size -= len(data)
        while size > 0:
            try:
                data = self._stream.read(min(size, _PIECE)) or b""
            except _BROKEN as error:
                raise FileMalformed(_DAMAGED) from error
            if not data:
                break
            self._left -= len(data)
            if self._left < 0:
                raise FileMalformed(f"it inflates to more than {self._most // MEBIBYTE:,} MiB; split it")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)


def _tar(source: Source, stream: _Inflated) -> Iterator[Parsed]:
    members = Members(source)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as file:
            for count, info in enumerate(file):
                cast(Any, file).members = []  # it keeps all that it has seen
                if count > _MOST_MEMBERS:
                    raise FileMalformed(f"it has more than {_MOST_MEMBERS:,} members; split it")
                name = member_name(info.name)
                if not info.isreg() or not name:
                    continue
                if info.size < 0 or format_of(Path(name)) is None:
                    members.pass_by()
                elif (content := file.extractfile(info)) is not None:
                    yield from members.read(name, _pieces(content))
    except (*_BROKEN, FileMalformed) as error:
        members.note("the rest", str(error) if isinstance(error, FileMalformed) else _DAMAGED)
    members.check()


def _pieces(content: IO[bytes] | io.RawIOBase) -> Iterator[bytes]:
    try:
        while data := content.read(_PIECE):
            yield data
    except _BROKEN as error:
        raise FileMalformed(_DAMAGED) from error
