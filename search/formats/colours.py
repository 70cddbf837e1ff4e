"""From a picture's numbers to RGB of 8 bits, as a screen shows it: depth, transparency, colour profiles."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF
_SRGB = (b"sRGB IEC", "sRGB".encode("utf-16-be"))  # how profiles describe themselves that need no conversion
_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}  # of profiles -> Pillow's modes
_WHITES = {  # that numbers of a mode may go up to
    "F": (1.0, 255.0, 65_535.0),
    "I": (255.0, 1_023.0, 4_095.0, 32_767.0, 65_535.0, 4_294_967_296.0),
    "I;16": (255.0, 1_023.0, 4_095.0, 65_535.0),
}


def opaque(image: Image.Image, format: str | None = None) -> Image.Image:
    """Return a decoded picture in one of the modes L, RGB, CMYK and LAB, what is transparent on white.

    Args:
        format: what Pillow calls the file's; a BMP may have a channel for transparency that nobody filled.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = eight_bits(image)
    if format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB")
    if image.mode == "LA":
        white, clear = Image.new("L", image.size, 255), image
    else:
        white, clear = Image.new("RGB", image.size, "white"), image.convert("RGBA")
    white.paste(clear.convert(white.mode), mask=clear.getchannel("A"))
    return white


def in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Return an opaque picture in RGB, its colours as its ICC profile means them; without one, as Pillow does.

    Args:
        profile: bytes, or whatever else stands in their place.
    """
    if image.mode == "LAB":
        return _converted(image, None) or image.getchannel("L").convert("RGB")
    if isinstance(profile, bytes) and needs_conversion(profile, image.mode):
        source = image.convert("RGB") if _SPACES[profile[16:20]] == "RGB" else image
        if (converted := _converted(source, profile)) is not None:
            return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def needs_conversion(profile: object, mode: str) -> bool:
    """Whether a picture of this mode with this profile looks different from one without."""
    if not isinstance(profile, bytes) or (space := _SPACES.get(profile[16:20])) is None:
        return False
    if space == "RGB" and any(name in profile for name in _SRGB):
        return False
    return space == mode or (space == "RGB" and mode == "L")


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    from PIL import ImageCms

    try:
        source = ImageCms.createProfile("LAB") if profile is None else ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey values of more than 8 bits to 0..255: Pillow's own conversion clips them.

    White is what the values leave room for: 12 bits of a scanner or a microscope in 16 are 12 bits.
    """
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint16)
        white = 4095.0 if tags.get(_BITS) == (12,) else _white(float(deep.max(initial=0)), "I;16")
        if white == 65_535:
            deep -= deep >> 8  # 65535 -> 255, rounded, without a wider type
            deep += 128
            small = (deep >> 8).astype(np.uint8)
        else:
            small = np.rint(deep * np.float32(255 / white)).astype(np.uint8)
    else:
        small = scaled(np.array(image, np.float32), image.mode)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        small = 255 - small
    return Image.fromarray(small)


def scaled(values: NDArray[np.float32], mode: str = "F") -> NDArray[np.uint8]:
    """Scale numbers, in place, by what they hold: 0..1, 0..255 and so on as such, others from darkest to brightest."""
    np.nan_to_num(values, copy=False, posinf=0, neginf=0)
    np.clip(values, -1e30, 1e30, out=values)
    low, high = float(values.min()), float(values.max())
    white = _white(high, mode) if low >= 0 else 0.0
    if not white:
        values -= low
        white = (high - low) or 1.0
    values *= 255 / white
    return np.rint(values, out=values).astype(np.uint8)


def _white(high: float, mode: str) -> float:
    return next((white for white in _WHITES[mode] if high <= white), 0.0)
