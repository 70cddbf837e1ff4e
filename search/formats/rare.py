"""Kinds of pictures that are rare, and which part of Pillow reads each: it is imported when the first such file comes.

Left out are those that run a program (EPS, WMF), hold films (FLI, MIC, FPX), or have no pixels of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module

MAX_PIXELS = 16_000_000  # their decoders hold several times as much


@dataclass(frozen=True, slots=True)
class RareKind:
    """A kind of pictures that is rare.

    Args:
        name: what Pillow calls it.
        type: its media type.
        head: matches how its files begin.
        is_sure: whether nothing else begins so; else its name must say what it is.
    """

    name: str
    type: str
    head: re.Pattern[bytes]
    suffixes: tuple[str, ...]
    is_sure: bool = True


def _kind(name: str, type: str, head: bytes, *suffixes: str, is_sure: bool = True) -> RareKind:
    return RareKind(name, f"image/{type}", re.compile(head, re.S), suffixes, is_sure)


KINDS = (
    _kind("ICO", "vnd.microsoft.icon", rb"\0\0\x01\0[^\0]\0", "ico"),
    _kind("CUR", "x-win-cursor", rb"\0\0\x02\0[^\0]\0", "cur"),
    _kind("PSD", "vnd.adobe.photoshop", rb"8BPS\0\x01", "psd"),
    _kind("PPM", "x-portable-anymap", rb"P[1-6fF][\s#]", "ppm", "pgm", "pbm", "pnm", "pfm"),
    _kind("JPEG2000", "jp2", rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n", "jp2", "j2k", "jpf", "jpx", "j2c"),
    _kind("DDS", "vnd.ms-dds", rb"DDS ", "dds"),
    _kind("QOI", "qoi", rb"qoif", "qoi"),
    _kind("SGI", "sgi", rb"\x01\xda[\0\1][\1\2]", "sgi", "rgb", "rgba"),
    _kind("PCX", "x-pcx", rb"\x0a[\0\2\3\5][\0\1]", "pcx", is_sure=False),
    _kind("TGA", "x-tga", rb".[\0\1][\1\2\3\x09\x0a\x0b]", "tga", is_sure=False),
    _kind("XBM", "x-xbitmap", rb"\s*#define\s", "xbm", is_sure=False),
)
TYPES = {kind.name: kind.type for kind in KINDS}
_MODULES = {  # of Pillow
    "ICO": "Ico", "CUR": "Cur", "PSD": "Psd", "PPM": "Ppm", "JPEG2000": "Jpeg2K", "DDS": "Dds", "QOI": "Qoi",
    "SGI": "Sgi", "PCX": "Pcx", "TGA": "Tga", "XBM": "Xbm",
}  # fmt: skip


def known(head: bytes) -> list[str]:
    """Return what Pillow calls the kinds that a file may be of, by how it begins; what reads them is imported."""
    found = [kind.name for kind in KINDS if kind.head.match(head)]
    for name in found:
        import_module(f"PIL.{_MODULES[name]}ImagePlugin")
    return found
