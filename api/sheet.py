"""Contact sheets: the pictures that a search found, drawn on one with their places, names and relevance."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from quarry.api.library import Library
from quarry.search.errors import LibraryDamaged, NotFound
from quarry.search.queries import Response
from quarry.search.types import THUMBNAIL, Hit

if TYPE_CHECKING:
    from PIL import Image, ImageFont

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".pdf": "PDF"}  # by suffix

_COLUMNS = 4
_CELL, _GAP, _LABEL, _TITLE = 240, 16, 44, 56  # pixels
_WIDER_FONTS = ("NotoSansCJK-Regular.ttc", "NanumGothic.ttf", "AppleSDGothicNeo.ttc", "malgun.ttf", "DejaVuSans.ttf")
_PAPER, _MOUNT, _INK, _FAINT = "#ffffff", "#f3f4f6", "#1b1f24", "#6b7280"


def draw(library: Library, response: Response, title: str, suffix: str = ".png") -> bytes:
    """Return a sheet of the pictures among the hits, best first, four in a row, with their places among all hits.

    Args:
        suffix: one of `FORMATS`.
    """
    from PIL import Image, ImageDraw

    places = enumerate(response.hits, response.query.offset + 1)
    hits = [(place, hit) for place, hit in places if hit.kind == "image"]
    columns = min(_COLUMNS, max(1, len(hits)))
    rows = -(-len(hits) // columns)
    size = (max(columns, 2) * (_CELL + _GAP) + _GAP, _TITLE + rows * (_CELL + _LABEL + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    words = title + "".join(hit.document.title for _, hit in hits)
    heading, label = _font(20, words), _font(13, words)
    pen.text((_GAP, _GAP), _fitting(pen, title or "pictures", heading, size[0] - 2 * _GAP), _INK, heading)
    for number, (place, hit) in enumerate(hits):
        left = _GAP + number % columns * (_CELL + _GAP)
        top = _TITLE + number // columns * (_CELL + _LABEL + _GAP)
        pen.rectangle((left, top, left + _CELL, top + _CELL), _MOUNT)
        picture = _thumbnail(library, hit)
        if picture is not None:
            picture.thumbnail((_CELL, _CELL))
            sheet.paste(picture, (left + (_CELL - picture.width) // 2, top + (_CELL - picture.height) // 2))
        name = _fitting(pen, f"{place}. {hit.document.title}", label, _CELL)
        pen.text((left, top + _CELL + 6), name, _INK, label)
        pen.text((left, top + _CELL + 24), f"relevance {hit.relevance:.2f}", _FAINT, label)
    out = io.BytesIO()
    sheet.save(out, FORMATS[suffix.lower()])
    return out.getvalue()


def _thumbnail(library: Library, hit: Hit) -> Image.Image | None:
    from PIL import Image

    try:
        # Our own JPEG, of THUMBNAIL pixels at most: nothing that came from outside is decoded here.
        picture = Image.open(io.BytesIO(library.thumbnail(hit.document.id)), formats=("JPEG",))
        return picture if max(picture.size) <= THUMBNAIL else None
    except (NotFound, LibraryDamaged, OSError):
        return None


def _font(size: int, words: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font; for words that it may lack letters of, one of this machine's where one is found."""
    from PIL import ImageFont

    for name in () if words.isascii() else _WIDER_FONTS:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)


def _fitting(pen: object, text: str, font: object, width: int) -> str:
    """Return as much of a text as fits, on one line."""
    text = " ".join(text.split())
    while len(text) > 1 and pen.textlength(text, font=font) > width:  # type: ignore[attr-defined]
        text = text[:-2].rstrip() + "…"
    return text
