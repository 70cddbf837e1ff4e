"""TIFF: what Pillow has no mode for, by what it holds: colours of 16, 32 and 64 bits, whole and broken, planes apart.

The bytes of the samples are had from Pillow and libtiff, which know every compression, as if they were grey values of
8 bits; what they mean is worked out here (TIFF 6.0, sections 14, 16 and 23; Adobe's technical note 3 on predictors).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from quarry.search.formats.colours import scaled

MAX_BYTES = 1 << 29  # of samples that are held at once

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _STRIP_ROWS, _STRIP_SIZES, _PLANAR = 273, 277, 278, 279, 284
_PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES = 317, 322, 323, 324, 325
_EXTRA, _FORMAT, _XMP, _ICC = 338, 339, 700, 34675
_PACKED = (1, 5, 8, 32773, 32946, 34925, 50000)  # compressions of any bytes: none, LZW, Deflate, PackBits, LZMA, Zstd
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _LAB = 0, 1, 2, 5, 8
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4, _LAB: 3}  # -> how many samples of them
_MODES = {_WHITE_IS_ZERO: "L", _BLACK_IS_ZERO: "L", _RGB: "RGB", _CMYK: "CMYK", _LAB: "LAB"}
_KINDS = {1: "u", 2: "i", 3: "f"}  # sample formats -> what NumPy calls them

Samples = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the samples of a picture lie in its file."""

    width: int
    height: int
    samples: int
    dtype: np.dtype[Any]
    photometric: int
    has_alpha: bool
    is_planar: bool
    predictor: int
    compression: int

    @property
    def colours(self) -> int:
        return _COLOURS[self.photometric]


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow opened a TIFF but would mistake its planes for those of 8 bits, or its numbers for others."""
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(_BITS, (1,)))
    return bits >= 32 or (bits > 8 and tags.get(_PLANAR) == 2 and tags.get(_COMPRESSION, 1) == 1)


def read(data: bytes, max_pixels: int) -> Image.Image | None:
    """Decode a TIFF into a picture of 8 bits with what is said in it; None where it can't be read here either.

    Raises:
        OSError: its data is damaged.
    """
    tags = _tags(data)
    layout = _layout(tags, data[:2] == b"MM")
    if layout is None or layout.width * layout.height > max_pixels:
        return None
    if layout.width * layout.height * layout.samples * layout.dtype.itemsize > MAX_BYTES:
        return None
    if layout.is_planar:
        planes = [_plane(data, tags, layout, number)[:, :, 0] for number in range(layout.samples)]
        samples = np.stack(planes, 2)
    else:
        samples = _plane(data, tags, layout, 0)
    image = _image(samples, layout)
    image.format = "TIFF"
    image.info["exif"] = data  # which is how EXIF is kept
    for name, tag in (("icc_profile", _ICC), ("xmp", _XMP)):
        if isinstance(value := tags.get(tag), bytes):
            image.info[name] = value
    return image


def _tags(data: bytes) -> Any:
    stream = io.BytesIO(data)
    header = stream.read(8)
    if b"+" in header[2:4]:
        header += stream.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    tags.load(stream)
    return tags


def _layout(tags: Any, is_big: bool) -> _Layout | None:
    width, height, samples = (tags.get(tag, 1) for tag in (_WIDTH, _HEIGHT, _SAMPLES))
    bits, formats, extra = set(tags.get(_BITS, (1,))), set(tags.get(_FORMAT, (1,))), tags.get(_EXTRA, ())
    photometric, compression = tags.get(_PHOTOMETRIC, 0), tags.get(_COMPRESSION, 1)
    kind = _KINDS.get(min(formats, default=1), "")
    if len(bits) != 1 or len(formats) != 1 or photometric not in _COLOURS or compression not in _PACKED:
        return None
    name = f"{'>' if is_big else '<'}{kind}{min(bits) // 8}"
    if not kind or name[1:] not in ("u2", "u4", "i2", "i4", "f2", "f4", "f8"):
        return None
    colours = _COLOURS[photometric]
    if not colours <= samples <= 8 or width < 1 or height < 1:
        return None
    return _Layout(
        width,
        height,
        samples,
        np.dtype(name),
        photometric,
        has_alpha=samples > colours and tuple(extra)[:1] in ((1,), (2,)),
        is_planar=tags.get(_PLANAR, 1) == 2 and samples > 1,
        predictor=tags.get(_PREDICTOR, 1),
        compression=compression,
    )


def _plane(data: bytes, tags: Any, layout: _Layout, number: int) -> Samples:
    """Return (height, width, samples in this plane) numbers, the first three of them where there are no planes."""
    each = 1 if layout.is_planar else layout.samples
    size = layout.dtype.itemsize
    is_tiled = _TILES in tags
    across = tags[_TILE_WIDTH] if is_tiled else layout.width
    columns = -(-layout.width // across)
    offsets, sizes = (tags[tag] for tag in ((_TILES, _TILE_SIZES) if is_tiled else (_STRIPS, _STRIP_SIZES)))
    per_plane = len(offsets) // (layout.samples if layout.is_planar else 1)
    chosen = slice(number * per_plane, (number + 1) * per_plane)
    rows = tags[_TILE_HEIGHT] if is_tiled else min(tags.get(_STRIP_ROWS, layout.height), layout.height)
    places: dict[int, tuple[int, ...]] = {
        _WIDTH: (across * columns * each * size,),
        _HEIGHT: (layout.height,),
        _BITS: (8,),
        _COMPRESSION: (layout.compression,),
        _PHOTOMETRIC: (_BLACK_IS_ZERO,),
        _SAMPLES: (1,),
    }
    if is_tiled:
        places |= {_TILE_WIDTH: (across * each * size,), _TILE_HEIGHT: (rows,)}
        places |= {_TILES: offsets[chosen], _TILE_SIZES: sizes[chosen]}
    else:
        places |= {_STRIP_ROWS: (rows,), _STRIPS: offsets[chosen], _STRIP_SIZES: sizes[chosen]}
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_as_bytes(data, places))) as image:
        image.load()
        packed = np.array(image, np.uint8)
    values = _undone(packed.reshape(layout.height, columns, across * each * size), layout, each)
    return values.reshape(layout.height, columns * across, each)[:, : layout.width]


def _as_bytes(data: bytes, places: dict[int, tuple[int, ...]]) -> bytes:
    """Return a file that leads to the same strips, but says that they hold grey values of 8 bits."""
    at = len(data) + len(data) % 2
    entries, long = b"", b""
    beyond = at + 2 + 12 * len(places) + 4
    for tag in sorted(places):
        values = struct.pack(f"<{len(places[tag])}I", *places[tag])
        if len(values) > 4:
            entries += struct.pack("<HHII", tag, 4, len(places[tag]), beyond + len(long))
            long += values
        else:
            entries += struct.pack("<HHI", tag, 4, 1) + values
    directory = struct.pack("<H", len(places)) + entries + bytes(4)
    return b"".join([b"II*\0", struct.pack("<I", at), data[8:], bytes(len(data) % 2), directory, long])


def _undone(packed: NDArray[np.uint8], layout: _Layout, each: int) -> Samples:
    """Return (height, columns, n) numbers of (height, columns, bytes), whatever they were predicted from."""
    height, columns, _ = packed.shape
    if layout.predictor == 3:
        steps = packed.reshape(height, columns, -1, each)
        np.cumsum(steps, axis=2, dtype=np.uint8, out=steps)
        planes = packed.reshape(height, columns, layout.dtype.itemsize, -1)  # the first bytes of all, then the second
        return np.ascontiguousarray(planes.swapaxes(2, 3)).view(layout.dtype.newbyteorder(">"))[..., 0]
    if layout.predictor == 2:
        whole = packed.view(layout.dtype.str.replace("f", "u").replace("i", "u"))
        steps = whole.astype(whole.dtype.newbyteorder("=")).reshape(height, columns, -1, each)
        np.cumsum(steps, axis=2, dtype=steps.dtype, out=steps)
        return steps.reshape(height, columns, -1).view(layout.dtype.newbyteorder("="))
    return packed.view(layout.dtype)


def _image(samples: Samples, layout: _Layout) -> Image.Image:
    colours = _eight_bits(samples[:, :, : layout.colours], layout)
    if layout.photometric == _WHITE_IS_ZERO:
        colours = 255 - colours
    mode = _MODES[layout.photometric]
    bands = [Image.fromarray(np.ascontiguousarray(colours[:, :, band])) for band in range(layout.colours)]
    if layout.has_alpha and mode in ("L", "RGB"):
        alpha = _eight_bits(samples[:, :, layout.colours : layout.colours + 1], layout)
        bands.append(Image.fromarray(np.ascontiguousarray(alpha[:, :, 0])))
        mode += "A"
    return bands[0] if mode == "L" else Image.merge(mode, bands)


def _eight_bits(samples: Samples, layout: _Layout) -> NDArray[np.uint8]:
    kind = layout.dtype.kind
    if layout.photometric == _LAB and layout.dtype.itemsize == 2:
        whole = (samples >> 8).astype(np.int16)  # the last two have a sign, which Pillow keeps as a shift
        whole[:, :, 1:] = whole[:, :, 1:].astype(np.uint8) ^ 0x80
        return (whole & 255).astype(np.uint8)
    if kind == "u" and layout.dtype.itemsize == 2:
        return (samples >> 8).astype(np.uint8)
    return scaled(samples.astype(np.float32), "F" if kind == "f" else "I")
