"""Pages as scanners make them: texts set in type, then turned, skewed, blurred by noise or pressed into a JPEG."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.corpus import data_folder

FONTS = Path("/usr/share/fonts")
FACES = {  # of Debian's fonts-dejavu-core, fonts-nanum
    "English": ("truetype/dejavu/DejaVuSerif.ttf", "truetype/dejavu/DejaVuSans.ttf"),
    "Korean": ("truetype/nanum/NanumMyeongjo.ttf", "truetype/nanum/NanumGothic.ttf"),
}
SOURCES = {"English": "retrieval/cisi/corpus.jsonl", "Korean": "korean/welfare/corpus.jsonl"}
_A4 = (8.27, 11.69)  # inches
_MARGIN, _LEADING = 0.9, 1.5


def texts(language: str, characters: int = 900) -> Iterator[str]:
    """Yield texts in a language, about as long as a page of type with wide margins."""
    with (data_folder() / SOURCES[language]).open(encoding="utf-8") as rows:
        for row in rows:
            words = " ".join(json.loads(row)["text"].split())
            if len(words) >= characters:
                yield words[:characters].rsplit(" ", 1)[0]


def page(text: str, face: str, dpi: int = 300, points: float = 11) -> Image.Image:
    """Set a text as a page of A4, grey."""
    width, height = (round(side * dpi) for side in _A4)
    image = Image.new("L", (width, height), 255)
    font = ImageFont.truetype(FONTS / face, round(points * dpi / 72))
    margin, y = round(_MARGIN * dpi), round(_MARGIN * dpi)
    draw = ImageDraw.Draw(image)
    for line in _lines(text, font, width - 2 * margin):
        draw.text((margin, y), line, fill=20, font=font)
        y += round(points * _LEADING * dpi / 72)
    return image


def _lines(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        wider = f"{line} {word}".strip()
        if line and font.getlength(wider) > width:
            yield line
            line = word
        else:
            line = wider
    yield line


def _noisy(image: Image.Image) -> Image.Image:
    """Blur a page a little, grey its paper unevenly, and sprinkle it."""
    rng = np.random.default_rng(image.width)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(image.width / 1800)), np.float32)
    shade = np.linspace(0, 45, image.width, dtype=np.float32)
    pixels = pixels * 0.8 + 35 - shade + rng.normal(0, 14, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _dim(image: Image.Image) -> Image.Image:
    """Photograph a page: a little out of focus, with half the light in a corner."""
    rng = np.random.default_rng(image.width)
    across, down = (np.linspace(0, 1, side, dtype=np.float32) for side in image.size)
    light = 0.45 + 0.5 * across[None, :] * (1 - 0.4 * down[:, None])
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(image.width / 1800)), np.float32) * light
    return Image.fromarray(np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8))


def _pressed(image: Image.Image) -> Image.Image:
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=20)
    return Image.open(stored).convert("L")


def _skewed(degrees: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)


def _turned(degrees: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.rotate(degrees, expand=True)


# A condition: dots per inch, the size of the type in points, and what happens to the page.
CONDITIONS: Mapping[str, tuple[int, float, Callable[[Image.Image], Image.Image]]] = {
    "300 dpi": (300, 11, lambda image: image),
    "150 dpi": (150, 11, lambda image: image),
    "100 dpi": (100, 11, lambda image: image),
    "7 points, 150 dpi": (150, 7, lambda image: image),
    "turned by 90°": (200, 11, _turned(90)),
    "turned by 180°": (200, 11, _turned(180)),
    "skewed by 2°": (200, 11, _skewed(2)),
    "skewed by 5°": (200, 11, _skewed(-5)),
    "noisy": (200, 11, _noisy),
    "unevenly lit": (200, 11, _dim),
    "JPEG, quality 20": (150, 11, _pressed),
}


def scans(language: str, condition: str, count: int) -> Iterator[tuple[str, Image.Image]]:
    """Yield texts in a language, each with its page in a condition; every other in another face."""
    dpi, points, spoil = CONDITIONS[condition]
    for number, text in zip(range(count), texts(language), strict=False):
        faces = FACES[language]
        yield text, spoil(page(text, faces[number % len(faces)], dpi, points))


def character_errors(text: str, read: str) -> float:
    """Return the character error rate: edits per character, white space of any kind as one space."""
    wanted, found = " ".join(text.split()), " ".join(read.split())
    before = np.arange(len(found) + 1)
    letters = np.array([ord(letter) for letter in found], np.int64)
    for row, letter in enumerate(wanted, start=1):
        own = np.minimum(before[:-1] + (letters != ord(letter)), before[1:] + 1)
        now = np.concatenate([[row], own])
        # an insertion costs one for each step to the right
        steps = np.arange(len(now))
        before = np.minimum.accumulate(now - steps) + steps
    return float(before[-1]) / max(1, len(wanted))
