"""One flipped bit, turned back: the checksum of a row says which of all the bits it could be."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from quarry.search.stores.database.checksums import COLUMN, RawText, Row, encoded, row_checksum

_LONGEST = 16_384  # bytes of a row; each bit costs a look at all that comes after it
_WIDTHS = (1, 2, 3, 4, 6, 8)  # bytes that SQLite stores a whole number in


@dataclass(frozen=True, slots=True)
class Undone:
    """What a row held before one bit of it was flipped: `value` in `column`, which may be the checksum itself."""

    column: str
    value: Any


def undone(row: Row) -> Undone | None:
    """Return what a damaged row held where one bit of a value, or its type, is flipped; None where more is wrong.

    That another row than the one that was written has its checksum happens once in 10^14 rows.
    """
    target = row.checksum
    if not isinstance(target, bytes) or len(target) != len(row_checksum(())):
        return None
    now = row_checksum(row.values.values())
    if (int.from_bytes(now) ^ int.from_bytes(target)).bit_count() == 1:
        return Undone(COLUMN, now)
    parts = [encoded(value) for value in row.values.values()]
    if sum(map(len, parts)) > _LONGEST:
        return None
    before = hashlib.blake2b(digest_size=len(target))
    for place, (name, value) in enumerate(row.values.items()):
        after = b"".join(parts[place + 1 :])
        for candidate in _one_bit_away(value):
            digest = before.copy()
            digest.update(encoded(candidate))
            digest.update(after)
            if digest.digest() == target:
                return Undone(name, candidate)
        before.update(parts[place])
    return None


def _one_bit_away(value: Any) -> Iterator[Any]:
    if isinstance(value, bytes):
        kind = type(value)
        yield bytes(value) if kind is RawText else RawText(value)
        flipped = bytearray(value)
        for place in range(len(flipped)):
            for bit in range(8):
                flipped[place] ^= 1 << bit
                yield kind(flipped)
                flipped[place] ^= 1 << bit
    elif isinstance(value, int):
        if value == 0:
            yield None
        for width in _WIDTHS:
            if -(1 << 8 * width - 1) <= value < 1 << 8 * width - 1:
                stored = value & (1 << 8 * width) - 1
                for bit in range(8 * width):
                    other = stored ^ 1 << bit
                    yield other - (1 << 8 * width) if other >> 8 * width - 1 else other
    elif value is None:
        yield 0  # of which SQLite stores the type alone
    elif isinstance(value, float):
        yield int.from_bytes(struct.pack(">d", value), signed=True)
