"""Rich text as Outlook packs it (MS-OXRTFCP): in a window of the last 4,096 bytes, which begins with what most hold."""

from __future__ import annotations

import struct

from quarry.indexer.loaders.base import MEBIBYTE

_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)  # fmt: skip
_HEADER = struct.Struct("<II4sI")
_WINDOW = 4096
_MOST = 128 * MEBIBYTE


def inflated(data: bytes) -> bytes:
    """Return the rich text; as much of it as there is where it is damaged, b"" where it is none."""
    if len(data) < _HEADER.size:
        return b""
    size, whole, kind, _ = _HEADER.unpack_from(data)
    body = data[_HEADER.size : max(size + 4, _HEADER.size)]
    if kind == b"MELA":
        return body
    return bytes(_window(body)[:whole]) if kind == b"LZFu" else b""


def _window(body: bytes) -> bytearray:
    out = bytearray(_START)
    at = 0
    while at < len(body) and len(out) < _MOST:
        control = body[at]
        at += 1
        for bit in range(8):
            if not control >> bit & 1:
                out += body[at : at + 1]
                at += 1
                continue
            if at + 2 > len(body):
                return out[len(_START) :]
            pair = body[at] << 8 | body[at + 1]
            at += 2
            start, length = pair >> 4, (pair & 15) + 2
            if start == len(out) % _WINDOW:  # the end
                return out[len(_START) :]
            # The window is a ring: the last byte that was written there.
            back = len(out) - ((len(out) - start) % _WINDOW or _WINDOW)
            for place in range(back, back + length):
                out.append(out[place] if place >= 0 else 32)
    return out[len(_START) :]
