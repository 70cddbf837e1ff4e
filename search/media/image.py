"""Pictures: pixels of the size that a model asks for, found by words and by each other."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from quarry.search.formats import rare
from quarry.search.media.base import Format, Medium
from quarry.search.models.names import DEFAULT_IMAGE_MODEL
from quarry.search.types import Json, Picture

if TYPE_CHECKING:
    from typing import Unpack

    from quarry.search.models.contracts import ImageEncoder, TextEncoder
    from quarry.search.models.live import How, LiveModels
    from quarry.search.types import Vectors


def _format(type: str, magic: bytes, *suffixes: str) -> Format:
    return _known(type, re.compile(magic, re.S), suffixes)


def _known(type: str, begins: re.Pattern[bytes], suffixes: tuple[str, ...], *, is_sure: bool = True) -> Format:
    return Format(
        "pictures/picture",
        type,
        suffixes,
        kind="image",
        magic=begins if is_sure else None,
        under=("image/",),
        header=begins,
        density=0.0,
        version=3,
    )


class Pictures(Medium):
    """The medium of pictures."""

    name = "image"
    one = "picture"
    many = "Pictures"
    ranked_by = "quarry.search.ranking.pictures"
    model = DEFAULT_IMAGE_MODEL
    weight = 16  # 150 KB of pixels, and some tens of milliseconds
    formats = (
        _format("image/jpeg", rb"\xff\xd8\xff", "jpg", "jpeg", "jpe", "jfif", "mpo"),
        _format("image/png", rb"\x89PNG\r\n\x1a\n", "png"),
        _format("image/webp", rb"RIFF.{4}WEBP", "webp"),
        _format("image/gif", rb"GIF8[79]a", "gif"),
        _format("image/bmp", rb"BM", "bmp"),
        _format("image/tiff", rb"II[*+]\0|MM\0[*+]", "tif", "tiff"),
        _format("image/avif", rb".{4}ftyp(?:avi[fs]|mif1|msf1)", "avif"),
        _format(
            "image/heic", rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif[12]|msf1)", "heic", "heif", "heics", "heifs", "hif"
        ),
        *(_known(kind.type, kind.head, kind.suffixes, is_sure=kind.is_sure) for kind in rare.KINDS),
    )

    def open(
        self, live: LiveModels, name: str, texts: Callable[[], TextEncoder | None], **how: Unpack[How]
    ) -> ImageEncoder:
        """Return the encoder of an image model; its text tower may be the library's text model."""
        return live.image(name, text_encoder=texts(), **how)

    def encode(self, encoder: ImageEncoder, things: Sequence[Picture]) -> Vectors:
        """Embed the pixels of pictures."""
        return encoder.encode_pictures([picture.pixels for picture in things])

    def key(self, thing: Picture) -> bytes:
        """Return the digest of its pixels, as they are for the model that it is first read for."""
        import numpy as np

        digest = hashlib.blake2b(repr(thing.pixels.shape).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(thing.pixels).data)
        return digest.digest()

    def packed(self, thing: Picture) -> tuple[Json, bytes]:
        """Take a picture apart: its pixels come first, then its look, and its thumbnail."""
        header = [list(thing.pixels.shape), thing.width, thing.height, len(thing.look)]
        return header, thing.pixels.tobytes() + thing.look + thing.thumbnail

    def unpacked(self, header: Any, data: bytes) -> Picture:
        """Put a picture together again."""
        import numpy as np

        shape, width, height, look = header
        if min(*shape, look) < 0:  # NumPy would take it for whatever fits
            raise ValueError(f"a picture can't be of size {shape}")
        count = math.prod(shape)
        pixels = np.frombuffer(data, np.uint8, count).reshape(shape)
        return Picture(pixels, width, height, data[count + look :], data[count : count + look])


MEDIUM = Pictures()
