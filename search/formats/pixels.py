"""Pictures: from the bytes of a file to the pixels that an image model takes, and to a thumbnail, through Pillow.

What strangers made is decoded in the sandbox only (`indexer/loaders/sandbox/sandbox.py`), and by one thread at a time.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from PIL import (
    AvifImagePlugin,  # noqa: F401  # Pillow finds it by itself only beside forty others
    Image,
    ImageFile,
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from quarry.search.errors import FileMalformed, LoadError, UnsupportedType
from quarry.search.formats import colours, heif, png, rare, tiff, truncated
from quarry.search.types import LOOK, THUMBNAIL, Picture, Pixels, Preprocessing

MAX_PIXELS = 40_000_000  # that are decoded; of a JPEG this is after its scaling down
MAX_PROGRESSIVE = 64_000_000  # of a progressive JPEG before it: all of its coefficients are held at once
MAX_SIDE = 65_535  # pixels, as long as a JPEG may be; the tables of a resize grow with it
QUALITY = 80  # of a thumbnail, as JPEG counts it
_QUALITY_SMALLER = 70  # of one that is smaller still: many are shown at once
TYPES = {  # what Pillow calls a format -> its media type
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
_USUAL = [name for name in TYPES if name not in ("MPO", "HEIF")]  # the one is opened as JPEG, the other on demand
TYPES |= rare.TYPES

_SHARPNESS = 1.5  # a JPEG is scaled down to no less than this many times what is asked for
_LONG = 64  # times as long as wide: from there on only the middle is scaled
_ORIENTATION = 0x0112  # EXIF, TIFF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[Image.Image]:
    """Open a picture of one of `TYPES`, its first frame, and say of whatever fails within that the file is damaged.

    Raises:
        UnsupportedType: it is HEIC, and what reads that is not installed.
        FileMalformed: it is damaged, or no picture.
    """
    stream.seek(0)
    head = stream.read(12)
    formats = _USUAL + rare.known(head)
    stream.seek(0)
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis"):
        _register_heif()
        formats.append("HEIF")
    if head.startswith(png.SIGNATURE):
        stream = io.BytesIO(png.mended(stream.read()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metadata that can't be read, and of sizes that are looked at here
        try:
            with _image(stream, formats) as image:
                if image.format in rare.TYPES and image.width * image.height > rare.MAX_PIXELS:
                    raise FileMalformed(f"it has more than {rare.MAX_PIXELS // 1_000_000} megapixels; scale it down")
                yield image
        except (LoadError, MemoryError):
            raise
        except UnidentifiedImageError as error:
            raise FileMalformed("it is damaged, or no picture of a type that can be read") from error
        except Image.DecompressionBombError as error:
            raise FileMalformed(f"it has more than {MAX_PIXELS // 1_000_000} megapixels; scale it down") from error
        except Exception as error:  # Pillow tells of damage by every class of exception
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise FileMalformed(f"it is damaged, its picture can't be decoded ({error}); save it anew") from error


def _image(stream: IO[bytes], formats: list[str]) -> Image.Image:
    """Open with Pillow; decode a TIFF here that Pillow can't read, or not rightly."""
    limit = Image.MAX_IMAGE_PIXELS
    if "HEIF" in formats:
        Image.MAX_IMAGE_PIXELS = heif.MAX_PIXELS
    try:
        image: Image.Image = Image.open(stream, formats=formats)
        if not tiff.is_misread(image):
            return image
    except UnidentifiedImageError:
        stream.seek(0)
        if not stream.read(4).startswith((b"II", b"MM")):
            raise
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    stream.seek(0)
    if (read := tiff.read(stream.read(), MAX_PIXELS)) is None:
        raise UnidentifiedImageError("no kind of TIFF that can be read")
    return read


def picture(image: Image.Image, preprocessing: Preprocessing, *, thumbnails: bool = True) -> Picture:
    """Decode an opened picture into what is kept of it.

    Raises:
        FileMalformed: it has too many pixels; and, from `opened`, it is damaged.
    """
    width, height = image.size
    shrink(image, preprocessing)
    upright = decode(image, preprocessing)
    if _orientation(image) >= 5:
        width, height = height, width
    # Not by boxes: at three reduced points to a point of the look, which of them one takes in would be chance.
    look = upright.resize((LOOK, LOOK), Image.Resampling.BILINEAR, reducing_gap=3.0).tobytes()
    return Picture(fit(upright, preprocessing), width, height, _thumbnail(upright) if thumbnails else b"", look)


def shrink(image: Image.Image, preprocessing: Preprocessing) -> None:
    """Have a JPEG decoded at a half, a quarter or an eighth of its size, where that is enough for model and thumbnail.

    A larger one than may be decoded is shrunk further.

    Raises:
        FileMalformed: it is progressive and has too many pixels.
    """
    if image.format not in ("JPEG", "MPO"):
        return
    width, height = image.size
    if image.info.get("progressive") and width * height > MAX_PROGRESSIVE:
        raise FileMalformed(
            f"it has {width * height / 1e6:.0f} megapixels, more than {MAX_PROGRESSIVE // 1_000_000} of a progressive "
            "JPEG can be read; scale it down or save it as an ordinary one"
        )
    scale = _scale(image.size, preprocessing)
    while width * height > MAX_PIXELS * scale**2 and scale < 8:
        scale *= 2
    image.draft(None, (max(1, width // scale), max(1, height // scale)))


def _scale(size: tuple[int, int], preprocessing: Preprocessing) -> int:
    """Return 1, 2, 4 or 8: how many times smaller a picture may be made without a loss to model and thumbnail."""
    side = int(_SHARPNESS * max(preprocessing.width, preprocessing.height))
    seen = max(size) if preprocessing.resize in ("longest", "within") else min(size)
    fitting = (scale for scale in (1, 2, 4, 8) if seen >= scale * side and max(size) >= scale * THUMBNAIL)
    return max(fitting, default=1)


def decode(image: Image.Image, preprocessing: Preprocessing | None = None) -> Image.Image:
    """Decode an opened picture: upright, in sRGB, what is transparent on white, what has more than 8 bits scaled.

    Args:
        preprocessing: what it is for, where it may be made smaller on the way.

    Raises:
        FileMalformed: it has too many pixels; and, from `opened`, it is damaged.
    """
    scale = _scale(image.size, preprocessing) if preprocessing is not None else 1
    _check_size(image)
    loaded = image
    if isinstance(image, ImageFile.ImageFile):
        stream = image.fp
        if image.format == "HEIF" and scale > 1 and stream is not None:
            stream.seek(0)
            loaded = heif.decode(stream.read(), scale)
        else:
            loaded = truncated.load(image)
    plain = colours.opaque(loaded, image.format)
    profile = image.info.get("icc_profile")
    if loaded is image and scale > 1 and colours.needs_conversion(profile, plain.mode):
        plain = plain.reduce(scale)  # a profile takes its time
    upright = colours.in_srgb(plain, profile)
    turn = _TURNS.get(_orientation(image))
    return upright if turn is None else upright.transpose(turn)


def fit(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """Scale and cut an upright RGB picture as open_clip's `image_transform` does, (height, width, 3) uint8.

    What is more than 64 times as long as wide is cut before it is scaled, so that a strip needs little memory.
    """
    size = preprocessing.width, preprocessing.height
    resampling = _RESAMPLING[preprocessing.interpolation]
    match preprocessing.resize:
        case "squash":
            return np.asarray(image.resize(size, resampling))
        case "within":
            ratio = max(1.0, image.width / size[0], image.height / size[1])
            own = max(1, round(image.width / ratio)), max(1, round(image.height / ratio))
            return np.asarray(image if own == image.size else image.resize(own, resampling))
        case "longest":
            ratio = max(image.width / size[0], image.height / size[1])
            scaled = max(1, round(image.width / ratio)), max(1, round(image.height / ratio))
        case "shortest":
            image = _middle(image, size)
            if size[0] == size[1]:
                short, long = min(image.size), int(size[0] * max(image.size) / min(image.size))
                scaled = (size[0], long) if image.width == short else (long, size[0])
            else:
                ratio = min(image.width / size[0], image.height / size[1])
                scaled = round(image.width / ratio), round(image.height / ratio)
                resampling = _RESAMPLING["bicubic"]  # open_clip passes no other on to a model that is not square
    canvas = Image.new("RGB", size, (preprocessing.fill,) * 3)
    canvas.paste(image.resize(scaled, resampling), (_offset(scaled[0], size[0]), _offset(scaled[1], size[1])))
    return np.asarray(canvas)


def _offset(scaled: int, side: int) -> int:
    """Where what was scaled begins on its canvas, with torchvision's rounding."""
    return (side - scaled) // 2 if side > scaled else -round((scaled - side) / 2)


def _middle(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    ratio = min(image.width / size[0], image.height / size[1])
    width, height = (min(image.size[axis], max(1, round(_LONG * size[axis] * ratio))) for axis in (0, 1))
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    limit = heif.MAX_PIXELS if image.format == "HEIF" else MAX_PIXELS
    if width * height > limit:
        raise FileMalformed(
            f"it would have {width * height / 1e6:.0f} megapixels when decoded, more than {limit // 1_000_000}; "
            "scale it down"
        )
    if max(width, height) > MAX_SIDE:
        raise FileMalformed(f"it is {max(width, height)} pixels long, more than {MAX_SIDE}; scale it down or cut it")


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # metadata that can't be read turns no picture
        return 1
    return found if isinstance(found, int) else 1


def smaller(thumbnail: bytes, side: int) -> bytes:
    """Return a thumbnail with its longer side at most `side` pixels; one that is none of ours stays as it is."""
    try:
        with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
            return _thumbnail(image, side, _QUALITY_SMALLER) if side < max(image.size) <= THUMBNAIL else thumbnail
    except OSError:
        return thumbnail


def enlarged(thumbnail: bytes, preprocessing: Preprocessing) -> Pixels:
    """Return the pixels of a thumbnail as a model takes them; raise OSError where it is none of ours."""
    with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
        if max(image.size) > THUMBNAIL:
            raise OSError(f"a thumbnail of {image.width} x {image.height} pixels is none of ours")
        return fit(image.convert("RGB"), preprocessing)


def _thumbnail(upright: Image.Image, side: int = THUMBNAIL, quality: int = QUALITY) -> bytes:
    scale = min(1.0, side / max(upright.size))
    size = max(1, round(upright.width * scale)), max(1, round(upright.height * scale))
    small = upright.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    small.info.clear()  # comments and the like stay with the original
    data = io.BytesIO()
    small.save(data, "JPEG", quality=quality, optimize=quality < QUALITY)
    return data.getvalue()


def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise UnsupportedType("HEIC pictures need another package: pip install pi-heif") from error
    pi_heif.register_heif_opener(thumbnails=False)
