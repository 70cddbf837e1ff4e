"""The pages of a file that are pictures of text, read by an engine: a page at a time, each line with its box."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from quarry.indexer.loaders.base import Scanning, Source
from quarry.indexer.loaders.scans import engines, likely
from quarry.indexer.loaders.scans.base import Engine, TextLine
from quarry.indexer.loaders.scans.likely import lines_seen
from quarry.indexer.loaders.scans.pages import rasters
from quarry.indexer.loaders.scans.shade import evened
from quarry.indexer.loaders.scans.skew import on_the_page, skew, straightened
from quarry.search.errors import UnsupportedType
from quarry.search.formats import pixels
from quarry.search.types import Parsed, ParsedPart, Picture, Preprocessing
from quarry.search.values.places import Place

_SURE = 0.5  # a line that is less sure is no text, as a rule, but grain
_LEAST = 3  # letters and digits of a page, with fewer of which nothing is said
_SIDE = 2_400  # pixels of a picture, as a page at 200 dots an inch has
_SHOWN = 1_600  # of a page as a model is given it: what is small is still to be read
_BROKEN = "-\u00ad"  # ends a line within a word


def parse(source: Source) -> Iterator[Parsed]:
    """Read pages of a PDF, or a picture; yield what is read of each, with the place of each of its lines.

    One without text is yielded, too, so that it is known which it was where the next one can't be read.
    `Parsed.metadata` has the `confidence` of a page.

    Raises:
        UnsupportedType: the engine is not installed.
        FileMalformed: the file is damaged.
    """
    wanted = source.options.scans or Scanning("")
    engine = engines.engine(wanted.engine) if wanted.engine else None
    if engine is None and not (wanted.shown and not wanted.engine):
        raise UnsupportedType("nothing is installed that reads what it shows")
    data = source.read()
    if wanted.shown:
        is_picture = source.format.kind == "image"
        for page, picture in [(None, _decoded(data, _SIDE))] if is_picture else rasters(data, wanted.pages):
            parsed = said(_level(picture, engine) if engine else [], page)
            yield replace(parsed, parts=(ParsedPart("image", _picture(picture), Place(page=page)),))
    elif engine is not None and source.format.kind == "image":
        yield _shown(data, engine)
    elif engine is not None:
        for page, picture in rasters(data, wanted.pages):
            yield said(_level(picture, engine), page)


def _picture(picture: Image.Image) -> Picture:
    """Return a page as a model is given it."""
    small = picture.convert("RGB")
    small.thumbnail((_SHOWN, _SHOWN))
    return Picture(np.asarray(small), picture.width, picture.height)


def _level(picture: Image.Image, engine: Engine) -> list[TextLine]:
    """Read a page, lit evenly and straightened."""
    even = evened(picture)
    angle = skew(even)
    if not angle:
        return engine.read(even)
    level = straightened(even, angle)
    sizes = even.size, level.size
    return [replace(one, box=on_the_page(one.box, angle, *sizes)) for one in engine.read(level)]


def _shown(data: bytes, engine: Engine) -> Parsed:
    """Read a picture: a page of text as one, for words what may show some, and what does not look so not at all."""
    seen = lines_seen(_decoded(data, likely.SIDE))
    if seen < likely.LIKELY:
        return said([], None)
    picture = _decoded(data, _SIDE)
    return said(_level(picture, engine) if seen >= likely.PAGE else engine.read(picture, sparse=True), None)


def _decoded(data: bytes, side: int) -> Image.Image:
    """Decode a picture whose longer side may be scaled down to some pixels."""
    with pixels.opened(io.BytesIO(data)) as image:
        enough = Preprocessing(side, side, "longest")
        pixels.shrink(image, enough)
        picture = pixels.decode(image, enough)
    picture.thumbnail((side, side))
    return picture


def said(lines: list[TextLine], page: int | None) -> Parsed:
    """Make a text of the lines of a page, "" of what is hardly any; words that a line's end divides are joined."""
    sure = [line for line in lines if line.confidence >= _SURE]
    text, places = "", []
    before = None
    for line in sure:
        if before is not None:
            if text[-1] in _BROKEN and line.text[0].islower() and text[-2:-1].isalpha():
                text = text[:-1]
            else:
                text += "\n" if line.paragraph == before.paragraph else "\n\n"
        places.append((len(text), Place(page=page, box=tuple(round(share, 4) for share in line.box))))  # type: ignore[arg-type]
        text += line.text
        before = line
    if sum(letter.isalnum() for letter in text) < _LEAST:
        return Parsed("", "text/plain", place=Place(page=page))
    weight = sum(len(line.text) for line in sure)
    confidence = sum(line.confidence * len(line.text) for line in sure) / weight
    said_at = Place(page=page)
    return Parsed(
        text, "text/plain", metadata={"confidence": round(confidence, 2)}, place=said_at, places=tuple(places)
    )
