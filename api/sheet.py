"""Contact sheets: the pictures that a search found, drawn on one with their places, names and relevance."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from api.library import Library
from search.errors import LibraryDamaged, NotFound
from search.types import THUMBNAIL, Hit, Response

if TYPE_CHECKING:
    from PIL import Image

_COLUMNS = 4
_CELL, _GAP, _LABEL, _TITLE = 240, 16, 44, 56  # pixels
_PAPER, _INK, _FAINT = "#ffffff", "#1b1f24", "#6b7280"


def draw(library: Library, response: Response, title: str) -> bytes:
    """Return a PNG of the pictures among the hits, best first, four in a row."""
    from PIL import Image, ImageDraw, ImageFont

    hits = [hit for hit in response.hits if hit.kind == "image"]
    columns = min(_COLUMNS, max(1, len(hits)))
    rows = -(-len(hits) // columns)
    size = (max(columns, 2) * (_CELL + _GAP) + _GAP, _TITLE + rows * (_CELL + _LABEL + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    heading, label = ImageFont.load_default(20), ImageFont.load_default(13)
    pen.text((_GAP, _GAP), _fitting(pen, title or "pictures", heading, size[0] - 2 * _GAP), _INK, heading)
    for number, hit in enumerate(hits):
        left = _GAP + number % columns * (_CELL + _GAP)
        top = _TITLE + number // columns * (_CELL + _LABEL + _GAP)
        picture = _thumbnail(library, hit)
        if picture is not None:
            picture.thumbnail((_CELL, _CELL))
            sheet.paste(picture, (left + (_CELL - picture.width) // 2, top + (_CELL - picture.height) // 2))
        pen.rectangle((left, top, left + _CELL, top + _CELL), outline="#e5e7eb")
        name = _fitting(pen, f"{number + 1}. {hit.document.title}", label, _CELL)
        pen.text((left, top + _CELL + 6), name, _INK, label)
        pen.text((left, top + _CELL + 24), f"relevance {hit.relevance:.2f}", _FAINT, label)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _thumbnail(library: Library, hit: Hit) -> Image.Image | None:
    from PIL import Image

    try:
        # Our own JPEG, of THUMBNAIL pixels at most: nothing that came from outside is decoded here.
        picture = Image.open(io.BytesIO(library.thumbnail(hit.document.id)), formats=("JPEG",))
        return picture if max(picture.size) <= THUMBNAIL else None
    except (NotFound, LibraryDamaged, OSError):
        return None


def _fitting(pen: object, text: str, font: object, width: int) -> str:
    """Return as much of a text as fits, on one line."""
    text = " ".join(text.split())
    while len(text) > 1 and pen.textlength(text, font=font) > width:  # type: ignore[attr-defined]
        text = text[:-2].rstrip() + "…"
    return text
