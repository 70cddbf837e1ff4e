"""What an HTML page shows: the sources of its images, with what is said about each."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from selectolax.lexbor import LexborNode

from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.pictures.figures import LARGEST

_DATA = re.compile(r"data:image/([a-z0-9.+-]{2,20})((?:;[^;,]*)*),", re.I)
_SUFFIXES = {"jpeg": "jpg", "pjpeg": "jpg", "x-ms-bmp": "bmp", "vnd.microsoft.icon": "ico"}
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Shown:
    """An image of a page: its source, its alternative text, the caption of the figure that it stands in."""

    source: str
    alt: str
    caption: str


def images(body: LexborNode) -> Iterator[Shown]:
    """Yield the images of a page, in order; those of SVG that show one, too."""
    for node in body.css("img, image")[:_MOST]:
        attributes = node.attributes
        source = attributes.get("src") or attributes.get("xlink:href") or attributes.get("href") or ""
        alt = attributes.get("alt") or attributes.get("title") or ""
        if source:
            yield Shown(source.strip(), alt, _caption(node))


def _caption(node: LexborNode) -> str:
    place = node.parent
    for _ in range(4):
        if place is None:
            break
        if place.tag == "figure":
            found = place.css_first("figcaption")
            return one_line(found.text()) if found is not None else ""
        place = place.parent
    return ""


def suffix_of(source: str) -> str:
    """Return the suffix of a picture that an address holds itself (RFC 2397), "" where it holds none."""
    match = _DATA.match(source[:200])
    kind = match[1].lower() if match else ""
    return _SUFFIXES.get(kind, kind)


def held(source: str) -> bytes:
    """Return the picture that an address holds itself, b"" where it is damaged or too large."""
    match = _DATA.match(source[:200])
    if match is None or len(source) > 2 * LARGEST:
        return b""
    data = unquote_to_bytes(source[match.end() :])
    if "base64" not in match[2].lower():
        return data
    return from_base64(data)


def from_base64(data: bytes | str) -> bytes:
    """Decode base64 with whatever white space, b"" where it is damaged."""
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return b""
