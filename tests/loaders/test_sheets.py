"""Workbooks: tables row by row, other sheets as text, each with its cells."""

from pathlib import Path

from quarry.indexer.loaders.loading import load
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests.office_files import A, X, open_document, relations, row, xlsx


def read(folder: Path, name: str, data: bytes) -> list[Parsed]:
    path = folder / name
    path.write_bytes(data)
    return list(load(path))


def test_a_sheet_that_is_a_table_gives_a_document_per_row(tmp_path: Path) -> None:
    rows = (
        row(2, "Ships in harbour", first="B")
        + row(4, "Ship", "Length", "Code", "Arrived", first="B")
        + row(5, "Aurora", 120.0, "007", "2024-05-01", first="B")
        + row(7, "Borealis", 95.5, "012", "", first="B")
    )
    title, first, second = read(tmp_path, "a.xlsx", xlsx({"Ships": rows}))
    assert (title.text, title.key, title.title) == ("Ships in harbour", "preamble", "Harbour report")
    assert title.metadata["author"] == "Ada Byron"
    assert title.places == ((0, Place(cells="Ships!B2:E2")),)
    assert first.text == "Ship: Aurora\nLength: 120\nCode: 007\nArrived: 2024-05-01"
    assert (first.key, first.place) == ("row=5", Place(cells="Ships!B5:E5"))
    whose = {"author": "Ada Byron", "date": "2024-05-31T10:20:30+00:00"}  # of the workbook
    assert first.metadata == {**whose, "Ship": "Aurora", "Length": 120, "Code": "007", "Arrived": "2024-05-01"}
    assert second.text == "Ship: Borealis\nLength: 95.5\nCode: 012"
    assert second.place == Place(cells="Ships!B7:E7")


def test_a_sheet_that_is_none_is_text_with_its_cells(tmp_path: Path) -> None:
    form = (
        row(1, "Invoice 12") + row(3, "Customer", "", "Ada") + row(4, "Total", "", 1200) + row(6, "Thank you for all.")
    )
    comments = (
        f'<comments xmlns="{X}"><authors><author>Bo</author></authors><commentList><comment ref="C4" authorId="0">'
        "<text><r><t>Bo:</t></r><r><t> Paid?</t></r></text></comment></commentList></comments>"
    )
    drawing = (
        f'<d:wsDr xmlns:d="urn:d" xmlns:a="{A}"><d:twoCellAnchor><d:from><d:col>1</d:col><d:row>8</d:row></d:from>'
        "<d:sp><d:txBody><a:p><a:r><a:t>In a box.</a:t></a:r></a:p></d:txBody></d:sp></d:twoCellAnchor></d:wsDr>"
    )
    parts = {
        "xl/worksheets/_rels/sheet0.xml.rels": relations({"comments": "../c.xml", "drawing": "../d.xml"}),
        "xl/c.xml": comments,
        "xl/d.xml": drawing,
    }
    sheets = {"Form": form, "Empty": "", "Other": row(1, "Alone.")}
    text, notes, other = read(tmp_path, "a.xlsm", xlsx(sheets, parts))
    assert text.text == "Invoice 12\n\nCustomer | Ada\nTotal | 1200\n\nThank you for all."
    assert (text.title, text.key, text.metadata["sheet"]) == ("Harbour report: Form", "Form", "Form")
    assert text.places[1] == (12, Place(cells="Form!A3:C3"))
    assert (notes.text, notes.key) == ("Comment by Bo: Paid?\n\nIn a box.", "Form!notes")
    assert [place.cells for _, place in notes.places] == ["Form!C4", "Form!B9"]
    assert (other.text, other.key) == ("Alone.", "Other")


def test_open_sheets(tmp_path: Path) -> None:
    def cells(*texts: str) -> str:
        written = (
            f'<table:table-cell office:value-type="string"><text:p>{one}</text:p></table:table-cell>' for one in texts
        )
        return f"<table:table-row>{''.join(written)}</table:table-row>"

    body = cells("Ship", "Port") + cells("Aurora", "Busan") + cells("Borealis", "Oslo")
    one, two = read(
        tmp_path, "a.ods", open_document("spreadsheet", f'<table:table table:name="Ships">{body}</table:table>')
    )
    assert (one.text, two.key, two.place) == ("Ship: Aurora\nPort: Busan", "row=3", Place(cells="Ships!A3:B3"))


def test_a_long_sheet_of_text_is_several_documents(tmp_path: Path) -> None:
    rows = "".join(row(number, f"Line {number}.") for number in range(1, 602))
    first, second = read(tmp_path, "a.xlsx", xlsx({"Log": rows}))
    assert (first.key, second.key) == ("", "501")
    assert second.text.startswith("Line 501.\nLine 502.")
    assert second.places[0] == (0, Place(cells="Log!A501:A501"))
