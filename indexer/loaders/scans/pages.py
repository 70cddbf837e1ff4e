"""The pages of a PDF that are pictures of text: which they are, and their pixels, through PDFium."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from quarry.search.errors import FileMalformed

DPI = 200
MAX_PIXELS = 12_000_000  # of a page: A4 at 300 dpi has 8.7 million
_FEW = 25  # letters and digits, such as a page number or a stamp has
_LARGE = 0.4  # of a page, which a picture of it covers
_DEEPEST = 4  # forms within forms
_PAINTED = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING)


def is_unread(page: Any, text: str) -> bool:
    """Say whether a page shows something that may be text, and holds none, or hardly any beside a large picture."""
    letters = sum(letter.isalnum() for letter in text)
    if letters >= _FEW:
        return False
    if not letters:
        return any(True for _ in page.get_objects(_PAINTED, max_depth=_DEEPEST))
    width, height = page.get_size()
    return any(_share(one, width * height) > _LARGE for one in page.get_objects(_PAINTED[:1], max_depth=_DEEPEST))


def rasters(data: bytes, numbers: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
    """Render pages, counted from 1, in grey.

    Raises:
        FileMalformed: it is no PDF, or one of these pages is damaged.
    """
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise FileMalformed("it is damaged, PDFium can't open it") from error
    try:
        for number in numbers:
            try:
                page = document[number - 1]
            except (pdfium.PdfiumError, IndexError) as error:
                raise FileMalformed("a page of it is damaged") from error
            try:
                width, height = page.get_size()  # in points
                scale = min(DPI / 72, (MAX_PIXELS / max(1.0, width * height)) ** 0.5)
                yield number, page.render(scale=scale, grayscale=True).to_pil()
            finally:
                page.close()
    finally:
        document.close()


def _share(one: Any, area: float) -> float:
    try:
        left, bottom, right, top = one.get_bounds()
    except pdfium.PdfiumError:
        return 0.0
    return float(abs(right - left) * abs(top - bottom) / max(1.0, area))
