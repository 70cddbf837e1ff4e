"""When, where and with what words: each spelling that cameras, programs and services write it in."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quarry.indexer.files.walking import OF_A_PICTURE, OF_ANOTHER_PROGRAM, UNSUPPORTED, walk
from quarry.indexer.formats import supported
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.moments import moment, named, timestamp
from quarry.indexer.loaders.pictures import xmp
from quarry.indexer.loaders.pictures.sidecars import sidecar_of, sidecars
from quarry.search.types import Parsed


def jpeg(**options: Any) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (32, 24), "teal").save(data, "JPEG", **options)
    return data.getvalue()


def read(path: Path, data: bytes | None = None) -> Parsed:
    path.write_bytes(jpeg() if data is None else data)
    (parsed,) = load(path)
    return parsed


def packet(attributes: str = "", inner: str = "") -> str:
    return f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" {attributes}>{inner}
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2013:07:12 16:54:27", "2013-07-12T16:54:27"),
        ("2013:07:12 16:54:27+0000", "2013-07-12T16:54:27+00:00"),
        ("2013:07:12 16:54:27+02:00", "2013-07-12T16:54:27+02:00"),
        ("2013:07:12 16:54:27-5", "2013-07-12T16:54:27-05:00"),
        ("2013-07-12 16:54:27", "2013-07-12T16:54:27"),
        ("2013/07/12 16:54", "2013-07-12T16:54:00"),
        ("2013:07:12T16:54:27", "2013-07-12T16:54:27"),
        ("2013:07:12 16:54:27.250", "2013-07-12T16:54:27"),
        ("2013-07-12T10:14:22.27-05:30", "2013-07-12T10:14:22-05:30"),
        ("2013:07:12 16:54:27Z", "2013-07-12T16:54:27+00:00"),
        ("2013:07:12 16:54:27 UTC", "2013-07-12T16:54:27+00:00"),
        ("2013:07:12 04:54:27 PM", "2013-07-12T16:54:27"),
        ("2013.07.12 16.54.27", "2013-07-12T16:54:27"),
        ("20130712 140845+0100", "2013-07-12T14:08:45+01:00"),
        ("20130712T165427Z", "2013-07-12T16:54:27+00:00"),
        ("20130712", "2013-07-12"),
        ("2013-07-12\0", "2013-07-12"),
        ("2013:07:12 23:59:60", "2013-07-12T23:59:59"),
        ("2013:02:30 10:00:00", ""),
        ("0000:00:00 00:00:00", ""),
        ("1500:01:01 00:00:00", ""),
        ("2013", ""),
        ("12.07.2013", ""),
        ("", ""),
    ],
)
def test_a_moment_in_every_spelling(written: str, expected: str) -> None:
    assert moment(written) == expected


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("IMG_20130712_165427", "2013-07-12T16:54:27"),
        ("PXL_20210304_121314567.PORTRAIT", "2021-03-04T12:13:14"),
        ("VID_20130712_165427", "2013-07-12T16:54:27"),
        ("Screenshot_2024-05-31-10-00-00", "2024-05-31T10:00:00"),
        ("2013-07-12 16.54.27", "2013-07-12T16:54:27"),
        ("Screen Shot 2020-01-02 at 09.08.07", "2020-01-02T09:08:07"),
        ("IMG-20130712-WA0001", "2013-07-12"),
        ("20130712_165427", "2013-07-12T16:54:27"),
        ("order 20139912", ""),
        ("scan 1234567890123456", ""),
        ("DSC_0042", ""),
    ],
)
def test_a_file_named_after_its_moment(stem: str, expected: str) -> None:
    assert named(stem) == expected


def test_seconds_since_1970() -> None:
    assert timestamp("1373641200") == "2013-07-12T15:00:00+00:00"
    assert timestamp("never") == timestamp("1e300") == ""


def exif(zeroth: dict[int, str], details: dict[int, str]) -> bytes:
    tags = Image.Exif()
    for tag, value in zeroth.items():
        tags[tag] = value
    tags.get_ifd(0x8769).update(details)
    return tags.tobytes()


def with_iptc(data: bytes, records: dict[int, bytes]) -> bytes:
    block = b"".join(b"\x1c\2" + struct.pack(">BH", tag, len(value)) + value for tag, value in records.items())
    body = b"Photoshop 3.0\x008BIM\4\4\0\0" + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + data[2:]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (jpeg(exif=exif({}, {0x9003: "2013:07:12 12:30:00", 0x9011: "+0200"})), "2013-07-12T12:30:00+02:00"),
        (jpeg(exif=exif({}, {0x9003: "2013:07:12 12:30:00", 0x9010: "-03:00"})), "2013-07-12T12:30:00-03:00"),
        (jpeg(exif=exif({0x0132: "2020:01:01 00:00:00"}, {0x9004: "2013-07-12 12:30:00"})), "2013-07-12T12:30:00"),
        (jpeg(exif=exif({0x0132: "2013:07:12 12:30:00"}, {0x9010: "+09:00"})), "2013-07-12T12:30:00+09:00"),
        (
            jpeg(xmp=packet('photoshop:DateCreated="2013-07-12T10:14:22.27-05:30"').encode()),
            "2013-07-12T10:14:22-05:30",
        ),
        (jpeg(xmp=packet('xmp:CreateDate="2013-07-12T10:14:22"').encode()), "2013-07-12T10:14:22"),
        (
            jpeg(
                xmp=packet(
                    'xmp:CreateDate="2020-01-01"', "<exif:DateTimeOriginal>2013-07-12T10:14Z</exif:DateTimeOriginal>"
                ).encode()
            ),
            "2013-07-12T10:14:00+00:00",
        ),
        (with_iptc(jpeg(), {55: b"20130712", 60: b"140845+0100"}), "2013-07-12T14:08:45+01:00"),
        (with_iptc(jpeg(), {55: b"20130712"}), "2013-07-12"),
        (with_iptc(jpeg(), {62: b"20130712", 63: b"140845"}), "2013-07-12T14:08:45"),
    ],
)
def test_a_date_wherever_it_stands(tmp_path: Path, data: bytes, expected: str) -> None:
    metadata = read(tmp_path / "a.jpg", data).metadata
    assert metadata["taken"] == metadata["date"] == expected


def test_what_is_in_the_file_counts_before_its_name(tmp_path: Path) -> None:
    data = jpeg(exif=exif({}, {0x9003: "2013:07:12 12:30:00"}))
    assert read(tmp_path / "IMG_20200101_000000.jpg", data).metadata["taken"] == "2013-07-12T12:30:00"
    assert read(tmp_path / "IMG_20200102_030405.jpg").metadata["taken"] == "2020-01-02T03:04:05"
    assert "taken" not in read(tmp_path / "a.jpg").metadata


def test_keywords_with_those_above_them_people_and_places() -> None:
    def items(name: str, *values: str) -> str:
        return f"<{name}><rdf:Bag>{''.join(f'<rdf:li>{value}</rdf:li>' for value in values)}</rdf:Bag></{name}>"

    words = xmp.read(
        packet(
            'photoshop:City="Bergen" exif:GPSLatitude="60,23.5N" exif:GPSLongitude="5,19,30W"',
            items("dc:subject", "fjord")
            + items("lr:hierarchicalSubject", "Places|Norway|Bergen")
            + items("digiKam:TagsList", "Animals/Birds/Puffin")
            + items("Iptc4xmpExt:PersonInImage", "Ada Byron")
            + '<mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description mwg-rs:Name="Grace Hopper"/></rdf:li></rdf:Bag>'
            "</mwg-rs:RegionList>",
        )
    )
    expected = {"fjord", "Places", "Norway", "Bergen", "Animals", "Birds", "Puffin", "Ada Byron", "Grace Hopper"}
    assert set(words.keywords) == expected
    assert words.trees == ["Places|Norway|Bergen", "Animals|Birds|Puffin"]
    assert words.places == [(pytest.approx(60.391667), pytest.approx(-5.325))]


@pytest.mark.parametrize("name", ["A.xmp", "A.jpg.xmp", "A.XMP"])
def test_xmp_beside_a_picture(tmp_path: Path, name: str) -> None:
    title = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">gannet colony</rdf:li></rdf:Alt></dc:title>'
    (tmp_path / name).write_text(packet('xmp:CreateDate="2013-07-12T10:14:22"', title))
    parsed = read(tmp_path / "A.jpg")
    assert (parsed.title, parsed.text, parsed.metadata["taken"]) == (
        "gannet colony",
        "gannet colony",
        "2013-07-12T10:14:22",
    )
    (tmp_path / "alone.xmp").write_text(packet())
    found = walk(tmp_path, tmp_path, supported)
    assert [Path(file.path).name for file in found.files] == ["A.jpg"]
    assert found.skipped == {OF_A_PICTURE: 1, UNSUPPORTED: 1}


LONG = "20190301_a_rather_long_name_of_it.jpg"
LONGER = "Photo of the whole family on the beach at sunset.jpg"


@pytest.mark.parametrize(
    ("picture", "sidecar"),
    [
        ("PXL_1.jpg", "PXL_1.jpg.json"),
        ("PXL_1.jpg", "PXL_1.jpg.supplemental-metadata.json"),
        ("PXL_1(1).jpg", "PXL_1.jpg.supplemental-metadata(1).json"),
        ("PXL_1(2).jpg", "PXL_1.jpg(2).json"),
        ("PXL_1-edited.jpg", "PXL_1.jpg.supplemental-metadata.json"),
        ("PXL_1-edited(1).jpg", "PXL_1.jpg(1).json"),
        (LONG, (LONG + ".supplemental-metadata")[:46] + ".json"),
        (LONG.replace(".", "(1).", 1), (LONG + ".supplemental-metadata")[:46] + "(1).json"),
        (LONGER, LONGER[:46] + ".json"),
        (LONGER[:40] + ".jpeg", (LONGER[:40] + ".jpeg.supplemental-metadata")[:46] + ".json"),
        (LONGER[:43] + ".jpg", (LONGER[:43] + ".jpg")[:46] + ".json"),
    ],
)
def test_the_names_that_takeout_gives(tmp_path: Path, picture: str, sidecar: str) -> None:
    said = {
        "title": "x.jpg",
        "description": "walnut orchard",
        "photoTakenTime": {"timestamp": "1373641200"},
        "geoData": {"latitude": 47.5, "longitude": 8.25},
        "people": [{"name": "Ada Byron"}],
    }
    (tmp_path / sidecar).write_text(json.dumps(said))
    (tmp_path / "metadata.json").write_text('{"title": "an album"}')
    (tmp_path / picture.replace("-edited", "")).write_bytes(jpeg())
    parsed = read(tmp_path / picture)
    assert "walnut orchard" in parsed.text and parsed.metadata["keywords"] == ["Ada Byron"]
    assert parsed.metadata["taken"] == "2013-07-12T15:00:00+00:00" and parsed.metadata["latitude"] == 47.5
    found = walk(tmp_path, tmp_path, supported)
    names = {Path(file.path).name for file in found.files}
    assert names == {"metadata.json", picture, picture.replace("-edited", "")}
    assert tmp_path / sidecar in sidecars(tmp_path / picture)
    assert sidecar_of(tmp_path / sidecar) == tmp_path / picture.replace("-edited", "")


def test_of_numbered_pictures_each_has_its_own_words(tmp_path: Path) -> None:
    for number, words in (("", "first kite"), ("(1)", "second zeppelin")):
        (tmp_path / f"P.jpg.supplemental-metadata{number}.json").write_text(json.dumps({"description": words}))
        assert read(tmp_path / f"P{number}.jpg").text == words


FOREIGN = [
    "@eaDir/IMG_1.JPG",
    "__MACOSX",
    "#recycle",
    "$RECYCLE.BIN",
    "Catalog Previews.lrdata/0",
    "A.photoslibrary/resources",
]


@pytest.mark.parametrize("folder", FOREIGN)
def test_what_other_programs_keep_is_passed_by(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "thumb.jpg").write_bytes(jpeg())
    (tmp_path / "mine.jpg").write_bytes(jpeg())
    found = walk(tmp_path, tmp_path, supported)
    assert [Path(file.path).name for file in found.files] == ["mine.jpg"]
    assert found.skipped == {OF_ANOTHER_PROGRAM: 1}
    within = walk(tmp_path, tmp_path / folder, supported)
    assert not within.files and within.skipped == {OF_ANOTHER_PROGRAM: 1}
    assert len(walk(tmp_path / folder, tmp_path / folder, supported).files) == 1  # where it was asked for itself


def test_hidden_thumbnails_are_passed_by_as_hidden(tmp_path: Path) -> None:
    for name in (".thumbnails/a.jpg", ".picasaoriginals/a.jpg", ".AppleDouble/a.jpg", "._a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(jpeg())
    assert walk(tmp_path, tmp_path, supported).skipped == {"hidden": 4}
