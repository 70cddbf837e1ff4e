"""Large HEIC pictures, decoded a tile at a time: the memory that one takes is that of a tile and of what is kept.

What a phone calls a photo of 48 megapixels is a grid of some hundred small pictures (ISO/IEC 23008-12, 6.6.2.3).
libheif puts them together in full size, and twice over. Here each is taken out as a file of its own, decoded, scaled
down and put where it belongs. A picture in one piece is decoded in full by libheif, but copied only when scaled down.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image

MAX_PIXELS = 210_000_000
MAX_PIXELS_OF_ONE = 100_000_000  # in one piece, or of a tile: its numbers are held in full
_MAX_TILES = 16_384
_ROWS = 256  # are scaled down at a time, a multiple of every scale
_TURNS = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}  # anticlockwise
_FLIPS = (Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT)
_FULL = struct.Struct(">I")


class NotInTiles(Exception):
    """A file is no grid of tiles that can be read here."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """A picture in tiles: how many there are, how large the whole is, and what is done to it once it is whole."""

    columns: int
    rows: int
    width: int
    height: int
    tiles: tuple[bytes, ...]  # each a file
    turns: tuple[Image.Transpose, ...]


def decode(data: bytes, scale: int) -> Image.Image:
    """Decode the main picture of a file at one `scale`-th of its size, upright as far as the format turns it.

    Raises:
        ValueError, RuntimeError, EOFError: it is damaged.
    """
    try:
        grid = _grid(data)
    except (NotInTiles, struct.error, IndexError, KeyError, ValueError):
        return _reduced(data, scale)[0]
    return _from_tiles(grid, scale)


def _reduced(data: bytes, scale: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a picture in one piece, and scale it down a few rows at a time, without another copy of it.

    Return its own size as well.
    """
    import pi_heif

    file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True, hdr_to_16bit=True, remove_stride=False)
    frame = file[file.primary_index]
    if frame.size[0] * frame.size[1] > MAX_PIXELS_OF_ONE:
        raise ValueError(f"more than {MAX_PIXELS_OF_ONE // 1_000_000} megapixels in one piece")
    view: Any = memoryview(frame.data)
    (width, height), mode, stride = frame.size, str(frame.mode), frame.stride
    small = Image.new(mode, (-(-width // scale), -(-height // scale)))
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        data = view[top * stride : (top + rows) * stride]
        strip = Image.frombuffer(mode, (width, rows), data, "raw", mode, stride, 1)
        small.paste(strip.reduce(scale) if scale > 1 else strip, (0, top // scale))
    return small, (width, height)


def _from_tiles(grid: _Grid, scale: int) -> Image.Image:
    whole = Image.new("RGB", (-(-grid.width // scale), -(-grid.height // scale)))
    expected: tuple[int, int] | None = None
    for number, tile in enumerate(grid.tiles):
        small, size = _reduced(tile, scale)
        expected = expected or size
        if size != expected or size[0] * grid.columns < grid.width or size[1] * grid.rows < grid.height:
            raise ValueError("its tiles do not make up the picture")
        left, top = number % grid.columns * size[0], number // grid.columns * size[1]
        box = [round(at / scale) for at in (left, top, left + size[0], top + size[1])]
        place = max(1, box[2] - box[0]), max(1, box[3] - box[1])
        small = small.convert("RGB")
        whole.paste(small if small.size == place else small.resize(place), (box[0], box[1]))
    for turn in grid.turns:
        whole = whole.transpose(turn)
    return whole


def _grid(data: bytes) -> _Grid:
    """Find the tiles of the main picture.

    Raises:
        NotInTiles, struct.error, IndexError, KeyError, ValueError: it has none, or what says so is damaged.
    """
    meta = next((body for kind, body in _boxes(data) if kind == b"meta"), b"")[4:]
    parts = dict(_boxes(meta))
    main = _number(parts[b"pitm"][4:], 2 if parts[b"pitm"][0] == 0 else 4)
    kinds = _kinds(parts[b"iinf"])
    if kinds.get(main) != b"grid":
        raise NotInTiles
    contents = _Contents(data, parts[b"iloc"], parts.get(b"idat", b""))
    columns, rows, width, height = _shape(contents.of(main))
    tiles = _tiles_of(main, parts[b"iref"])
    if len(tiles) != columns * rows or len(tiles) > _MAX_TILES or any(kinds.get(tile) != b"hvc1" for tile in tiles):
        raise NotInTiles
    properties = _properties(parts[b"iprp"])
    turns: list[Image.Transpose] = []
    for kind, body in properties.get(main, []):
        if kind == b"irot" and body[0] & 3:
            turns.append(_TURNS[body[0] & 3])
        elif kind == b"imir":
            turns.append(_FLIPS[body[0] & 1])
        elif kind == b"clap":
            raise NotInTiles
    files = tuple(_file(contents.of(tile), properties[tile]) for tile in tiles)
    return _Grid(columns, rows, width, height, files, tuple(turns))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, body) of what lies in a box, or in a file (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, at + 8), 16
        end = at + size if size else len(data)
        if end < at + head:
            return
        if kind != b"mdat":
            yield kind, data[at + head : end]
        at = end


def _number(data: bytes, size: int, at: int = 0) -> int:
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "big")


def _kinds(infos: bytes) -> dict[int, bytes]:
    """Return what each item is, by its number."""
    kinds = {}
    for kind, body in _boxes(infos[6 if infos[0] == 0 else 8 :]):
        if kind == b"infe" and body[0] >= 2:
            wide = 2 if body[0] == 2 else 4
            kinds[_number(body, wide, 4)] = body[6 + wide : 10 + wide]
    return kinds


def _shape(description: bytes) -> tuple[int, int, int, int]:
    """Return columns, rows, width and height of a grid."""
    wide = 4 if description[1] & 1 else 2
    rows, columns = description[2] + 1, description[3] + 1
    return columns, rows, _number(description, wide, 4), _number(description, wide, 4 + wide)


def _tiles_of(main: int, references: bytes) -> list[int]:
    wide = 2 if references[0] == 0 else 4
    for kind, body in _boxes(references[4:]):
        if kind == b"dimg" and _number(body, wide) == main:
            count = _number(body, 2, wide)
            return [_number(body, wide, wide + 2 + wide * each) for each in range(count)]
    return []


class _Contents:
    """The bytes of items, by their number."""

    def __init__(self, data: bytes, locations: bytes, within: bytes) -> None:
        self._data = data
        self._within = within
        self._places: dict[int, tuple[int, list[tuple[int, int]]]] = {}
        version = locations[0]
        sizes = locations[4] >> 4, locations[4] & 15, locations[5] >> 4, locations[5] & 15 if version else 0
        wide = 4 if version == 2 else 2
        count, at = _number(locations, wide, 6), 6 + wide
        for _ in range(count):
            item, at = _number(locations, wide, at), at + wide
            method = 0
            if version:
                method, at = _number(locations, 2, at) & 15, at + 2
            base, extents, at = (
                _number(locations, sizes[2], at + 2),
                _number(locations, 2, at + 2 + sizes[2]),
                at + 4 + sizes[2],
            )
            places = []
            for _ in range(extents):
                at += sizes[3]
                start, length = _number(locations, sizes[0], at), _number(locations, sizes[1], at + sizes[0])
                places.append((base + start, length))
                at += sizes[0] + sizes[1]
            self._places[item] = (method, places)

    def of(self, item: int) -> bytes:
        method, places = self._places[item]
        if method > 1:
            raise NotInTiles
        source = self._within if method else self._data
        return b"".join(source[start : start + length if length else None] for start, length in places)


def _properties(boxes: bytes) -> dict[int, list[tuple[bytes, bytes]]]:
    """Return (kind, body) of all properties of each item, in the order in which they are applied."""
    parts = list(_boxes(boxes))
    every = list(_boxes(next(body for kind, body in parts if kind == b"ipco")))
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    for body in (body for kind, body in parts if kind == b"ipma"):
        wide, far = (2 if body[0] == 0 else 4), body[3] & 1
        at = 8
        for _ in range(_number(body, 4, 4)):
            item, count, at = _number(body, wide, at), body[at + wide], at + wide + 1
            for _ in range(count):
                place = _number(body, 2, at) & 0x7FFF if far else body[at] & 0x7F
                at += 2 if far else 1
                if place:
                    found.setdefault(item, []).append(every[place - 1])
    return found


def _file(content: bytes, properties: list[tuple[bytes, bytes]]) -> bytes:
    """Make a file that holds one tile as its only picture."""
    kept = [(kind, body) for kind, body in properties if kind not in (b"irot", b"imir", b"clap")]
    links = b"".join(bytes([place]) for place in range(1, len(kept) + 1))
    if len(kept) > 100:
        raise NotInTiles
    information = _box(b"infe", struct.pack(">IHH4sB", 2 << 24, 1, 0, b"hvc1", 0))
    associations = struct.pack(">IIHB", 0, 1, 1, len(kept)) + links
    heading = _box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(offset: int) -> bytes:
        return _box(
            b"meta",
            _FULL.pack(0)
            + _box(b"hdlr", bytes(8) + b"pict" + bytes(13))
            + _box(b"pitm", _FULL.pack(0) + b"\0\1")
            + _box(b"iloc", struct.pack(">IBBHHHHII", 0, 0x44, 0, 1, 1, 0, 1, offset, len(content)))
            + _box(b"iinf", struct.pack(">IH", 0, 1) + information)
            + _box(b"iprp", _box(b"ipco", b"".join(_box(*one) for one in kept)) + _box(b"ipma", associations)),
        )

    offset = len(heading) + len(meta(0)) + 8
    return heading + meta(offset) + _box(b"mdat", content)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body
