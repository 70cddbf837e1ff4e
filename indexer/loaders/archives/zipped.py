"""The members of a zip file, inflated piece by piece within a budget of real bytes, whatever their headers say."""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Iterator
from copy import copy
from typing import IO, Any, Protocol
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from quarry.indexer.loaders.base import MEBIBYTE
from quarry.search.errors import FileMalformed

MOST = 1024 * MEBIBYTE  # bytes of all that is read of one file
MOST_MEMBERS = 100_000
MOST_OF_ONE = 128 * MEBIBYTE  # bytes of a member that is read whole
DAMAGED = "it is damaged, its zip archive can't be read to its end; get it anew, or save it again"
BOMB = "it inflates to more than {:,} MiB; split it"
_PIECE = 256 * 1024
_BROKEN = (  # what zipfile raises over damaged files
    BadZipFile,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
_ENCRYPTED = 0x1  # APPNOTE.TXT, 4.4.4


class _Inflater(Protocol):
    """What `zlib` and `bz2` have in common once each is asked in its own way."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` goes on with, no piece longer than `_PIECE`."""
        ...


class Zipped:
    """An open zip file; for as long as its stream is.

    Args:
        most: bytes that all that is read of it may have together.

    Raises:
        FileMalformed: it is damaged, or has more members than any document.
    """

    def __init__(self, stream: IO[bytes], *, most: int = MOST) -> None:
        self._left = self._most = most
        stream.seek(0)
        try:
            self._file = ZipFile(stream)
        except _BROKEN as error:
            raise FileMalformed(DAMAGED) from error
        # Not by `ZipInfo.is_dir`, which fails over members without a name.
        self.members = tuple(info for info in self._file.infolist() if not info.filename.endswith("/"))
        if len(self.members) > MOST_MEMBERS:
            raise FileMalformed(f"it has more than {MOST_MEMBERS:,} members; split it")
        self._by_name = {info.filename: info for info in self.members}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its members, in its order, each once."""
        return tuple(self._by_name)

    def read(self, name: str, limit: int = MOST_OF_ONE) -> bytes:
        """Return a member, b"" where there is none.

        Raises:
            FileMalformed: as `pieces`, or it has more than `limit` bytes.
        """
        member = self._by_name.get(name)
        parts: list[bytes] = []
        size = 0
        for part in self.pieces(member) if member is not None else ():
            size += len(part)
            if size > limit:
                raise FileMalformed(BOMB.format(limit // MEBIBYTE))
            parts.append(part)
        return b"".join(parts)

    def measure(self, names: Iterator[str]) -> int:
        """Inflate members without keeping them, as their sizes may lie; return how many bytes they have."""
        return sum(len(part) for name in names for part in self.pieces(self._by_name[name]))

    def pieces(self, member: ZipInfo) -> Iterator[bytes]:
        """Yield the bytes of a member.

        Raises:
            FileMalformed: it is encrypted or damaged, is compressed in a rare way, or the budget is used up.
        """
        if member.flag_bits & _ENCRYPTED:
            raise FileMalformed("it is encrypted; save it without a password")
        raw = copy(member)
        raw.compress_type, raw.file_size = ZIP_STORED, member.compress_size
        unchecked: Any = raw
        unchecked.CRC = None  # of what comes out of it, not of this
        inflater = _inflater(member)
        checksum = 0
        try:
            with self._file.open(raw) as stream:
                while data := stream.read(_PIECE):
                    for part in inflater.pieces(data):
                        self._left -= len(part)
                        if self._left < 0:
                            raise FileMalformed(BOMB.format(self._most // MEBIBYTE))
                        checksum = zlib.crc32(part, checksum)
                        yield part
        except _BROKEN as error:
            raise FileMalformed(DAMAGED) from error
        if checksum != member.CRC:
            raise FileMalformed(DAMAGED)


def _inflater(member: ZipInfo) -> _Inflater:
    if member.compress_type == ZIP_STORED:
        return _Stored()
    if member.compress_type == ZIP_DEFLATED:
        return _Deflated()
    if member.compress_type == ZIP_BZIP2:
        return _Bzip2()
    raise FileMalformed("it is compressed in a way that is not read; save it again, or pack it anew")


class _Stored:
    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Deflated:
    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data and not self._inflater.eof:
            yield self._inflater.decompress(data, _PIECE)
            data = self._inflater.unconsumed_tail


class _Bzip2:
    def __init__(self) -> None:
        self._inflater = bz2.BZ2Decompressor()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while not self._inflater.eof:
            yield self._inflater.decompress(data, _PIECE)
            data = b""
            if self._inflater.needs_input:
                return
