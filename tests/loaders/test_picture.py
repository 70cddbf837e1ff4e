import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin, TiffImagePlugin

from quarry.indexer.formats import supported
from quarry.indexer.loaders.base import MEBIBYTE, LoadOptions
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.pictures.sidecars import MAX_SIDECAR, sidecar_of, sidecars
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.types import Parsed, Preprocessing
from tests.loaders.child_memory import peak_of_child
from tests.loaders.scenes import encoded
from tests.measuring_data import FILES, needs_data


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(timeout=10) as each:
        yield each


def scene(mode: str = "RGB", size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Something with colours, edges and an upper left corner."""
    image = Image.new("RGB", size, (40, 90, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size[1] * 2 // 3, *size), fill=(60, 160, 50))
    draw.ellipse((size[0] // 8, size[1] // 8, size[0] // 3, size[1] // 2), fill=(250, 220, 40))
    return image.convert(mode)


def read(folder: Path, data: bytes, name: str = "photo.jpg", options: LoadOptions | None = None) -> Parsed:
    path = folder / name
    path.write_bytes(data)
    (parsed,) = load(path, options)
    return parsed


def cosine(left: Parsed, right: Parsed) -> float:
    assert left.picture is not None and right.picture is not None
    a, b = (picture.pixels.astype(float).ravel() - 128 for picture in (left.picture, right.picture))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize(
    ("name", "format", "type"),
    [
        ("a.jpg", "JPEG", "image/jpeg"),
        ("a.JPEG", "JPEG", "image/jpeg"),
        ("a.jfif", "JPEG", "image/jpeg"),
        ("a.png", "PNG", "image/png"),
        ("a.webp", "WEBP", "image/webp"),
        ("a.gif", "GIF", "image/gif"),
        ("a.bmp", "BMP", "image/bmp"),
        ("a.tif", "TIFF", "image/tiff"),
        ("a.tiff", "TIFF", "image/tiff"),
        ("a.avif", "AVIF", "image/avif"),
        ("png.jpg", "PNG", "image/png"),
        ("webp.png", "WEBP", "image/webp"),
        ("jpeg.heic", "JPEG", "image/jpeg"),
    ],
)
def test_each_format_is_told_by_its_content(tmp_path: Path, name: str, format: str, type: str) -> None:
    assert supported(Path(name))
    parsed = read(tmp_path, encoded(scene(), format), name)
    assert (parsed.type, parsed.text, parsed.title, parsed.key) == (type, "", "", "")
    assert parsed.metadata == {"width": 400, "height": 300}
    assert parsed.picture is not None and parsed.picture.pixels.shape == (224, 224, 3)
    assert cosine(parsed, read(tmp_path, encoded(scene(), "PNG"), "plain.png")) > 0.99


def test_options_decide_size_and_thumbnail_in_the_sandbox_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(scene(), "PNG"))
    (tmp_path / "a.txt").write_text("between pictures")
    (tmp_path / "b.txt").write_text("text")
    options = LoadOptions(preprocessing=Preprocessing(32, 48, "longest", "bilinear", fill=7), thumbnails=False)
    with Sandbox(options) as small, Sandbox() as plain:
        (parsed,) = small.load(tmp_path / "a.png")
        assert parsed.picture is not None and parsed.picture.pixels.shape == (48, 32, 3)
        assert parsed.picture.thumbnail == b"" and tuple(parsed.picture.pixels[0, 0]) == (7, 7, 7)
        assert [each.picture for each in small.load(tmp_path / "b.txt")] == [None]
        (here,) = load(tmp_path / "a.png")
        (there,) = plain.load(tmp_path / "a.png")
        assert here.picture is not None and there.picture is not None
        assert np.array_equal(here.picture.pixels, there.picture.pixels)
        assert here.picture.thumbnail == there.picture.thumbnail != b""
        assert (there.picture.width, there.picture.height) == (400, 300)
        assert (here.text, here.type, here.metadata) == (there.text, there.type, there.metadata)
        assert here.text == "between pictures"


def test_a_picture_under_a_texts_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMalformed, match="JPEG picture, not what"):
        read(tmp_path, encoded(scene(), "JPEG"), "a.txt")
    with pytest.raises(FileMalformed, match="no picture, whatever"):
        read(tmp_path, b"<!DOCTYPE html><p>not found", "a.png")


def test_text_needs_no_pillow(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "a.json").write_text('{"text": "words"}')
    program = (
        "import sys; from pathlib import Path; from quarry.indexer.loaders.loading import load\n"
        f"for name in ('a.txt', 'a.json'): list(load(Path({str(tmp_path)!r}, name)))\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert not {"PIL", "pi_heif", "xml.parsers.expat"} & set(run.stdout.split())


# What is written about a picture

XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 photoshop:Headline="Low tide">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Fischer am Abend</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Two men mend a net &amp; talk.</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>harbour</rdf:li><rdf:li>grün</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp(tmp_path: Path, format: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP)
    options: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": info},
        "TIFF": {"tiffinfo": {700: XMP.encode()}},
    }
    parsed = read(tmp_path, encoded(scene(), format, **options.get(format, {"xmp": XMP.encode()})))
    assert parsed.title == "Fischer am Abend"
    assert parsed.text == "Fischer am Abend\n\nLow tide\n\nTwo men mend a net & talk.\n\nharbour, grün"
    assert parsed.metadata["keywords"] == ["harbour", "grün"]


def test_xmp_with_entities_or_broken_says_what_came_before(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + XMP.replace("harbour", "&b;")
    assert read(tmp_path, encoded(scene(), "JPEG", xmp=bomb.encode())).text == ""
    cut = XMP[: XMP.index("<dc:subject>")]
    assert read(tmp_path, encoded(scene(), "JPEG", xmp=cut.encode())).text.startswith("Fischer am Abend\n\nLow tide")


def test_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Größe des Turms".encode()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 40D"
    exif[0x9C9B] = "Turm".encode("utf-16-le") + b"\0\0"
    exif[0x9C9E] = "stone;Tower; tall".encode("utf-16-le") + b"\0\0"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x9011] = "2024:05:31 10:00:00", "+09:00"
    details[0x9286] = b"UNICODE\0" + "seen from the 북쪽".encode("utf-16-le")
    details[0xA434] = "EF50mm f/1.8"
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "S", (33.0, 51.0, 24.0), "E", (151.0, 12.0, 54.0)
    for format in ("JPEG", "PNG", "WEBP"):
        parsed = read(tmp_path, encoded(scene(), format, exif=exif))
        assert parsed.title == ""
        assert parsed.text == "Größe des Turms\n\nseen from the 북쪽\n\nstone, Tower, tall"  # which holds "Turm"
        assert parsed.metadata == {
            "width": 400,
            "height": 300,
            "taken": "2024-05-31T10:00:00+09:00",
            "date": "2024-05-31T10:00:00+09:00",
            "camera": "Canon EOS 40D",
            "lens": "EF50mm f/1.8",
            "latitude": -33.856667,
            "longitude": 151.215,
            "keywords": ["stone", "Tower", "tall"],
        }


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"ASCII\0\0\0a plain one\0\0", "a plain one"),
        (b"\0\0\0\0\0\0\0\0undefined", "undefined"),
        (b"UNICODE\0" + "großer Turm".encode("utf-16-be"), "großer Turm"),
        (b"UNICODE\0" + "\ufeff탑이 높다".encode("utf-16-le"), "탑이 높다"),
        (b"no prefix at all", "no prefix at all"),
        (b"ASCII\0\0\0SONY DSC", ""),
        (b"ASCII\0\0\0" + bytes(range(128, 256)) * 3 + bytes(40), None),
        (b"", ""),
    ],
)
def test_comments_in_each_encoding(tmp_path: Path, comment: bytes, text: str | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    found = read(tmp_path, encoded(scene(), "JPEG", exif=exif)).text
    assert text is None or found == text


@pytest.mark.parametrize(
    "said",
    ["OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "DCIM\\100", "DSC_0010.JPG", "photo.jpg", "Created with GIMP", " "],
)
def test_what_a_camera_says_of_itself_is_no_caption(tmp_path: Path, said: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = said
    assert read(tmp_path, encoded(scene(), "JPEG", exif=exif)).text == ""


@pytest.mark.parametrize(
    ("tag", "value"),
    [(0x9003, "0000:00:00 00:00:00"), (0x9003, "    :  :     :  :  "), (0x9003, "yesterday"), (0x9003, "")],
)
def test_a_date_that_is_none_is_left_out(tmp_path: Path, tag: int, value: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[tag] = value
    assert read(tmp_path, encoded(scene(), "JPEG", exif=exif)).metadata == {"width": 400, "height": 300}


@pytest.mark.parametrize(
    "latitude",
    [(91.0, 0.0, 0.0), (0.0, 0.0, 0.0), (TiffImagePlugin.IFDRational(1, 0), 0.0, 0.0), ()],
    ids=["91", "zero", "one by zero", "none"],
)
def test_a_place_that_is_none_is_left_out(tmp_path: Path, latitude: tuple[Any, ...]) -> None:
    exif = Image.Exif()
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", latitude, "E", (0.0, 0.0, 0.0)
    assert read(tmp_path, encoded(scene(), "JPEG", exif=exif)).metadata == {"width": 400, "height": 300}


def iptc(*fields: tuple[int, str], charset: str = "utf-8") -> bytes:
    """A Photoshop segment of JPEG with IPTC records."""
    records = b"\x1c\x01\x5a\x00\x03\x1b%G" if charset == "utf-8" else b""
    for dataset, value in fields:
        data = value.encode(charset)
        records += struct.pack("!BBBH", 0x1C, 2, dataset, len(data)) + data
    block = b"8BIM\x04\x04\x00\x00" + struct.pack("!I", len(records)) + records + b"\0" * (len(records) % 2)
    body = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack("!H", len(body) + 2) + body


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_iptc(tmp_path: Path, charset: str) -> None:
    fields = (5, "Café Müller"), (105, "Dance"), (120, "Pina Bausch on stage."), (25, "theatre"), (25, "Bühne")
    plain = encoded(scene(), "JPEG")
    parsed = read(tmp_path, plain[:2] + iptc(*fields, charset=charset) + plain[2:])
    assert parsed.title == "Café Müller"
    assert parsed.text == "Café Müller\n\nDance\n\nPina Bausch on stage.\n\ntheatre, Bühne"


def test_png_text_and_each_thing_once(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "A tower")
    info.add_itxt("Description", "a tower, of 돌")
    info.add_text("Software", "some program")
    (tmp_path / "photo.txt").write_text("A TOWER")
    assert read(tmp_path, encoded(scene(), "PNG", pnginfo=info)).text == "a tower, of 돌"


def test_files_beside_a_picture_say_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "photo.txt").write_bytes("Ein schöner Tag.\n".encode("latin-1"))
    (tmp_path / "photo.jpg.txt").write_text("At the lake.")
    (tmp_path / "photo.json").write_text(
        json.dumps({"captions": ["A boat.", "Water.", 3], "tags": "sea; sun", "id": 7})
    )
    (tmp_path / "photo.jpg.json").write_text('{"title": "photo.jpg", "Description": "From the album", "alt": null}')
    parsed = read(tmp_path, encoded(scene(), "JPEG"))
    assert parsed.text == "Ein schöner Tag.\n\nAt the lake.\n\nA boat.\n\nWater.\n\nFrom the album\n\nsea, sun"
    assert parsed.title == "" and parsed.metadata["keywords"] == ["sea", "sun"]
    assert [path.name for path in sidecars(tmp_path / "photo.jpg")] == [
        "photo.txt",
        "photo.jpg.txt",
        "photo.json",
        "photo.jpg.json",
    ]


def test_what_beside_a_picture_says_nothing_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "photo.txt").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "photo.json").write_text('{"caption": ')
    (tmp_path / "photo.jpg.json").write_text("[" * 30_000)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "photo.jpg.txt").symlink_to(tmp_path / "secret")
    assert read(tmp_path, encoded(scene(), "JPEG")).text == ""
    (tmp_path / "photo.txt").unlink()
    os.mkfifo(tmp_path / "photo.txt")
    assert read(tmp_path, encoded(scene(), "JPEG")).text == ""


def test_which_text_is_of_a_picture_and_which_a_document(tmp_path: Path) -> None:
    for name in ("photo.JPG", "b.tar.png", "c.webp"):
        (tmp_path / name).write_bytes(b"x")
    said = {
        "photo.txt": "photo.JPG",
        "photo.JPG.txt": "photo.JPG",
        "photo.json": "photo.JPG",
        "b.tar.txt": "b.tar.png",
        "b.tar.png.supplemental-metadata.json": "b.tar.png",
        "b.txt": None,
        "other.txt": None,
        "c.md": None,
    }
    for name in said:
        (tmp_path / name).write_text('{"caption": "x"}')
    (tmp_path / "c.json").write_text('{"rows": [1, 2]}')
    (tmp_path / "c.txt").write_text("x" * (MAX_SIDECAR + 1))
    names = {path.name for path in tmp_path.iterdir()}
    for name, picture in {**said, "c.json": None, "c.txt": None}.items():
        for known in (None, names):
            assert sidecar_of(tmp_path / name, known) == (tmp_path / picture if picture else None), name
    assert sidecars(tmp_path / "c.webp") == [tmp_path / "c.json"]


# The fault matrix


@pytest.mark.fault("21")
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.bmp", "a.tif", "a.avif", "a.heic"])
def test_fault_21_an_empty_picture_is_reported(tmp_path: Path, sandbox: Sandbox, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(FileMalformed, match="empty"):
        list(sandbox.load(tmp_path / name))


@pytest.mark.fault("21")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_fault_21_a_truncated_picture_is_reported_at_every_length(
    tmp_path: Path, sandbox: Sandbox, format: str
) -> None:
    whole = encoded(scene(), format)
    path = tmp_path / "a.jpg"
    for part in (0.01, 0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(FileMalformed, match=r"damaged|no picture"):
            list(sandbox.load(path))


@pytest.mark.fault("21")
def test_fault_21_svg_is_read_for_its_words(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><text>Tide</text></svg>")
    (parsed,) = sandbox.load(tmp_path / "a.svg")
    assert (parsed.text, parsed.picture) == ("Tide", None)


@pytest.mark.fault("21")
@needs_data
def test_fault_21_heic_is_read(sandbox: Sandbox) -> None:
    (parsed,) = sandbox.load(FILES / "images_exif" / "heic__samplefilehub.heif")
    assert parsed.type == "image/heic" and parsed.picture is not None
    assert (parsed.picture.width, parsed.picture.height) == (640, 426) and parsed.picture.pixels.std() > 10


@pytest.mark.fault("22")
def test_fault_22_a_single_pixel_is_a_picture(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG"))
    (parsed,) = sandbox.load(tmp_path / "a.png")
    assert parsed.picture is not None and (parsed.picture.pixels == (9, 8, 7)).all()
    assert Image.open(io.BytesIO(parsed.picture.thumbnail)).size == (1, 1)


@pytest.mark.fault("22")
@pytest.mark.parametrize(
    ("make", "likeness"),
    [
        (lambda: encoded(scene("CMYK"), "JPEG", quality=95), 0.999),
        (lambda: encoded(scene("CMYK"), "TIFF"), 0.999),
        (lambda: encoded(scene("RGBA"), "PNG"), 0.9999),
        (lambda: encoded(scene("P"), "PNG"), 0.99),
        (lambda: encoded(scene("P"), "GIF"), 0.99),
        (lambda: encoded(scene().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned(6), quality=95), 0.999),
        (lambda: encoded(scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG", exif=turned(2)), 0.9999),
    ],
    ids=["CMYK JPEG", "CMYK TIFF", "alpha", "palette", "GIF", "EXIF-rotated", "EXIF-mirrored"],
)
def test_fault_22_right_colours_and_orientation(
    tmp_path: Path, sandbox: Sandbox, make: Callable[[], bytes], likeness: float
) -> None:
    (tmp_path / "a.jpg").write_bytes(make())
    (parsed,) = sandbox.load(tmp_path / "a.jpg")
    assert parsed.metadata == {"width": 400, "height": 300}
    assert cosine(parsed, read(tmp_path, encoded(scene(), "PNG"), "plain.png")) > likeness


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.fault("22")
@needs_data
@pytest.mark.parametrize("kind", ["landscape", "portrait"])
def test_fault_22_every_orientation_of_a_photo_is_the_same_photo(sandbox: Sandbox, kind: str) -> None:
    photos = []
    for orientation in range(1, 9):
        (parsed,) = sandbox.load(FILES / "images_exif" / f"orientation__{kind}_{orientation}.jpg")
        photos.append(parsed)
    assert len({(parsed.metadata["width"], parsed.metadata["height"]) for parsed in photos}) == 1
    # A digit is painted into each, and the rest of the photo is the same.
    assert all(cosine(photos[0], parsed) > 0.95 for parsed in photos)


@pytest.mark.fault("23")
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_fault_23_16_bits_are_scaled(tmp_path: Path, sandbox: Sandbox, format: str) -> None:
    values = np.asarray(scene("L")).astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(values), format))
    (tmp_path / "b.png").write_bytes(encoded(scene("L"), "PNG"))
    (deep,), (plain,) = sandbox.load(tmp_path / "a.png"), sandbox.load(tmp_path / "b.png")
    assert deep.picture is not None and plain.picture is not None
    assert abs(deep.picture.pixels.mean() - plain.picture.pixels.mean()) < 0.1


@pytest.mark.fault("23")
@needs_data
def test_fault_23_16_bits_of_colour_are_scaled(sandbox: Sandbox) -> None:
    for name in ("tiff_16bit_RGB.tiff", "tiff_strip_planar_16bit_RGB.tiff"):
        (deep,) = sandbox.load(FILES / "images_odd" / name)
        (plain,) = sandbox.load(FILES / "images_odd" / "tiff_16bit_RGB_target.png")
        assert deep.picture is not None and plain.picture is not None
        assert np.abs(deep.picture.pixels.astype(int) - plain.picture.pixels).max() <= 1


def frames(format: str, count: int) -> bytes:
    """An animation whose first frame is red, or as many pages."""
    red = Image.new("RGB", (64, 48), "red")
    if format == "GIF":
        one = encoded(red, "GIF")
        first = one.index(b"\x2c\0\0\0\0")
        return one[:first] + one[first:-1] * count + b";"
    if format == "TIFF":
        one = encoded(red, "TIFF", compression=None)
        (at,) = struct.unpack_from("<I", one, 4)
        (entries,) = struct.unpack_from("<H", one, at)
        page = bytearray(one[at : at + 2 + 12 * entries + 4])
        data = one + b"\0" * (len(one) % 2)
        start = len(data)
        pages = bytearray()
        for number in range(1, count):
            following = start + number * len(page) if number < count - 1 else 0
            struct.pack_into("<I", page, len(page) - 4, following)
            pages += page
        linked = bytearray(data)
        struct.pack_into("<I", linked, at + 2 + 12 * entries, start)
        return bytes(linked + pages)
    others = [Image.new("RGB", (64, 48), (0, n % 256, 255)) for n in range(count - 1)]
    return encoded(red, format, save_all=True, append_images=others, duration=10)


@pytest.mark.fault("24")
@pytest.mark.parametrize(("format", "count"), [("GIF", 10_000), ("TIFF", 10_000), ("PNG", 300), ("WEBP", 300)])
def test_fault_24_of_an_animation_the_first_frame_is_read(
    tmp_path: Path, sandbox: Sandbox, format: str, count: int
) -> None:
    (tmp_path / "a.gif").write_bytes(frames(format, count))
    (parsed,) = sandbox.load(tmp_path / "a.gif")
    assert parsed.picture is not None and parsed.metadata == {"width": 64, "height": 48}
    assert np.abs(parsed.picture.pixels.astype(int) - (255, 0, 0)).max() < 6


def png(width: int, height: int) -> bytes:
    """A bitmap of so many pixels, all of them black: a few kilobytes."""
    pack, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    rows = b"".join([pack.compress(row) for _ in range(height)]) + pack.flush()
    data = b"\x89PNG\r\n\x1a\n"
    parts = (b"IHDR", struct.pack("!IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")
    for name, part in parts:
        data += struct.pack("!I", len(part)) + name + part + struct.pack("!I", zlib.crc32(name + part))
    return data


def webp(width: int, height: int) -> bytes:
    """The beginning of an animation on a canvas of so many pixels, with one small frame."""
    frame = encoded(Image.new("RGB", (8, 8)), "WEBP")[12:]
    small = (7).to_bytes(3, "little")
    body = b"\0" * 6 + small + small + (10).to_bytes(3, "little") + b"\0" + frame
    canvas = b"\x02\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"VP8X" + struct.pack("<I", 10) + canvas
    chunks += b"ANIM" + struct.pack("<I", 6) + bytes(6) + b"ANMF" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


@pytest.mark.fault("25")
@pytest.mark.parametrize(
    "data",
    [png(9_000, 6_000), png(12_000, 9_000), png(20_000, 20_000), webp(16_383, 16_383), webp(8_000, 6_000)],
    ids=["54 megapixels", "108 megapixels", "400 megapixels", "webp", "webp of 48 megapixels"],
)
def test_fault_25_a_pixel_bomb_is_refused_in_little_memory(tmp_path: Path, data: bytes) -> None:
    assert len(data) < 60_000
    (tmp_path / "bomb.png").write_bytes(data)
    (tmp_path / "good.png").write_bytes(encoded(scene(), "PNG"))
    with Sandbox(timeout=10) as sandbox:
        assert len(list(sandbox.load(tmp_path / "good.png"))) == 1
        before = peak_of_child()
        with pytest.raises(FileMalformed, match="megapixels"):
            list(sandbox.load(tmp_path / "bomb.png"))
        assert peak_of_child() - before < 8 * MEBIBYTE
        assert len(list(sandbox.load(tmp_path / "good.png"))) == 1


@pytest.mark.fault("25")
@pytest.mark.parametrize(
    ("make", "mebibytes"),
    [
        (lambda: encoded(Image.new("L", (9_000, 6_000), 77), "JPEG"), 64),
        (lambda: png(7_000, 5_700), 500),
        (lambda: png(65_000, 600), 500),
        (lambda: png(600, 65_000), 500),
        (lambda: png(65_535, 1), 64),
    ],
    ids=["JPEG of 54 megapixels", "PNG of 40 megapixels", "panorama", "tower", "line"],
)
@pytest.mark.parametrize("resize", ["squash", "shortest", "longest"])
def test_fault_25_what_is_large_is_read_in_bounded_memory(
    tmp_path: Path, make: Callable[[], bytes], mebibytes: int, resize: Any
) -> None:
    (tmp_path / "large.jpg").write_bytes(make())
    (tmp_path / "good.png").write_bytes(encoded(scene(), "PNG"))
    with Sandbox(LoadOptions(preprocessing=Preprocessing(224, 224, resize)), timeout=10) as sandbox:
        assert len(list(sandbox.load(tmp_path / "good.png"))) == 1
        before = peak_of_child()
        (parsed,) = sandbox.load(tmp_path / "large.jpg")
        assert parsed.picture is not None and parsed.picture.pixels.shape == (224, 224, 3)
        assert peak_of_child() - before < mebibytes * MEBIBYTE


MENDED = (
    "png_decompression_dos.png",  # all that is wrong with it is a comment
    "unknown_compression_method.png",  # likewise
    "truncated_jpeg.jpg",  # progressive, and cut off in the last of its scans
)


@needs_data
def test_every_odd_picture_loads_where_pillow_opens_it(sandbox: Sandbox) -> None:
    opinions = {}
    for line in (FILES / "manifest.jsonl").read_text().splitlines():
        entry = json.loads(line)
        opinions[entry["file"]] = entry.get("pillow", "").startswith("ok")
    files = [path for path in sorted(FILES.glob("images_*/*")) if supported(path)]
    assert len(files) >= 200
    for path in files:
        name = str(path.relative_to(FILES))
        try:
            (parsed,) = sandbox.load(path)
        except LoadError as error:
            assert type(error) is FileMalformed and not opinions[name], f"{name}: {error}"
            assert not any(word in str(error) for word in ("parser failed", "crashed", "longer than")), error
            continue
        assert opinions[name] or path.suffix == ".heif" or path.name in MENDED, name
        assert parsed.picture is not None and parsed.picture.pixels.shape == (224, 224, 3)
        assert parsed.text == parsed.text.strip()
        json.dumps(dict(parsed.metadata), allow_nan=False)
