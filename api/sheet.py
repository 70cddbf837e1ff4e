"""Contact sheets: the pictures that a search found, drawn on one with their places, names and relevance."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from quarry.api.library import Library
from quarry.search.errors import LibraryDamaged, NotFound
from quarry.search.queries.query import Response
from quarry.search.types import THUMBNAIL, Hit
from quarry.search.values.places import Place

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".pdf": "PDF"}  # by suffix

_COLUMNS = 4
_CELL, _GAP, _MARGIN = THUMBNAIL, 24, 40  # pixels
_HEADING, _LINE, _LABEL = 56, 22, 84  # heights: of the heading, of a line below a picture, of both and what follows
_WIDER_FONTS = ("NotoSansCJK-Regular.ttc", "NanumGothic.ttf", "AppleSDGothicNeo.ttc", "malgun.ttf", "DejaVuSans.ttf")
_PAPER, _INK, _FAINT, _LINES = "#faf9f6", "#1f1d1a", "#625d54", "#e5e1d8"  # those of the page
_MARK = "#f08a2c"  # that of heat maps


def draw(library: Library, response: Response, title: str, suffix: str = ".png") -> bytes:
    """Return a sheet of the pictures among the hits, best first, four in a row, with their places among all hits.

    Args:
        suffix: one of `FORMATS`.
    """
    from PIL import Image, ImageDraw

    places = enumerate(response.hits, response.query.offset + 1)
    hits = [(place, hit, _thumbnail(library, hit)) for place, hit in places if hit.kind == "image"]
    rows = [hits[first : first + _COLUMNS] for first in range(0, len(hits), _COLUMNS)]
    heights = [max((picture.height if picture else _CELL // 2) for _, _, picture in row) for row in rows]
    columns = max(2, min(_COLUMNS, len(hits)))
    width = 2 * _MARGIN + columns * (_CELL + _GAP) - _GAP
    sheet = Image.new("RGB", (width, 2 * _MARGIN + _HEADING + sum(heights) + (len(rows) or 1) * _LABEL), _PAPER)
    pen = ImageDraw.Draw(sheet)
    words = title + "".join(hit.document.title for _, hit, _ in hits)
    heading, label = _font(28, words), _font(16, words)
    pen.text((_MARGIN, _MARGIN - 8), _fitting(pen, title or "pictures", heading, width - 2 * _MARGIN), _INK, heading)
    if not hits:
        pen.text((_MARGIN, _MARGIN + _HEADING), "No picture was found.", _FAINT, label)
    top = _MARGIN + _HEADING
    for row, height in zip(rows, heights, strict=True):
        for column, (place, hit, picture) in enumerate(row):
            left, bottom = _MARGIN + column * (_CELL + _GAP), top + height
            if picture is None:
                pen.rectangle((left, bottom - _CELL // 2, left + _CELL - 1, bottom - 1), None, _LINES)
            else:
                sheet.paste(picture, (left, bottom - picture.height))
                grounded = [Place(box=hit.grounding.box)] if hit.grounding and hit.grounding.box else []
                for part in (*grounded, *(one.place for one in (hit, *hit.more))):
                    if part and part.box:
                        _outline(pen, part, (left, bottom - picture.height), picture.size)
            name = _fitting(pen, f"{place}. {hit.document.title}", label, _CELL)
            pen.text((left, bottom + 10), name, _INK, label)
            pen.text((left, bottom + 10 + _LINE), _fitting(pen, _said(hit), label, _CELL), _FAINT, label)
        top += height + _LABEL
    out = io.BytesIO()
    sheet.save(out, FORMATS[suffix.lower()])
    return out.getvalue()


def _said(hit: Hit) -> str:
    """Return how relevant a picture is, and what is said of the part of it that is outlined."""
    part = f": {hit.text}" if hit.place and hit.place.box else ""
    sure = f" ({hit.confidence:.0%} sure)" if part and hit.confidence is not None else ""
    nowhere = ", seen nowhere for sure" if hit.grounding and hit.grounding.box is None and not part else ""
    return f"relevance {hit.relevance:.0%}{part}{sure}{nowhere}"


def _outline(pen: ImageDraw.ImageDraw, place: Place, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """Draw around a part of a picture, in a colour between two of paper, so that it is seen on any."""
    shares = place.outline or place.box or ()
    points = [corner[at % 2] + share * (size[at % 2] - 1) for at, share in enumerate(shares)]
    if place.outline:
        for width, colour in ((5, _PAPER), (3, _MARK)):
            pen.line([*points, *points[:4]], colour, width, "curve")
        return
    left, top, right, bottom = points
    for inset, colour in ((0, _PAPER), (1, _MARK), (2, _MARK), (3, _MARK), (4, _PAPER)):
        if right - left > 2 * inset and bottom - top > 2 * inset:
            pen.rectangle((left + inset, top + inset, right - inset, bottom - inset), None, colour)


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
