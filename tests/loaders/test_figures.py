"""Pictures in documents: which of them count, what is said about them, where they stand, what bad ones cost."""

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from quarry.api.library import Library
from quarry.indexer.formats import may_hold_pictures, version_of
from quarry.indexer.loaders.base import Listener, LoadOptions
from quarry.indexer.loaders.extracting import extract
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.pdf import pictures as pages_of_pdf
from quarry.indexer.loaders.pictures import figures
from quarry.search.models.fake import FakeModels
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests import office_files as made
from tests.illustrated import Shown, docx, drawing, pdf, picture


def plain(size: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise(size, 1).point(lambda value: 128).convert("RGB").save(stream, "BMP")
    return stream.getvalue()


def read(folder: Path, name: str, data: bytes) -> list[Parsed]:
    path = folder / name
    path.write_bytes(data)
    return list(load(path))


def test_pictures_of_a_word_document(tmp_path: Path) -> None:
    body = "".join(
        [
            made.paragraph("The harbour", "1"),
            drawing("i1", "A crane that lifts a boat"),
            made.paragraph("Figure 1: The new crane"),
            drawing("i2", "Picture 2"),
            made.paragraph("Words about something else"),
            drawing("i1"),
            *(drawing(f"i{n}") for n in (3, 4, 5, 6, 7, 9)),
        ]
    )
    pictures = {
        "i1.png": picture(1),
        "i2.jpg": picture(2, form="JPEG"),
        "i3.png": picture(3, (40, 200)),
        "i4.png": picture(4, (1200, 70)),
        "i5.bmp": plain((200, 200)),
        "i6.emf": b"\x01\0\0\0" * 500,
        "i7.png": picture(7)[:60] + bytes(600),
    }
    whole, *found = read(tmp_path, "a.docx", docx(body, pictures))
    assert whole.text.startswith("The harbour\n\nFigure 1: The new crane") and not whole.warning
    assert [(one.key, one.type, one.text) for one in found] == [
        ("i1.png", "image/png", "A crane that lifts a boat\n\nFigure 1: The new crane"),
        ("i2.jpg", "image/jpeg", ""),
    ]
    assert {one.title for one in found} == {"Harbour report"}
    named, *parts = extract(tmp_path / "a.docx", "i2.jpg", LoadOptions())
    assert (named.name, b"".join(part.data for part in parts)) == ("i2.jpg", pictures["i2.jpg"])
    told = {"document": "a.docx", "section": "The harbour", "author": "Ada Byron", "width": 160, "height": 120}
    assert told.items() <= dict(found[0].metadata).items()
    assert found[-1].warning.startswith("some of its pictures were left out (i7.png: it is damaged")


def test_pictures_that_are_left_out_are_no_silence(tmp_path: Path) -> None:
    blank = {f"b{number}.bmp": plain((120, 120 + number)) for number in range(5)}
    path = tmp_path / "a.docx"
    path.write_bytes(docx(made.paragraph("Words") + "".join(drawing(f"b{number}") for number in range(5)), blank))
    told: list[float] = []
    assert [one.text for one in load(path, watch=Listener(told.append))] == ["Words"]
    assert len(told) == 5


def test_pictures_of_slides_know_their_slide(tmp_path: Path) -> None:
    blip = '<p:blipFill><a:blip r:embed="p"/></p:blipFill>'
    shown = f'<p:pic><p:nvPicPr><p:cNvPr id="2" name="y" descr="그림 3"/></p:nvPicPr>{blip}</p:pic>'
    targets = made.relations({"image#p": "../media/image1.png"})
    parts = {f"ppt/slides/_rels/slide{n}.xml.rels": targets for n in (1, 2)} | {"ppt/media/image1.png": picture()}
    slides = [
        made.slide(made.shape(text, "title") + more) for text, more in (("One", ""), ("Two", shown), ("Three", shown))
    ]
    whole, found = read(tmp_path, "a.pptx", made.pptx(slides, parts))
    assert (whole.metadata["slides"], found.key, found.text) == (3, "image1.png", "")
    assert found.place is not None and found.place.page == 2 and found.parts[0].place == found.place


BOAT = "A boat at sea"
HREF = 'xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href'


def notebook(data: bytes) -> bytes:
    output = {
        "output_type": "display_data",
        "data": {"image/png": base64.b64encode(data).decode(), "text/plain": "<Figure>"},
    }
    cells = [
        {"cell_type": "markdown", "source": "# The harbour"},
        {"cell_type": "code", "source": "plot()", "outputs": [output]},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()


def workbook(data: bytes) -> bytes:
    anchor = (
        f'<d xmlns:xdr="urn:xdr" xmlns:a="{made.A}" xmlns:r="{made.R}"><xdr:twoCellAnchor><xdr:from>'
        "<xdr:col>1</xdr:col><xdr:row>2</xdr:row></xdr:from><xdr:pic>"
        f'<xdr:nvPicPr><xdr:cNvPr id="1" name="x" descr="{BOAT}"/></xdr:nvPicPr>'
        '<xdr:blipFill><a:blip r:embed="p"/></xdr:blipFill></xdr:pic></xdr:twoCellAnchor></d>'
    )
    parts: made.Parts = {
        "xl/worksheets/_rels/sheet0.xml.rels": made.relations({"drawing": "../drawings/drawing1.xml"}),
        "xl/drawings/drawing1.xml": anchor,
        "xl/drawings/_rels/drawing1.xml.rels": made.relations({"image#p": "../media/image1.png"}),
        "xl/media/image1.png": data,
    }
    return made.xlsx({"Ships": made.row(1, "Name", "Length") + made.row(2, "Ada", 12)}, parts)


def documents_of_every_kind(data: bytes) -> dict[str, bytes]:
    """Return a document of each format with a picture in it, mostly with an alternative text and a caption."""
    inside = base64.b64encode(data).decode()
    caption = "<figcaption>Figure 1: Ada</figcaption>"
    figure = f'<h1>The harbour</h1><p>Words.</p><figure><img src="{{}}" alt="{BOAT}"/>{caption}</figure>'
    frame = (
        '<text:h text:outline-level="1">The harbour</text:h>'
        f'<text:p>Words.<draw:frame><draw:image {HREF}="Pictures/p.png"/>'
        f'<svg:desc xmlns:svg="urn:svg">{BOAT}</svg:desc></draw:frame></text:p><text:p>Figure 1: Ada</text:p>'
    )
    shown = (
        '<hp:pic><hc:img xmlns:hc="urn:core" binaryItemIDRef="image1"/>'
        f"<hp:shapeComment>그림입니다. 원본 그림의 이름: a.png</hp:shapeComment>"
        f"<hp:caption><hp:subList>{made.hp('그림 1. 항구의 배')}</hp:subList></hp:caption></hp:pic>"
    )
    mail = (
        "From: ada@example.org\nSubject: The harbour\nMIME-Version: 1.0\n"
        "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/plain\n\nWords.\n"
    )
    for name, held in (("icon", picture(9, (32, 32))), ("boat", data)):
        mail += (
            f"--b\nContent-Type: image/png; name={name}.png\nContent-ID: <{name}>\n"
            f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(held).decode()}\n"
        )
    return {
        "a.epub": made.epub([figure.format("../p%201.png")], {"OEBPS/p 1.png": data}),
        "a.html": f"<html><body>{figure.format(f'data:image/png;base64,{inside}')}</body></html>".encode(),
        "a.odt": made.open_document("text", frame, {"Pictures/p.png": data}),
        "a.odp": made.open_document("presentation", f"<draw:page>{frame}</draw:page>", {"Pictures/p.png": data}),
        "a.hwpx": made.hwpx(made.hp("말") + made.hp(shown), {"BinData/image1.png": data}),
        "a.hwp": made.hwp(made.said("말"), streams={"BinData/BIN0001.png": data}),
        "a.ipynb": notebook(data),
        "a.xlsx": workbook(data),
        "a.eml": f"{mail}--b--\n".encode(),
    }


FOUND = {
    "a.epub": ("p 1.png", f"{BOAT}\n\nFigure 1: Ada", None, "The harbour"),
    "a.html": ("image1.png", f"{BOAT}\n\nFigure 1: Ada", None, None),
    "a.odt": ("p.png", f"{BOAT}\n\nFigure 1: Ada", None, "The harbour"),
    "a.odp": ("p.png", f"{BOAT}\n\nFigure 1: Ada", Place(page=1), "The harbour"),
    "a.hwpx": ("image1.png", "그림 1. 항구의 배", None, None),
    "a.hwp": ("BIN0001.png", "", None, None),
    "a.ipynb": ("cell2-1.png", "", None, "The harbour"),
    "a.xlsx": ("image1.png", BOAT, Place(cells="Ships!B3"), "Ships"),
    "a.eml": ("boat.png", "", None, None),
}


def test_pictures_of_every_kind_of_document(tmp_path: Path) -> None:
    for name, data in documents_of_every_kind(picture(1)).items():
        found = [one for one in read(tmp_path, name, data) if one.parts]
        assert [(one.key, one.text, one.place, one.metadata.get("section")) for one in found] == [FOUND[name]], name
        assert version_of(name) > 1 and may_hold_pictures(Path(name))


def test_pictures_of_a_pdf(tmp_path: Path) -> None:
    logo, photo, chart = (picture(n, form="JPEG") for n in (1, 2, 3))
    strips = Image.open(io.BytesIO(picture(4, (160, 120))))
    halves = []
    for top in (0, 60):
        stream = io.BytesIO()
        strips.crop((0, top, 160, top + 60)).save(stream, "JPEG")
        halves.append(stream.getvalue())
    small, cover = picture(5, (30, 30), "JPEG"), picture(6, (300, 400), "JPEG")
    paper = io.BytesIO()
    Image.new("L", (300, 400), 250).save(paper, "JPEG")
    corner, at = (400.0, 700.0, 90.0, 60.0), (72.0, 320.0, 160.0, 120.0)
    pages: list[tuple[list[Shown], str]] = [
        (
            [(logo, corner), (photo, at)],
            "Fig. 3. Boats in the harbour\nand a crane\n\n\nMore words",
        ),
        (
            [(logo, corner), (small, (10.0, 10.0, 90.0, 90.0)), (chart, (72.0, 500.0, 12.0, 9.0))],
            "x",
        ),
        ([(halves[0], (72.0, 460.0, 160.0, 60.0)), (halves[1], (72.0, 400.0, 160.0, 60.0))], "Two halves"),
        ([(cover, (0.0, 0.0, 600.0, 800.0))], "These words stand on a picture that fills the page behind them"),
        ([(cover, (0.0, 0.0, 600.0, 800.0))], ""),
        ([(paper.getvalue(), (0.0, 0.0, 600.0, 800.0))], ""),
    ]
    whole, *found = read(tmp_path, "a.pdf", pdf(pages))
    assert whole.metadata["pages"] == 6
    assert [(one.key, one.place and one.place.page) for one in found] == [
        ("page1-1.jpg", 1),
        ("page1-2.jpg", 1),
        ("page3-1.png", 3),
        ("page5-1.png", 5),
    ]
    assert [one.text for one in found] == ["", "Fig. 3. Boats in the harbour and a crane", "", ""]
    drawn = found[2].picture
    assert drawn is not None and (drawn.width, drawn.height) == (160, 120)
    same = np.asarray(strips.resize((224, 224))).astype(int)
    assert np.abs(drawn.pixels.astype(int) - same).mean() < 12


def test_ten_thousand_pictures_are_bounded_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 3)
    body = made.paragraph("Words") + "".join(drawing(f"i{n}") for n in range(6))
    whole, *found = read(tmp_path, "a.docx", docx(body, {f"i{n}.png": picture(n) for n in range(6)}))
    assert (whole.text, len(found)) == ("Words", 3)
    assert found[-1].warning == "some of its pictures were left out (it holds more than 3 pictures, or 512 MiB of them)"


@pytest.mark.parametrize("filter", ["/FlateDecode", "/DCTDecode", "/JPXDecode", "/JBIG2Decode", "/CCITTFaxDecode"])
@pytest.mark.parametrize("sides", [(200, 200), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_bad_pictures_cost_no_text(tmp_path: Path, filter: str, sides: tuple[int, int]) -> None:
    data = zlib.compress(bytes(1000))
    content = b"BT /F 12 Tf 72 700 Td (The words of the page) Tj ET q 300 0 0 300 72 72 cm /I Do Q"
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >>"
        b" /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter %b"
        b" /Length %d >>\nstream\n%b\nendstream" % (*sides, filter.encode(), len(data), data),
    ]
    whole = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%b\nendobj\n" % (n, body) for n, body in enumerate(bodies, 1))
    found = read(tmp_path, "a.pdf", whole + b"trailer << /Root 1 0 R >>")
    assert found[0].text == "The words of the page" and len(found) <= (2 if sides[0] == 200 else 1)


def test_pictures_follow_their_document(tmp_path: Path, models: FakeModels) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    path = folder / "a.docx"
    body = made.paragraph("The harbour has tides.") + drawing("i1", "A boat with a red sail") + drawing("i2")
    path.write_bytes(docx(body, {"i1.png": picture(1), "i2.png": picture(2)}))
    with Library(tmp_path / "library", models=models) as library:
        report = library.index(folder)
        assert (report.added, report.failed, report.warnings) == (3, {}, {})
        (hit, *_) = library.search("red sail", mode="lexical").hits
        assert (hit.document.uri, hit.kind, hit.said_by) == (f"{path}#i1.png", "image", "caption")
        assert library.thumbnail(hit.document.id).startswith(b"\xff\xd8")
        again = library.index(folder)
        assert (again.files_read, again.unchanged_files) == (0, 1)
        path.write_bytes(docx(body, {"i2.png": picture(2)}))
        changed = library.index(folder)
        assert (changed.added, changed.changed, changed.dropped, changed.embedded) == (0, 0, 1, 0)
        assert library.delete(str(path)) == 2 and library.documents()[0] == []  # its picture with it
        data = docx(body, {"i1.png": picture(1), "i2.png": picture(2)})
        for count, name in ((3, "a.docx"), (2, "b.docx")):  # of one id, under whatever name
            assert len(library.add_file(data, name, id="own")) == count == len(library.documents()[0])
            data = docx(body, {"i1.png": picture(1)})


def test_of_a_long_scan_only_the_first_pages_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    draw = pages_of_pdf._draw

    def counted(page: Any, box: Any, scale: float) -> Image.Image:
        drawn.append(scale)
        return draw(page, box, scale)

    monkeypatch.setattr(pages_of_pdf, "_draw", counted)
    papers: list[tuple[list[Shown], str]] = []
    for grey in range(230, 250):
        paper = io.BytesIO()
        Image.new("L", (300, 400), grey).save(paper, "JPEG")
        papers.append(([(paper.getvalue(), (0.0, 0.0, 600.0, 800.0))], ""))
    (whole,) = read(tmp_path, "a.pdf", pdf(papers))
    assert whole.scan is not None and whole.scan.pages == tuple(range(1, 21))
    assert len(drawn) == 8
