"""What picture formats hold that Pillow alone does not read: each is decoded as it was before it was written so."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from quarry.indexer.loaders.base import MEBIBYTE
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import FileMalformed
from quarry.search.formats import heif, pixels
from quarry.search.types import Preprocessing
from tests.loaders.child_memory import peak_of_child
from tests.loaders.scenes import encoded, scene
from tests.measuring_data import FILES, needs_data


def decoded(data: bytes, preprocessing: Preprocessing | None = None) -> np.ndarray:
    with pixels.opened(io.BytesIO(data)) as image:
        return np.asarray(pixels.decode(image, preprocessing)).astype(int)


def distance(found: np.ndarray, image: Image.Image) -> float:
    """The mean difference of each value, 0..255; of what is cut off at the bottom only what there is."""
    expected = np.asarray(image.convert("RGB")).astype(int)
    return float(np.abs(found - expected[: len(found)]).mean())


# PNG


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LONG = zlib.compress(bytes(3 << 20))


@pytest.mark.parametrize(
    "odd",
    [
        chunk(b"tEXt", b"Title\0the barn", 12345),
        chunk(b"tIME", b"\x07\xe8\x05\x1f\x0a\0\0", 1),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(PROFILE), 7),
        chunk(b"eXIf", b"MM\0*", 7),
        chunk(b"tRNS", b"\0", 7),
        chunk(b"zTXt", b"Title\0\0" + LONG),
        chunk(b"iTXt", b"Title\0\1\0\0\0" + LONG),
        chunk(b"tEXt", b"Title\0" + b"a" * (70 << 20)),
        chunk(b"iCCP", b"x\0\0" + LONG),
        chunk(b"iCCP", b"x\0\5none"),
        chunk(b"cHRM", b"ab"),
        chunk(b"gAMA", b""),
        chunk(b"pHYs", b"ab"),
        chunk(b"acTL", b"ab"),
    ],
    ids=lambda chunk: chunk[4:8].decode(),
)
@pytest.mark.parametrize("place", [b"IDAT", b"IEND"])
def test_a_chunk_that_is_damaged_or_too_long_costs_itself(odd: bytes, place: bytes) -> None:
    data = encoded(scene(), "PNG")
    at = data.rindex(place) - 4
    assert distance(decoded(data[:at] + odd + data[at:]), scene()) == 0


def test_what_is_sound_beside_it_is_read() -> None:
    data = encoded(scene(), "PNG")
    at = data.index(b"IDAT") - 4
    data = data[:at] + chunk(b"tEXt", b"Title\0lost", 1) + chunk(b"tEXt", b"Description\0kept") + data[at:]
    with pixels.opened(io.BytesIO(data)) as image:
        assert image.info == {"Description": "kept"}


def test_where_the_picture_itself_is_damaged_it_is_refused() -> None:
    data = bytearray(encoded(scene(), "PNG"))
    data[20] ^= 1  # its width
    with pytest.raises(FileMalformed, match="damaged"):
        decoded(bytes(data))


# Files that end too early


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)).resize((640, 480), 3)


@pytest.mark.parametrize(
    ("format", "options", "near"),
    [
        ("JPEG", {"quality": 95}, 4),
        ("JPEG", {"quality": 95, "progressive": True}, 4),
        ("PNG", {}, 0),
        ("GIF", {}, 12),
        ("TIFF", {}, 0),
    ],
    ids=["JPEG", "progressive JPEG", "PNG", "GIF", "TIFF"],
)
@pytest.mark.parametrize("image", [scene(), scene(640, 480), NOISE], ids=["small", "large", "noise"])
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_picture_without_its_end_is_read(
    format: str, options: dict[str, Any], near: float, image: Image.Image, lost: int
) -> None:
    data = encoded(image, format, **options)[:-lost]
    if format == "GIF" and image is not NOISE and lost == 3:
        return  # of so simple a picture this is a tenth of the rows
    found = decoded(data)
    assert len(found) >= image.height - 1
    assert distance(found, image) <= near


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "BMP"])
def test_a_picture_that_lacks_a_part_is_refused(format: str) -> None:
    data = encoded(NOISE, format)
    assert len(decoded(data[: int(len(data) * 0.97)])) >= 456
    for part in (0.9, 0.5):
        with pytest.raises(FileMalformed, match="damaged"):
            decoded(data[: int(len(data) * part)])


def test_a_large_photo_without_its_end_is_scaled_down_while_it_is_decoded() -> None:
    data = encoded(scene(3200, 2400), "JPEG", quality=90)[:-2]
    with pixels.opened(io.BytesIO(data)) as image:
        found = pixels.picture(image, Preprocessing(224, 224, "squash"))
        assert image.size == (800, 600) and (found.width, found.height) == (3200, 2400)
    assert np.abs(found.pixels - np.asarray(scene(800, 600).resize((224, 224))).astype(int)).mean() < 3


# Colours


def test_transparency_that_nobody_filled_in_is_none() -> None:
    values = np.asarray(scene())
    height, width = values.shape[:2]
    rows = np.dstack([values[:, :, ::-1], np.zeros((height, width), np.uint8)])[::-1].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    head = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(rows), 2835, 2835, 0, 0) + masks
    data = b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head
    assert distance(decoded(data + rows), scene()) == 0
    filled = bytearray(rows)
    filled[3] = 255  # one pixel is opaque: the others are meant to be clear
    assert (decoded(data + bytes(filled))[:-1] == 255).all()


def exchanged() -> bytes:
    """A profile whose red is blue and whose blue is red."""
    profile = PROFILE
    swaps = (b"rXYZ", b"none"), (b"bXYZ", b"rXYZ"), (b"none", b"bXYZ"), ("sRGB".encode("utf-16-be"), bytes(8))
    for old, new in swaps:
        profile = profile.replace(old, new)
    return profile


def press() -> bytes:
    """A profile for CMYK whose corners are dark and dull, other than Pillow's idea of them."""
    grid = bytes(value for ink in range(16) for value in (240 - 14 * ink, 128, 128))  # grey, whatever the ink
    ramp = bytes(range(256))
    table = (
        b"mft1\0\0\0\0\4\3\2\0" + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536) + ramp * 4 + grid + ramp * 3
    )
    table += bytes(-len(table) % 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"wtpt", white), (b"A2B0", table), (b"cprt", b"text\0\0\0\0none\0\0\0\0")]
    tags.append((b"desc", b"desc\0\0\0\0\0\0\0\6Press\0" + bytes(78)))
    start = 132 + 12 * len(tags)
    listing, body = b"", b""
    for name, content in tags:
        listing += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s12x4s", start + len(body), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    head += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + listing + body


@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("size", [(320, 240), (1600, 1200)])
def test_a_profile_counts_for_the_model_and_the_thumbnail(format: str, size: tuple[int, int]) -> None:
    options = {"quality": 95} if format in ("JPEG", "WEBP", "AVIF") else {}
    swapped = Image.merge("RGB", scene(*size).split()[::-1])
    with pixels.opened(io.BytesIO(encoded(swapped, format, icc_profile=exchanged(), **options))) as image:
        found = pixels.picture(image, Preprocessing(224, 224, "squash"))
    assert np.abs(found.pixels - np.asarray(scene(*size).resize((224, 224))).astype(int)).mean() < 4
    thumbnail = np.asarray(Image.open(io.BytesIO(found.thumbnail))).astype(int)
    assert np.abs(thumbnail - np.asarray(scene(*size).resize((320, 240))).astype(int)).mean() < 4


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_a_profile_of_a_press_is_applied(format: str) -> None:
    image = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    (red, green, blue) = decoded(encoded(image, format, icc_profile=press()))[30, 30]
    assert abs(red - green) < 12 and abs(green - blue) < 12  # its grey, and no cyan
    assert decoded(encoded(image, format))[30, 30].tolist() == pytest.approx([0, 255, 255], abs=12)


def test_lab_and_grey_profiles_and_profiles_of_something_else() -> None:
    lab = ImageCms.profileToProfile(
        scene(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None and distance(decoded(encoded(lab, "TIFF")), scene()) < 2
    assert distance(decoded(encoded(scene(), "PNG", icc_profile=press())), scene()) == 0
    grey = scene().convert("L")
    assert distance(decoded(encoded(grey, "PNG", icc_profile=PROFILE)), grey) == 0


# TIFF


def tiff(values: np.ndarray, **options: Any) -> bytes:
    tifffile = pytest.importorskip("tifffile")
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


DEPTHS = {
    "uint16": lambda values: values.astype(np.uint16) * 257,
    "uint32": lambda values: values.astype(np.uint32) * 16_843_009,
    "float16": lambda values: (values / 255).astype(np.float16),
    "float32": lambda values: (values / 255).astype(np.float32),
    "float64": lambda values: values / 255,
}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("order", "<>")
def test_deep_colours_in_every_layout(depth: str, planes: str, order: str) -> None:
    values = DEPTHS[depth](np.asarray(scene()))
    laid = np.moveaxis(values, 2, 0) if planes == "separate" else values
    for tile in ({}, {"tile": (64, 48)}):
        for packing in ({}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}):
            if packing.get("predictor") and "float" in depth:
                continue  # which it can't write without another package
            data = tiff(laid, photometric="rgb", planarconfig=planes, byteorder=order, **packing, **tile)
            assert distance(decoded(data), scene()) <= 1


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_fractions_as_libtiff_predicts_them(compression: str) -> None:
    grey = scene().convert("L")
    image = Image.fromarray((np.asarray(grey) / 255).astype(np.float32))
    tags = {} if compression == "packbits" else {"tiffinfo": {317: 3}}
    data = encoded(image, "TIFF", compression=compression, **tags)
    assert distance(decoded(data), grey) <= 1


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_grey_in_which_zero_is_white(depth: str, order: str, compression: str | None) -> None:
    grey = scene().convert("L")
    for photometric, values in (("minisblack", np.asarray(grey)), ("miniswhite", 255 - np.asarray(grey))):
        data = tiff(DEPTHS[depth](values), photometric=photometric, byteorder=order, compression=compression)
        assert distance(decoded(data), grey) <= 1


def test_deep_values_by_what_they_hold() -> None:
    grey = scene().convert("L")
    values = np.asarray(grey)
    for less in (values.astype(np.uint16) * 16, values.astype(np.int16) * 128, values.astype(np.uint16)):
        assert distance(decoded(tiff(less, photometric="minisblack")), grey) <= 1
    assert distance(decoded(encoded(Image.fromarray(values.astype(np.uint16) * 16), "PNG")), grey) <= 1
    both = np.dstack([np.asarray(scene()), np.full(values.shape, 255)]) / 255
    data = tiff(both.astype(np.float32), photometric="rgb", extrasamples=["unassalpha"])
    assert distance(decoded(data), scene()) <= 1
    unused = np.dstack([np.asarray(scene()).astype(np.uint16) * 257, np.zeros(values.shape, np.uint16)])
    data = tiff(np.moveaxis(unused, 2, 0), photometric="rgb", planarconfig="separate", extrasamples=["unspecified"])
    assert distance(decoded(data), scene()) <= 1


# HEIC


HEIC = FILES / "images_exif" / "heic__samplefilehub.heif"


def grid(data: bytes, columns: int, rows: int, turned: int = 0) -> bytes:
    """A picture in tiles, each of them the picture of a file in one piece."""
    parts = dict(heif._boxes(next(body for kind, body in heif._boxes(data) if kind == b"meta")[4:]))
    main = int.from_bytes(parts[b"pitm"][4:6], "big")
    content = heif._Contents(data, parts[b"iloc"], b"").of(main)
    own = [box for box in heif._properties(parts[b"iprp"])[main] if box[0] not in (b"irot", b"imir", b"clap")]
    width, height = struct.unpack(">II", next(body for kind, body in own if kind == b"ispe")[4:12])
    count, last = columns * rows, len(own)
    size = struct.pack(">II", width * columns, height * rows)
    whole = [(b"ispe", bytes(4) + size), (b"irot", bytes([turned]))]
    tiles = range(2, 2 + count)
    linked = [struct.pack(">HBBB", 1, 2, last + 1, last + 2)]
    linked += [struct.pack(">HB", tile, last) + bytes(range(1, last + 1)) for tile in tiles]
    infos = [(1, 0, b"grid"), *((tile, 1, b"hvc1") for tile in tiles)]
    described = bytes([0, 1, rows - 1, columns - 1]) + size
    box = heif._box

    def meta(at: int) -> bytes:
        places = [(1, 1, 0, len(described)), *((tile, 0, at, len(content)) for tile in tiles)]
        return box(
            b"meta",
            bytes(4)
            + box(b"hdlr", bytes(8) + b"pict" + bytes(13))
            + box(b"pitm", bytes(4) + b"\0\1")
            + box(
                b"iloc",
                struct.pack(">IBBH", 1 << 24, 0x44, 0, len(places))
                + b"".join(struct.pack(">HHHHII", item, how, 0, 1, start, size) for item, how, start, size in places),
            )
            + box(
                b"iinf",
                struct.pack(">IH", 0, len(infos))
                + b"".join(
                    box(b"infe", struct.pack(">IHH4sB", 2 << 24 | hidden, item, 0, kind, 0))
                    for item, hidden, kind in infos
                ),
            )
            + box(b"iref", bytes(4) + box(b"dimg", struct.pack(f">HH{count}H", 1, count, *tiles)))
            + box(
                b"iprp",
                box(b"ipco", b"".join(box(*one) for one in [*own, *whole]))
                + box(b"ipma", struct.pack(">II", 0, len(linked)) + b"".join(linked)),
            )
            + box(b"idat", described),
        )

    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", content)


@needs_data
@pytest.mark.parametrize("turned", [0, 1, 2, 3])
@pytest.mark.parametrize("scale", [1, 2])
def test_tiles_make_up_the_picture(turned: int, scale: int) -> None:
    import pi_heif

    data = grid(HEIC.read_bytes(), 3, 2, turned)
    theirs = pi_heif.open_heif(io.BytesIO(data)).to_pillow()
    ours = heif.decode(data, scale)
    assert ours.size == (-(-theirs.width // scale), -(-theirs.height // scale))
    # Where a tile's sides are no multiple of the scale, its seams are less than a pixel off.
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(theirs.reduce(scale))).mean() < (
        1.5 if scale == 4 else 0.01
    )


@needs_data
def test_a_photo_in_tiles_needs_little_memory(tmp_path: Path) -> None:
    (tmp_path / "small.heic").write_bytes(HEIC.read_bytes())
    (tmp_path / "large.heic").write_bytes(grid(HEIC.read_bytes(), 14, 14))
    (tmp_path / "larger.heic").write_bytes(grid(HEIC.read_bytes(), 30, 30))
    with Sandbox(timeout=120) as sandbox:
        assert len(list(sandbox.load(tmp_path / "small.heic"))) == 1
        before = peak_of_child()
        (parsed,) = sandbox.load(tmp_path / "large.heic")
        assert (parsed.metadata["width"], parsed.metadata["height"]) == (640 * 14, 426 * 14)
        assert parsed.picture is not None and parsed.picture.pixels.std() > 10
        assert peak_of_child() - before < 64 * MEBIBYTE
        with pytest.raises(FileMalformed, match="245 megapixels when decoded, more than 210"):
            list(sandbox.load(tmp_path / "larger.heic"))


@needs_data
def test_tiles_that_are_damaged_or_do_not_fit_are_refused() -> None:
    data = grid(HEIC.read_bytes(), 3, 2)
    small = Preprocessing(64, 64, "squash")
    assert decoded(data, small).std() > 10
    size = struct.pack(">II", 640 * 3, 426 * 2)
    for broken in (data[:-2000], data.replace(size, struct.pack(">II", 640 * 9, 426 * 2))):
        with pytest.raises(FileMalformed):
            decoded(broken, small)
