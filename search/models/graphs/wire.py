"""Protobuf's wire format, as far as graphs need it: https://protobuf.dev/programming-guides/encoding."""

from __future__ import annotations

from collections.abc import Iterator


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield of each field of a message its number, all of its bytes, and those of its content.

    The content of a number is as it is written; `number` reads it.
    """
    at = 0
    while at < len(message):
        start = at
        tag, begins = _varint(message, at)
        wire = tag & 7
        if wire == 0:
            _, at = _varint(message, begins)
        elif wire == 2:
            length, begins = _varint(message, begins)
            at = begins + length
        else:
            at = begins + {1: 8, 5: 4}[wire]
        yield tag >> 3, message[start:at], message[begins:at]


def number(content: bytes) -> int:
    """Return the number that a field holds."""
    return _varint(content, 0)[0]


def message(place: int, content: bytes) -> bytes:
    """Return the field of number `place` that holds a text, bytes or a message."""
    return _encoded(place << 3 | 2) + _encoded(len(content)) + content


def whole(place: int, value: int) -> bytes:
    """Return the field of number `place` that holds a number, 0 or above."""
    return _encoded(place << 3) + _encoded(value)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
