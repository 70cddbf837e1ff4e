"""PNG: chunks that no decoder needs, and that are damaged, cost themselves and not the picture.

Pillow refuses a whole file for the checksum of its date, and for a comment that is longer than it likes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 1 << 20  # bytes of one text or profile once it is decompressed; as much as Pillow takes
MAX_TEXTS = 16 << 20  # bytes of all texts

_NEEDED = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
_READ = frozenset((b"tRNS", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"eXIf"))  # beside those
_TEXTS = frozenset((b"iCCP", b"tEXt", b"zTXt", b"iTXt"))
_END = b"\0\0\0\0IEND\xaeB`\x82"
_LENGTH_AND_KIND = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    start: int
    end: int
    is_sound: bool


def mended(data: bytes) -> bytes:
    """Return a PNG without those chunks that would keep it from being read, and with an end; itself where it has none.

    What holds the picture stays as it is, sound or not.
    """
    chunks = list(_chunks(data))
    texts = 0
    kept, is_whole = [], bool(chunks) and chunks[-1].kind == b"IEND"
    for chunk in chunks:
        if chunk.kind in _NEEDED:
            kept.append(chunk)
        elif chunk.is_sound and chunk.kind in _READ:
            if chunk.kind in _TEXTS:
                size = _text_size(chunk.kind, data[chunk.start + 8 : chunk.end - 4])
                texts += size
                if size > MAX_TEXT or texts > MAX_TEXTS:
                    continue
            kept.append(chunk)
    if is_whole and len(kept) == len(chunks):
        return data
    view = memoryview(data)
    parts: list[bytes | memoryview] = [SIGNATURE]
    for chunk in kept:
        if chunk.end < len(data) or is_whole:
            parts.append(view[chunk.start : chunk.end])
        else:  # cut off: it is as long as what there is of it, and nobody looks at its checksum
            body = view[chunk.start + 8 : chunk.end]
            parts += [_LENGTH_AND_KIND.pack(len(body), chunk.kind), body, bytes(4)]
    return b"".join(parts) if is_whole else b"".join([*parts, _END])


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """List the chunks up to the end, or to where what follows is none; the last one may be cut off."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = _LENGTH_AND_KIND.unpack_from(data, at)
        end = at + 12 + length
        if not kind.isalpha():
            return
        if end >= len(data) and kind != b"IEND":
            if kind == b"IDAT":
                yield _Chunk(kind, at, len(data), is_sound=False)
            return
        is_sound = kind in _NEEDED or zlib.crc32(memoryview(data)[at + 4 : end - 4]) == int.from_bytes(
            data[end - 4 : end], "big"
        )
        yield _Chunk(kind, at, end, is_sound)
        if kind == b"IEND":
            return
        at = end


def _text_size(kind: bytes, body: bytes) -> int:
    """Return how many bytes a text has once it is decompressed, little more than `MAX_TEXT` at most."""
    name, _, rest = body.partition(b"\0")
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] != b"\1"):
        return len(body)
    packed = rest[2:].split(b"\0", 2)[-1] if kind == b"iTXt" else rest[1:]  # after language and translated keyword
    try:
        return len(name) + len(zlib.decompressobj().decompress(packed, MAX_TEXT + 1))
    except zlib.error:
        return MAX_TEXT + 1 if kind == b"iCCP" else len(body)
