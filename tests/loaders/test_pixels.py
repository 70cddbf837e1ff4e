import errno
import io
import random
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms

from quarry.search.errors import FileMalformed, UnsupportedType
from quarry.search.formats import pixels
from quarry.search.types import THUMBNAIL, Picture, Preprocessing

SQUARE = Preprocessing(64, 64, "squash")
SIZES = [(64, 64), (65, 64), (640, 427), (427, 641), (333, 500), (1, 1), (3, 2), (50, 50), (63, 200), (999, 77)]


def noise(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture of large soft shapes, so that scaling it has something to keep."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 5, len(Image.new(mode, (1, 1)).getbands())), np.uint8)
    return Image.fromarray(small.squeeze(), mode).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str, **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream


def read(stream: io.BytesIO, preprocessing: Preprocessing = SQUARE) -> Picture:
    with pixels.opened(stream) as image:
        return pixels.picture(image, preprocessing)


def decoded(stream: io.BytesIO) -> np.ndarray:
    with pixels.opened(stream) as image:
        return np.asarray(pixels.decode(image)).astype(int)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(64, 64), (48, 80), (81, 37)])
@pytest.mark.parametrize("resize", ["squash", "shortest", "longest"])
def test_fitting_is_open_clips_own_bit_by_bit(resize: str, size: tuple[int, int], interpolation: str) -> None:
    from open_clip.transform import image_transform

    width, height = size
    theirs = image_transform(
        (height, width),
        is_train=False,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        resize_mode=resize,
        interpolation=interpolation,
        fill_color=114,
    )
    ours = Preprocessing(width, height, resize, interpolation, fill=114)  # type: ignore[arg-type]
    chosen = random.Random(0)
    for image_size in SIZES + [(chosen.randint(20, 700), chosen.randint(50, 700)) for _ in range(40)]:
        image = noise(*image_size)
        expected = (theirs(image) * 255).round().numpy().astype(np.uint8).transpose(1, 2, 0)
        found = pixels.fit(image, ours)
        assert found.shape == (height, width, 3) and found.dtype == np.uint8
        assert np.array_equal(found, expected), image_size


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (20_000, 30)])
def test_of_a_strip_the_middle_is_fitted(size: tuple[int, int]) -> None:
    image = noise(*size)
    image.paste((255, 0, 0), (size[0] * 2 // 5, size[1] * 2 // 5, max(1, size[0] * 3 // 5), max(1, size[1] * 3 // 5)))
    found = pixels.fit(image, Preprocessing(64, 64, "shortest"))
    assert found.shape == (64, 64, 3) and tuple(found[32, 32]) == (255, 0, 0)
    for resize in ("squash", "longest"):
        assert pixels.fit(image, Preprocessing(64, 64, resize)).shape == (64, 64, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("resize", ["squash", "shortest", "longest"])
def test_a_jpeg_shrunk_while_it_is_decoded_is_the_same_picture(resize: str) -> None:
    for size in ((2000, 1500), (1501, 2003), (5000, 700)):
        stream = encoded(noise(*size), "JPEG", quality=95)
        with Image.open(stream) as whole:
            expected = pixels.fit(whole.convert("RGB"), Preprocessing(64, 64, resize))  # type: ignore[arg-type]
        found = read(stream, Preprocessing(64, 64, resize))  # type: ignore[arg-type]
        assert (found.width, found.height) == size
        assert np.abs(found.pixels.astype(int) - expected).mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_turns_the_picture_and_its_size(format: str, orientation: int) -> None:
    size = (1600, 1200) if format == "JPEG" else (160, 120)
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1] // 2))  # top left, unless EXIF says otherwise
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read(encoded(image, format, exif=exif))
    assert (found.width, found.height) == (size if orientation < 5 else size[::-1])
    corners = found.pixels[8, 8], found.pixels[8, -8], found.pixels[-8, -8], found.pixels[-8, 8]
    red = [corner[0] > 200 > 60 > corner[2] for corner in corners]
    assert red.index(True) == {1: 0, 2: 1, 3: 2, 4: 3, 5: 0, 6: 1, 7: 2, 8: 3}[orientation] and red.count(True) == 1


def test_cmyk_becomes_rgb() -> None:
    colours = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    colours.paste((255, 0, 255, 0), (20, 0, 40, 40))
    for stream in (encoded(colours, "JPEG", quality=95), encoded(colours, "TIFF")):
        found = decoded(stream)
        assert np.abs(found[20, 5] - (255, 0, 0)).max() < 12 and np.abs(found[20, 35] - (0, 255, 0)).max() < 12


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_white(format: str) -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((200, 0, 0, 128), (0, 0, 10, 20))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    found = decoded(encoded(image, format, **options))
    assert tuple(found[5, 15]) == (255, 255, 255)
    assert np.abs(found[5, 5] - (227, 127, 127)).max() <= 1


@pytest.mark.parametrize(
    ("mode", "colour", "options"),
    [
        ("LA", (0, 0), {}),
        ("L", 7, {"transparency": 7}),
        ("RGB", (1, 2, 3), {"transparency": (1, 2, 3)}),
        ("P", 0, {"transparency": 0}),
        ("P", 0, {"transparency": b"\0\xff"}),
        ("1", 0, {"transparency": 0}),
    ],
)
def test_transparency_without_an_alpha_channel_is_white(mode: str, colour: object, options: dict[str, object]) -> None:
    image = Image.new(mode, (4, 4), colour)  # type: ignore[arg-type]
    assert (decoded(encoded(image, "PNG", **options)) == 255).all()


def test_a_palette_and_a_bitmap_keep_their_colours() -> None:
    image = noise(30, 30).quantize(16)
    expected = np.asarray(image.convert("RGB"))
    for format in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(decoded(encoded(image, format)), expected)
    assert (decoded(encoded(Image.new("1", (3, 3), 1), "PNG")) == 255).all()


@pytest.mark.fault("23")
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_keep_their_mean(format: str) -> None:
    values = np.linspace(0, 65_535, 100 * 100).reshape(100, 100)
    found = decoded(encoded(Image.fromarray(values.astype(np.uint16)), format))
    assert np.abs(found.mean() - 127.5) < 0.5
    assert np.abs(found[:, :, 0] - values / 257).max() <= 1 and (found[:, :, 0] == found[:, :, 2]).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 32_768, 65_535]], np.int32), (0, 128, 255)),
        (np.array([[0, 128, 255]], np.int32), (0, 128, 255)),
        (np.array([[-1_000, 0, 1_000]], np.int32), (0, 128, 255)),
        (np.array([[0, 0.5, 1]], np.float32), (0, 128, 255)),
        (np.array([[0, 128, 255]], np.float32), (0, 128, 255)),
        (np.array([[1e-3, np.nan, 300]], np.float32), (0, 0, 1)),
        (np.array([[-7, -7, -7]], np.int32), (0, 0, 0)),
        (np.array([[-1e38, 0, 1e38]], np.float32), (0, 128, 255)),
    ],
)
def test_32_bits_and_fractions_are_scaled_by_what_they_hold(values: np.ndarray, expected: tuple[int, ...]) -> None:
    found = decoded(encoded(Image.fromarray(values), "TIFF"))[0, :, 0]
    assert np.abs(found - expected).max() <= 1, found


def test_a_thumbnail_is_small_plain_and_in_srgb() -> None:
    stream = encoded(noise(1000, 500), "JPEG", comment=b"a secret", icc_profile=exchanged())
    found = read(stream)
    thumbnail = Image.open(io.BytesIO(found.thumbnail))
    assert (thumbnail.format, thumbnail.mode, thumbnail.size) == ("JPEG", "RGB", (THUMBNAIL, THUMBNAIL // 2))
    assert b"secret" not in found.thumbnail and "icc_profile" not in thumbnail.info
    plain = np.asarray(Image.open(io.BytesIO(read(encoded(noise(1000, 500), "JPEG")).thumbnail))).astype(int)
    converted = np.asarray(thumbnail).astype(int)
    assert np.abs(converted[:, :, ::-1] - plain).mean() < 5 < np.abs(converted - plain).mean()
    assert Image.open(io.BytesIO(read(encoded(noise(30, 20), "PNG")).thumbnail)).size == (30, 20)


def test_a_thumbnail_of_a_profile_that_is_damaged_is_made_without_it() -> None:
    found = read(encoded(noise(100, 50), "JPEG", icc_profile=b"no profile"))
    assert Image.open(io.BytesIO(found.thumbnail)).size == (100, 50)


def exchanged() -> bytes:
    """A profile whose red is blue and whose blue is red, so that its use can be seen."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swaps = (b"rXYZ", b"none"), (b"bXYZ", b"rXYZ"), (b"none", b"bXYZ"), ("sRGB".encode("utf-16-be"), bytes(8))
    for old, new in swaps:
        profile = profile.replace(old, new)
    return profile


def test_too_many_pixels_are_refused_after_shrinking() -> None:
    huge = encoded(Image.new("L", (9_000, 6_000)), "JPEG")
    found = read(huge)
    assert (found.width, found.height) == (9_000, 6_000) and found.pixels.shape == (64, 64, 3)
    with pytest.raises(FileMalformed, match="54 megapixels when decoded, more than 40"):
        read(encoded(Image.new("1", (9_000, 6_000)), "PNG"))
    with pytest.raises(FileMalformed, match="70000 pixels long"):
        read(encoded(Image.new("1", (70_000, 1)), "PNG"))


@pytest.mark.fault("25")
def test_too_many_pixels_of_a_progressive_jpeg_are_refused_unshrunk() -> None:
    with pytest.raises(FileMalformed, match="80 megapixels, more than 64 of a progressive JPEG"):
        read(encoded(Image.new("L", (10_000, 8_000)), "JPEG", progressive=True))


def test_heic_without_what_reads_it_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(UnsupportedType, match="pip install pi-heif"):
        read(io.BytesIO(b"\0\0\0\x18ftypheic" + bytes(100)))
    assert (decoded(encoded(Image.new("RGB", (8, 8), "white"), "AVIF")) > 250).all()


def test_an_error_of_the_disk_is_not_the_pictures_fault() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 200:
                raise OSError(errno.EIO, "input/output error")
            return super().read(min(size or 0, 64))

    with pytest.raises(OSError, match="input/output"):
        read(Failing(encoded(noise(64, 64), "BMP").getvalue()))
