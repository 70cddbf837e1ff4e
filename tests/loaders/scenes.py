"""A picture whose corners can be told apart, in any format that Pillow writes."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw


def scene(width: int = 320, height: int = 240) -> Image.Image:
    """A house on a meadow under the sun: no two of its corners are alike."""
    image = Image.new("RGB", (width, height), (120, 180, 240))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 2 // 3, width, height), fill=(60, 150, 50))
    draw.rectangle((width // 8, height // 3, width // 2, height * 3 // 4), fill=(200, 40, 30))
    draw.ellipse((width * 3 // 4, height // 10, width * 7 // 8, height // 4), fill=(255, 240, 100))
    return image


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()
