"""Drawings, flat OpenDocument and what Apple Mail keeps: what each says, and hostile ones."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from tests import mail_files, office_files
from tests.illustrated import picture

DRAWING = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/" lang="en">
<metadata><RDF><Work><dc:title>No title</dc:title><dc:creator><Agent><dc:title>Ada Byron</dc:title></Agent></dc:creator>
<dc:date>2024-05-31</dc:date><dc:subject><Bag><li>tides</li><li>harbour</li></Bag></dc:subject></Work></RDF></metadata>
<style>.a { fill: red }</style><title>Tide gauge</title><desc>How a gauge is read.</desc>
<g><title>Float</title><text x="1" y="2">High <tspan font-weight="bold">water</tspan><tspan x="1" y="9">at nine</tspan>
</text><text>&#44288; 수위</text></g><script>alert("no")</script></svg>"""


def read(folder: Path, name: str, data: bytes | str) -> list[Parsed]:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(load(path))


def test_a_drawing_is_found_by_its_words(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "a.svg", DRAWING)
    assert parsed.text == "Tide gauge\n\nHow a gauge is read.\n\nFloat\n\nHigh water\nat nine\n\n관 수위"
    assert (parsed.title, parsed.type, parsed.picture) == ("Tide gauge", "image/svg+xml", None)
    assert parsed.metadata == {"author": "Ada Byron", "date": "2024-05-31", "keywords": ["tides", "harbour"]}
    assert read(tmp_path, "a.svg", "<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0'/></svg>") == []


@pytest.mark.fault("19")
@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.svg", "<svg><text>torn", "damaged"),
        ("a.svg", "<html><text>x</text></html>", "no drawing"),
        ("a.svg", "<svg>" + "<g>" * 20_000, "damaged or too large"),
        (
            "a.svg",
            "<!DOCTYPE s [<!ENTITY a0 'aaaaaaaaaa'>"
            + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
            + "]><svg><text>&a11;</text></svg>",
            "damaged or too large",
        ),
        ("a.fodt", b"<?xml version='1.0'?><html/>", "no OpenDocument file"),
        ("a.fodt", b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><office:document/>", "declares entities"),
        ("a.fodt", office_files.flat("text", "<text:p>Tides")[:-40], "damaged"),
        ("a.fods", b"PK\x03\x04", "a ZIP archive"),
        ("a.emlx", b"99\nSubject: T\n\nx", "torn"),
        ("a.emlx", b"Subject: T\n\nx", "its header is missing"),
    ],
)
def test_what_can_not_be_read_is_told(tmp_path: Path, name: str, data: bytes | str, reason: str) -> None:
    with pytest.raises(FileMalformed, match=reason):
        read(tmp_path, name, data)


def test_an_entity_of_the_system_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (parsed,) = read(
        tmp_path,
        "a.svg",
        f"<!DOCTYPE s [<!ENTITY x SYSTEM 'file://{tmp_path}/secret.txt'>]><svg><text>Words &x;</text></svg>",
    )
    assert "secret" not in parsed.text


def test_flat_opendocument_reads_as_its_packages_do(tmp_path: Path) -> None:
    shown = base64.encodebytes(picture(1)).decode()
    body = (
        "<text:h text:outline-level='1'>Tides</text:h><text:p>High water is at nine.</text:p>"
        f"<text:p><draw:frame><draw:image><office:binary-data>{shown}</office:binary-data></draw:image></draw:frame></text:p>"
    )
    found = read(tmp_path, "a.fodt", office_files.flat("text", body))
    assert [(one.key, one.title) for one in found] == [("", "Harbour report"), ("1.png", "Harbour report")]
    assert found[0].text == "Tides\n\nHigh water is at nine." and found[1].picture is not None
    cell = "<table:table-cell office:value-type='string'><text:p>{}</text:p></table:table-cell>"
    ships = (("Ship", "Port"), ("Aurora", "Busan"), ("Dawn", "Ulsan"))
    rows = "".join(f"<table:table-row>{''.join(map(cell.format, row))}</table:table-row>" for row in ships)
    sheet = office_files.flat("spreadsheet", f"<table:table table:name='Ships'>{rows}</table:table>")
    assert "Aurora" in " ".join(one.text for one in read(tmp_path, "a.fods", sheet))
    slides = "<draw:page><draw:frame><draw:text-box><text:p>Slide {}</text:p></draw:text-box></draw:frame></draw:page>"
    (talk,) = read(tmp_path, "a.fodp", office_files.flat("presentation", slides.format(1) + slides.format(2)))
    assert talk.metadata["slides"] == 2 and "Slide 2" in talk.text


def test_a_message_of_apple_mail_ends_where_it_says(tmp_path: Path) -> None:
    data = mail_files.MESSAGE
    known = b"<?xml version='1.0'?><plist><dict><key>flags</key></dict></plist>"
    alone = read(tmp_path, "a.eml", data)
    assert read(tmp_path, "a.emlx", b"%d      \n%s%s" % (len(data), data, known)) == alone
