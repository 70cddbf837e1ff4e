"""The pictures on the pages of a PDF: where each stands, what is said about it, and what it looks like.

A picture that was cut into strips or tiles is one. What covers a whole page is its background, or the scan of a text,
which is found as a page; of a page that is read as a scan, only what does not look like text is a picture.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.pictures.figures import MOST, Figures, captions
from quarry.indexer.loaders.scans.likely import PAGE, SIDE, lines_seen
from quarry.indexer.loaders.scans.pages import is_unread
from quarry.search.values.places import Place

_MOST_OBJECTS = 20_000  # of a page or form that are looked at
_MOST_IMAGES = 5_000  # of a page
_MOST_PIXELS = 100_000_000  # of an image, by what is said of it
_MOST_ELEMENTS = 5_000  # of a page's structure
_DEEPEST = 4  # forms within forms
_SHORTEST = 28.0  # points, a centimetre
_SHORTEST_SIDE = 64  # pixels
_COVERING, _SCANNED = 0.8, 0.4  # shares of a page that its background covers, and a scan of a page
_WORDS = 40  # characters of a page that is no picture
_LONG = 1_600  # pixels, the longer side as it is drawn
_NEAR = 1.5  # points between what belongs together
_BELOW, _ABOVE, _BESIDE = 70.0, 45.0, 24.0  # points around a picture where its caption may be
_LINES = 4  # of a caption
_PAPER = 0.55  # share of a page that is light, where it holds text
_FOUR_COLOURS = b"\xff\xee\x00\x0eAdobe"  # begins what says how a JPEG's colours are meant, where they may be inverted
_SCANS = 8  # in a row, after which all that follow are taken for scans of texts: to look at each takes its time
_NAMED = "page"  # and its number, is what begins the name of a picture
_GRID = 96  # pixels a side, of what is looked at for that

_Matrix = tuple[float, float, float, float, float, float]
_Test = Callable[[Image.Image], bool]
_Box = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True, slots=True)
class _Region:
    """A part of a page that images show.

    Args:
        image: the handle of the first of them.
        number: of that one on its page.
        scale: pixels of an image in a point.
        is_plain: whether it is one image, shown as it is stored.
    """

    box: _Box
    image: Any
    number: int
    scale: float
    pixels: int
    is_plain: bool

    @property
    def sides(self) -> tuple[float, float]:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def and_(self, other: _Region) -> _Region:
        left, bottom, right, top = zip(self.box, other.box, strict=True)
        return replace(
            self,
            box=(min(left), min(bottom), max(right), max(top)),
            scale=max(self.scale, other.scale),
            pixels=self.pixels + other.pixels,
            is_plain=False,
        )


class PagePictures:
    """Finds the pictures of one document, page after page, and draws each when its turn comes."""

    def __init__(self, document: Any, figures: Figures) -> None:
        self._document = document
        self._figures = figures
        self._seen: set[bytes] = set()
        self._is_tagged = bool(raw.FPDFCatalog_IsTagged(document))
        self._page: tuple[int, Any] = 0, None
        self._papers = 0  # scans of texts, one after the other

    def look(self, page: Any, words: Any, number: int, text: str) -> None:
        """Add the pictures of a page to those of the document.

        Args:
            page, words: the pypdfium2 page and its text page.
            number: of the page, from 1.
            text: what stands on it.
        """
        if len(self._figures) > MOST or not (images := list(_images(page))):
            return
        area = _area(page)
        has_words = len("".join(text.split())) >= _WORDS
        is_read = is_unread(page, text)  # as a page, by what reads scans
        alts = _alternatives(page) if self._is_tagged else {}
        count = 0
        for region in _merged(images):
            width, height = region.sides
            is_background = has_words and width * height >= _COVERING * area
            if min(width, height) < _SHORTEST or region.pixels < _SHORTEST_SIDE**2 or is_background:
                continue
            scanned = None if not is_read else _is_text if width * height >= _SCANNED * area else _has_lines
            if region.is_plain:
                digest = _digest(region.image)
                if digest in self._seen:
                    continue
                self._seen.add(digest)
            count += 1
            is_jpeg = region.is_plain and scanned is not _is_text and _is_jpeg(region.image)
            self._figures.add(
                f"{_NAMED}{number}-{count}.{'jpg' if is_jpeg else 'png'}",
                partial(self._stored if is_jpeg else self._drawn, number, region, scanned),
                alts.get(raw.FPDFPageObj_GetMarkedContentID(region.image), ""),
                caption=_caption(words, region.box),
                place=Place(page=number),
            )

    def close(self) -> None:
        """Close the page that was drawn last."""
        if self._page[1] is not None:
            self._page[1].close()
        self._page = 0, None

    def _opened(self, number: int) -> Any:
        if self._page[0] != number:
            self.close()
            self._page = number, self._document[number - 1]
        return self._page[1]

    def _stored(self, number: int, region: _Region, scanned: _Test | None) -> bytes:
        """Return the JPEG that an image is; b"" where it is the scan of a text."""
        if self._is_scan(number, region, scanned):
            return b""
        for found in _images(self._opened(number)):
            if found.number == region.number:
                return _data(found.image)
        return b""

    def _is_scan(self, number: int, region: _Region, scanned: _Test | None) -> bool:
        if scanned is None:
            return False
        if scanned is _is_text and self._papers >= _SCANS:
            return True
        found = scanned(_draw(self._opened(number), region.box, SIDE / max(region.sides)))
        self._papers = self._papers + 1 if found and scanned is _is_text else 0
        return found

    def _drawn(self, number: int, region: _Region, scanned: _Test | None) -> bytes:
        """Return a part of a page as it looks, as a PNG; b"" where it is the scan of a text."""
        if self._is_scan(number, region, scanned):
            return b""
        image = _draw(self._opened(number), region.box, min(region.scale, _LONG / max(region.sides)))
        data = io.BytesIO()
        image.save(data, "PNG", compress_level=1)
        return data.getvalue()


def last_page(name: str) -> int:
    """Return the number of the page, from 1, after which no picture has this name; 0 where it is none of a picture."""
    number = name.removeprefix(_NAMED).partition("-")[0]
    return int(number) if name.startswith(_NAMED) and number.isdecimal() else 0


def _draw(page: Any, box: _Box, scale: float) -> Image.Image:
    """Draw a part of a page, at so many pixels a point."""
    whole = [max(1, round(side * scale)) for side in page.get_size()]
    corners = [_on_device(page, whole, x, y) for x in box[::2] for y in box[1::2]]
    left, top = (max(0, min(corner[axis] for corner in corners)) for axis in (0, 1))
    right, bottom = (min(whole[axis], max(corner[axis] for corner in corners)) for axis in (0, 1))
    size = max(1, right - left), max(1, bottom - top)
    bitmap = pdfium.PdfBitmap.new_native(*size, raw.FPDFBitmap_BGR)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
        raw.FPDF_RenderPageBitmap(bitmap, page, -left, -top, *whole, 0, 0)
        return Image.fromarray(np.ascontiguousarray(bitmap.to_numpy()[:, :, ::-1]))
    finally:
        bitmap.close()


def _images(page: Any) -> Iterator[_Region]:
    """Yield the images of a page that are shown within it, each with its number on the page."""
    left, bottom, right, top = page.get_bbox()
    for number, (image, (a, b, c, d, x, y)) in enumerate(
        _shown(page, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject)
    ):
        if number >= _MOST_IMAGES:
            return
        xs, ys = (x, x + a, x + c, x + a + c), (y, y + b, y + d, y + b + d)
        box = max(left, min(xs)), max(bottom, min(ys)), min(right, max(xs)), min(top, max(ys))
        wide, high = ctypes.c_uint(), ctypes.c_uint()
        raw.FPDFImageObj_GetImagePixelSize(image, wide, high)
        pixels = wide.value * high.value
        if box[0] < box[2] and box[1] < box[3] and 0 < pixels <= _MOST_PIXELS:
            across, along = (a * a + b * b) ** 0.5, (c * c + d * d) ** 0.5
            scale = max(wide.value / max(across, 1e-3), high.value / max(along, 1e-3))
            is_whole = max(xs) - min(xs) < 1.05 * (box[2] - box[0]) and max(ys) - min(ys) < 1.05 * (box[3] - box[1])
            is_upright = a > 0 and d > 0 and abs(b) < 0.05 * a and abs(c) < 0.05 * d and not page.get_rotation()
            yield _Region(box, image, number, scale, pixels, is_whole and is_upright)


def _shown(
    parent: Any,
    count: Callable[[Any], int],
    get: Callable[[Any, int], Any],
    outer: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    depth: int = 1,
) -> Iterator[tuple[Any, _Matrix]]:
    """Yield the image objects of a page or form, each with the matrix that puts the unit square on the page."""
    for position in range(min(count(parent), _MOST_OBJECTS)):
        one = get(parent, position)
        kind = raw.FPDFPageObj_GetType(one)
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            yield one, _within(_matrix(one), outer)
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
            inner = _within(_matrix(one), outer)
            yield from _shown(one, raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject, inner, depth + 1)


def _matrix(one: Any) -> _Matrix:
    found = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(one, found)
    return found.a, found.b, found.c, found.d, found.e, found.f


def _within(inner: _Matrix, outer: _Matrix) -> _Matrix:
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _merged(images: list[_Region]) -> list[_Region]:
    """Put together what was cut: strips of one width above each other, then columns of one height beside each other."""
    for along, across in ((1, 0), (0, 1)):
        images = sorted(images, key=lambda one: (round(one.box[across]), round(one.box[across + 2]), one.box[along]))
        found: list[_Region] = []
        for one in images:
            before = found[-1] if found else None
            if before is not None and _go_on(before.box, one.box, along, across):
                found[-1] = before.and_(one)
            else:
                found.append(one)
        images = found
    return sorted(images, key=lambda one: one.number)


def _go_on(before: _Box, after: _Box, along: int, across: int) -> bool:
    """Whether a box begins where another of the same width ends."""
    is_same = all(abs(before[side] - after[side]) < _NEAR for side in (across, across + 2))
    return is_same and abs(before[along + 2] - after[along]) < _NEAR


def _area(page: Any) -> float:
    left, bottom, right, top = page.get_bbox()
    return float(max(1.0, (right - left) * (top - bottom)))


def _digest(image: Any) -> bytes:
    return hashlib.blake2b(_data(image), digest_size=16).digest()


def _data(image: Any) -> bytes:
    """Return the bytes of an image as they are stored."""
    size = raw.FPDFImageObj_GetImageDataRaw(image, None, 0)
    buffer = (ctypes.c_ubyte * size)()
    raw.FPDFImageObj_GetImageDataRaw(image, buffer, size)
    return bytes(buffer)


def _is_jpeg(image: Any) -> bool:
    """Whether what is stored is a JPEG that looks as it is shown: grey or in three colours, nothing transparent."""
    if raw.FPDFImageObj_GetImageFilterCount(image) != 1 or raw.FPDFPageObj_HasTransparency(image):
        return False
    name = ctypes.create_string_buffer(16)
    raw.FPDFImageObj_GetImageFilter(image, 0, name, len(name))
    if name.value != b"DCTDecode":
        return False
    return _FOUR_COLOURS not in _data(image)[:4096]


def _on_device(page: Any, whole: list[int], x: float, y: float) -> tuple[int, int]:
    """Return where a point of a page is drawn when all of it has so many pixels."""
    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, *whole, 0, x, y, across, down)
    return across.value, down.value


def _is_text(image: Image.Image) -> bool:
    """Whether a page looks like one that is written on: most of it is light and without colour, or lines run on it."""
    pixels = np.asarray(image.resize((_GRID, _GRID), Image.Resampling.BOX)).astype(np.int16)
    light = (pixels.min(axis=2) > 160) & (pixels.max(axis=2) - pixels.min(axis=2) < 40)
    return bool(light.mean() >= _PAPER) or _has_lines(image)


def _has_lines(image: Image.Image) -> bool:
    return lines_seen(image) >= PAGE


def _caption(words: Any, box: _Box) -> str:
    """Return the caption below a picture, or else above it, "" where none begins as captions do."""
    left, bottom, right, top = box
    for low, high in ((bottom - _BELOW, bottom + 2), (top - 2, top + _ABOVE)):
        text = words.get_text_bounded(left=left - _BESIDE, bottom=low, right=right + _BESIDE, top=high)
        lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
        for at, line in enumerate(lines):
            if captions(one_line(line)):
                return one_line(" ".join(_paragraph(lines[at : at + _LINES])))
    return ""


def _paragraph(lines: list[str]) -> list[str]:
    """Return the first lines that belong together: one goes on where it is full, or the next begins small."""
    full = 0.75 * max(map(len, lines))
    for at in range(1, len(lines)):
        if len(lines[at - 1]) < full and not lines[at].lstrip()[:1].islower():
            return lines[:at]
    return lines


def _alternatives(page: Any) -> dict[int, str]:
    """Return the alternative texts of a tagged page by the marked content that they stand for."""
    found: dict[int, str] = {}
    tree = raw.FPDF_StructTree_GetForPage(page)
    if not tree:
        return found
    try:
        count = raw.FPDF_StructTree_CountChildren(tree)
        waiting = [(raw.FPDF_StructTree_GetChildAtIndex(tree, number), "") for number in range(min(count, 1_000))]
        for _ in range(_MOST_ELEMENTS):
            if not waiting:
                break
            element, alt = waiting.pop()
            if not element:
                continue
            alt = _said(raw.FPDF_StructElement_GetAltText, element) or alt
            if alt:
                for number in range(min(raw.FPDF_StructElement_GetMarkedContentIdCount(element), 100)):
                    found[raw.FPDF_StructElement_GetMarkedContentIdAtIndex(element, number)] = alt
            children = min(raw.FPDF_StructElement_CountChildren(element), _MOST_ELEMENTS)
            waiting += [(raw.FPDF_StructElement_GetChildAtIndex(element, number), alt) for number in range(children)]
    finally:
        raw.FPDF_StructTree_Close(tree)
    found.pop(-1, None)
    return found


def _said(ask: Callable[[Any, Any, int], int], element: Any) -> str:
    size = ask(element, None, 0)
    if not 2 < size <= 20_000:
        return ""
    buffer = ctypes.create_string_buffer(size)
    ask(element, buffer, size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")
