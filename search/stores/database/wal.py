"""SQLite's write-ahead log as a file: whether it holds a commit that is not in the database yet.

The format is that of https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")  # magic, version, size of a page, checkpoint, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, size of the database after a commit or 0, two salts, two checksums
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # the order of bytes that checksums are reckoned in


def holds_commit(log: Path) -> bool:
    """Tell whether SQLite would find a whole commit in a log; not where there is none, or a damaged one.

    Raises:
        OSError: it can't be read.
    """
    try:
        stream = log.open("rb")
    except FileNotFoundError:
        return False
    with stream:
        header = stream.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return False
        magic, _, page, _, *salts, one, two = _HEADER.unpack(header)
        order = _MAGIC.get(magic)
        if order is None or not 512 <= page <= 65536 or page & (page - 1):
            return False
        sums = _added(header[:24], order, (0, 0))
        if sums != (one, two):
            return False
        while len(frame := stream.read(_FRAME.size + page)) == _FRAME.size + page:
            number, committed, *of, one, two = _FRAME.unpack_from(frame)
            sums = _added(frame[_FRAME.size :], order, _added(frame[:8], order, sums))
            if of != salts or sums != (one, two) or not number:
                return False
            if committed:
                return True
    return False


def _added(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return one, two
