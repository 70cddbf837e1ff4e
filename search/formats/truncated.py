"""Files that end too early: where nearly all of the picture is there, it is taken for what it is.

Programs leave out end markers, and copies lose their last block. Pillow knows a strict way, which refuses these, and a
lax one, which takes a file of which nine tenths are missing. Here the rows that were decoded are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

MISSING = 1 / 20  # of all rows, at most; and always one row of blocks
_BLOCK = 16  # rows that a JPEG holds together
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "TIFF")  # that are decoded row by row
_UNTOUCHED = (253, 2, 251, 7)  # a colour that hardly fills a row of a picture
_AHEAD = bytes(64)
_SCAN = re.compile(rb"\xff\xda")


def load(image: ImageFile.ImageFile) -> Image.Image:
    """Decode an opened picture; return it, or what can be saved of it, without the rows that are missing.

    Raises:
        OSError, SyntaxError, ...: whatever Pillow says of one that is damaged, or really cut off.
    """
    stream = image.fp
    try:
        image.load()
    except Exception as error:
        if stream is None or image.format not in _FORMATS or (isinstance(error, OSError) and error.errno is not None):
            raise
        if isinstance(error, MemoryError) or (saved := _saved(image, stream)) is None:
            raise
        return saved
    return image


def _saved(image: ImageFile.ImageFile, stream: Any) -> Image.Image | None:
    try:
        with _lax():
            rows = _decoded(image, stream, is_marked=True)
            missing = _untouched(rows)
            if image.format in ("JPEG", "MPO"):
                scale = image.decoderconfig[0] if image.decoderconfig else 1
                if _is_nearly_whole(missing, _BLOCK // scale, is_held_back=True) or _is_in_its_last_scan(image, stream):
                    return _decoded(image, stream, is_marked=False)  # which ends it properly
                return None
    except Exception:  # then there is nothing to be saved
        return None
    if not _is_nearly_whole(missing, 1):
        return None
    there = np.flatnonzero(~missing)
    if not len(there):
        return None
    return rows.crop((0, int(there[0]), rows.width, int(there[-1]) + 1))


@contextmanager
def _lax() -> Iterator[None]:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _decoded(like: ImageFile.ImageFile, stream: Any, *, is_marked: bool) -> Image.Image:
    """Decode once more, as far as the file goes; what is not reached stays `_UNTOUCHED` if it is to be marked."""
    stream.seek(0)
    image = Image.open(stream, formats=["JPEG" if like.format == "MPO" else str(like.format)])
    assert isinstance(image, ImageFile.ImageFile)
    if image.size != like.size:  # it was to be scaled down while it is decoded
        image.draft(None, (max(1, like.width - 1), max(1, like.height - 1)))
    if is_marked:
        bands = len(image.getbands())
        colour = _UNTOUCHED[:bands] if bands > 1 else _UNTOUCHED[0]
        image.im = Image.new(image.mode, image.size, colour).im
        if image.format == "JPEG":
            # Pillow's own would end it with a marker, and libjpeg fill up with grey. What it wants to look ahead at
            # before it gives its last rows away it gets.
            ahead = iter((_AHEAD,))
            image.load_read = lambda size: stream.read(size) or next(ahead, b"")  # type: ignore[attr-defined]
    image.load()
    return image


def _untouched(image: Image.Image) -> NDArray[np.bool_]:
    """Return (height,) whether nothing was decoded of a row."""
    values = np.asarray(image).reshape(image.height, image.width, -1)
    return np.asarray((values == np.array(_UNTOUCHED, values.dtype)[: values.shape[2]]).all((1, 2)))


def _is_nearly_whole(missing: NDArray[np.bool_], block: int, *, is_held_back: bool = False) -> bool:
    """Say so of (height,) rows; a decoder that works on blocks may not have given one away that it has."""
    allowed = max(len(missing) * MISSING, block) + (block if is_held_back else 0)
    return int(missing.sum()) <= min(allowed, max(len(missing) * MISSING, len(missing) // 5))


def _is_in_its_last_scan(image: ImageFile.ImageFile, stream: Any) -> bool:
    """Whether of a progressive JPEG every coefficient was reached: then all is to be seen, if partly less sharply."""
    if not image.info.get("progressive"):
        return False
    stream.seek(0)
    data = stream.read()
    left: dict[int, set[int]] = {}
    for found in _SCAN.finditer(data):
        head = data[found.end() : found.end() + 12 + 2 * 4]
        count = head[2] if len(head) > 2 else 0
        if not 1 <= count <= 4 or len(head) < 6 + 2 * count:
            continue
        first, last, precision = head[3 + 2 * count : 6 + 2 * count]
        for component in head[3 : 3 + 2 * count : 2]:
            of_one = left.setdefault(component, set(range(64)))
            if not precision & 15:
                of_one.difference_update(range(first, last + 1))
    return len(left) >= len(image.getbands()) and not any(left.values())
