"""Documents and presentations: text in reading order, headings, tables, notes, places, and what is known of them."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quarry.indexer.chunking import chunk
from quarry.indexer.loaders.loading import load
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests import office_files as made
from tests.office_files import A, P, W, docx, paragraph, pptx, relations, shape, slide

KNOWN = {"author": "Ada Byron", "date": "2024-05-31T10:20:30+00:00", "keywords": "tides"}


def read(folder: Path, name: str, data: bytes) -> Parsed:
    path = folder / name
    path.write_bytes(data)
    (parsed,) = load(path)
    return parsed


def headings(parsed: Parsed) -> list[tuple[int, str]]:
    for heading in parsed.headings:
        assert parsed.text[heading.start :].startswith(heading.text)
    return [(heading.level, heading.text) for heading in parsed.headings]


def run(inner: str) -> str:
    return f"<w:p><w:r>{inner}</w:r></w:p>"


def table(*rows: tuple[str, ...]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def test_a_word_document_is_read_in_order_with_its_headings(tmp_path: Path) -> None:
    item = f"<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>{'{}'}</w:t></w:r></w:p>"
    body = "".join(
        [
            paragraph("Tides of the harbour", "T"),
            paragraph("Contents 1", "C1"),
            paragraph("Currents", "1"),
            "<w:p><w:r><w:t>High</w:t><w:tab/><w:t>water</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
            "<w:ins><w:r><w:t xml:space='preserve'> came</w:t></w:r></w:ins>"
            "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>",
            item.format("one"),
            item.format("two"),
            paragraph("Based on another style", "2"),
            table(("Month", "Level"), ("May", "3 m")),
            table(("A lone cell is a paragraph.",)),
            "<w:sdt><w:sdtContent>" + paragraph("Controlled.") + "</w:sdtContent></w:sdt>",
            "<w:p><m:oMath xmlns:m='urn:m'><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num>"
            "<m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>",
        ]
    )
    parsed = read(tmp_path, "a.docx", docx(body))
    assert parsed.text == (
        "Tides of the harbour\n\nCurrents\n\nHigh\twater came\n\none\ntwo\n\nBased on another style\n\n"
        "Month | Level\nMay | 3 m\n\nA lone cell is a paragraph.\n\nControlled.\n\n(a+b)/2"
    )
    assert headings(parsed) == [(1, "Tides of the harbour"), (1, "Currents"), (1, "Based on another style")]
    assert (parsed.title, parsed.metadata, parsed.page_starts) == ("Harbour report", KNOWN, ())


def test_notes_comments_boxes_and_margins_of_a_word_document(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{paragraph('In a box.')}</w:txbxContent>"
    body = (
        '<w:p><w:r><w:t>Noted.</w:t><w:footnoteReference w:id="2"/><w:commentReference w:id="0"/></w:r></w:p>'
        f"<w:p><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>" + paragraph("After.")
    )

    def part(name: str, inner: str) -> str:
        return f'<w:{name} xmlns:w="{W}">{inner}</w:{name}>'

    separator = f'<w:footnote w:id="0" w:type="separator">{paragraph("---")}</w:footnote>'
    parts: dict[str, str | bytes] = {
        "word/notes.xml": part("footnotes", f'{separator}<w:footnote w:id="2">{paragraph("The note.")}</w:footnote>'),
        "word/c.xml": part("comments", f'<w:comment w:id="0" w:author="Bo">{paragraph("Why?")}</w:comment>'),
        "word/h1.xml": part("hdr", paragraph("Harbour office")),
        "word/h2.xml": part("hdr", paragraph("Harbour office") + paragraph("1")),
        "word/vbaProject.bin": b"\x00macro",
    }
    targets = {"footnotes": "notes.xml", "comments": "c.xml", "header#a": "h1.xml", "header#b": "/word/h2.xml"}
    parsed = read(tmp_path, "a.docm", docx(body, parts, targets))
    assert parsed.text == "Noted.\n\nThe note.\n\nComment by Bo: Why?\n\nIn a box.\n\nAfter.\n\nHarbour office"


@pytest.mark.parametrize(("pages", "starts"), [("2", (0, 12)), ("3", ())])
def test_pages_of_a_word_document_are_told_where_word_counted_them_alike(
    tmp_path: Path, pages: str, starts: tuple[int, ...]
) -> None:
    body = paragraph("First one.") + run("<w:lastRenderedPageBreak/><w:t>Second one.</w:t>")
    app = f'<Properties xmlns="urn:app"><Pages>{pages}</Pages></Properties>'
    parsed = read(tmp_path, "a.docx", docx(body, {"docProps/app.xml": app}))
    assert (parsed.text, parsed.page_starts) == ("First one.\n\nSecond one.", starts)


def test_slides_are_pages(tmp_path: Path) -> None:
    row = "<a:tr>{}</a:tr>".format
    cell = "<a:tc><p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></a:tc>".format
    frame = (
        f'<p:graphicFrame><a:tbl xmlns:a="{A}">{row(cell("Port") + cell("Ships"))}{row(cell("Busan") + cell("7"))}'
        "</a:tbl></p:graphicFrame>"
    )
    chart = (
        f'<c:chartSpace xmlns:c="urn:c" xmlns:a="{A}"><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Ships</a:t></a:r>'
        "</a:p></c:rich></c:tx></c:title><c:ser><c:tx><c:strRef><c:strCache><c:pt idx='0'><c:v>Count</c:v></c:pt>"
        "</c:strCache></c:strRef></c:tx><c:cat><c:pt idx='0'><c:v>May</c:v></c:pt></c:cat>"
        "<c:val><c:pt idx='0'><c:v>3</c:v></c:pt></c:val></c:ser></c:chart></c:chartSpace>"
    )
    drawn = '<p:graphicFrame><c:chart xmlns:c="urn:c" r:id="c1"/></p:graphicFrame>'
    slides = [
        slide(
            shape("Body text\nof two lines")
            + shape("Opening", "ctrTitle")
            + shape("Footer", "ftr")
            + shape("1", "sldNum")
        ),
        slide(""),
        slide(f"<p:grpSp>{shape('Grouped.')}</p:grpSp>{frame}{drawn}{shape('Footer', 'ftr')}"),
    ]
    parts = {
        "ppt/slides/_rels/slide2.xml.rels": relations(
            {"notesSlide": "../n.xml", "chart#c1": "../chart.xml", "comments": "../c.xml"}
        ),
        "ppt/n.xml": slide(shape("Say hello.", "body") + shape("3", "sldNum"), "notes"),
        "ppt/chart.xml": chart,
        "ppt/c.xml": f'<p:cmLst xmlns:p="{P}"><p:cm authorId="0"><p:text>Shorter!</p:text></p:cm></p:cmLst>',
        "ppt/a.xml": f'<p:cmAuthorLst xmlns:p="{P}"><p:cmAuthor id="0" name="Bo"/></p:cmAuthorLst>',
    }
    parsed = read(tmp_path, "a.pptx", pptx(slides, parts, {"commentAuthors": "a.xml"}))
    assert parsed.text == (
        "Opening\n\nBody text\nof two lines\n\nFooter\n\nGrouped.\n\nPort | Ships\nBusan | 7\n\n"
        "Ships\n\n| Count\nMay | 3\n\n"
        "Notes: Say hello.\n\nComment by Bo: Shorter!"
    )
    assert [parsed.text[start : start + 7] for start in parsed.page_starts] == ["Opening", "Grouped", "Grouped"]
    assert headings(parsed) == [(2, "Opening")]
    assert parsed.metadata == {**KNOWN, "slides": 3}


def test_open_documents(tmp_path: Path) -> None:
    p = "<text:p>{}</text:p>".format
    cell = "<table:table-cell>{}</table:table-cell>".format
    body = (
        "<text:tracked-changes><text:p>Deleted.</text:p></text:tracked-changes>"
        '<text:h text:outline-level="2">Currents</text:h>'
        + p("High<text:s text:c='2'/>water<text:note><text:note-citation>1</text:note-citation><text:note-body>"
            f"{p('The note.')}</text:note-body></text:note>.<office:annotation><dc:creator>Bo</dc:creator>{p('Why?')}"
            "</office:annotation>")
        + f"<text:list>{''.join(f'<text:list-item>{p(one)}</text:list-item>' for one in ('one', 'two'))}</text:list>"
        + f"<table:table><table:table-row>{cell(p('Month'))}{cell(p('Level'))}</table:table-row><table:table-row>"
        + cell(p("May")) + cell(p("3 m")) + "<table:table-cell table:number-columns-repeated='1000000'/>"
        + "</table:table-row></table:table>"
        + p(f"<draw:frame><draw:text-box>{p('In a box.')}</draw:text-box></draw:frame>")
    )  # fmt: skip
    parsed = read(tmp_path, "a.odt", made.open_document("text", body))
    assert parsed.text == (
        "Currents\n\nHigh  water.\n\nThe note.\n\nComment by Bo: Why?\n\none\ntwo\n\n"
        "Month | Level\nMay | 3 m\n\nIn a box."
    )
    assert (parsed.title, headings(parsed)) == ("Harbour report", [(2, "Currents")])
    assert parsed.metadata == {**KNOWN, "date": "2024-05-31T10:20:30", "keywords": ["tides"]}
    box = "<draw:frame presentation:class='{}'><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>".format
    notes = f"<presentation:notes>{box('notes', 'Say hello.')}</presentation:notes>"
    first, second = box("outline", "Body.") + box("title", "Opening") + notes, box("", "Two.")
    pages = f"<draw:page>{first}</draw:page><draw:page>{second}</draw:page>"
    parsed = read(tmp_path, "a.odp", made.open_document("presentation", pages))
    assert parsed.text == "Opening\n\nBody.\n\nNotes: Say hello.\n\nTwo."
    assert (parsed.page_starts, headings(parsed), parsed.metadata["slides"]) == ((0, 35), [(2, "Opening")], 2)


def test_books_are_read_in_the_order_of_their_spine(tmp_path: Path) -> None:
    parsed = read(
        tmp_path, "a.epub", made.epub(["<h1>One</h1><p>First &amp; <b>best</b>.</p>", "<h2>Two</h2><p>End.</p>"])
    )
    assert parsed.text == "One\n\nFirst & best.\n\nTwo\n\nEnd."
    assert headings(parsed) == [(1, "One"), (2, "Two")]
    assert (parsed.title, parsed.metadata) == (
        "Harbour report",
        {"author": "Ada Byron", "date": "2024-05-31", "lang": "en"},
    )


def test_rich_text(tmp_path: Path) -> None:
    text = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset129 Batang;}}{\stylesheet{\s1 heading 1;}}"
        rb"{\info{\title Harbour report}{\author Ada Byron}{\creatim\yr2024\mo5\dy31\hr10\min20}}"
        rb"{\*\generator none;}{\header Harbour office\par}\pard\s1 Currents\par\pard\plain High\tab water\'85 caf\'e9"
        rb"{\deleted gone}{\v hidden} \u8364 ?{\footnote\pard The note.\par}\par"
        rb"{\f1 \'b0\'a1\'b3\'aa}\u-10179 ?\u-8704 ?\par"
        rb"\trowd\intbl Month\cell Level\cell\row\trowd\intbl May\cell 3 m\cell\row\pard"
        rb"{\pict 0102}\{End\}\line .\par}"
    )
    parsed = read(tmp_path, "a.rtf", text)
    assert parsed.text == (
        "Currents\n\nHigh\twater… café €\n\nThe note.\n\n가나😀\n\n"
        "Month | Level\nMay | 3 m\n\n{End}\n.\n\nHarbour office"
    )
    assert (parsed.title, headings(parsed)) == ("Harbour report", [(1, "Currents")])
    assert parsed.metadata == {"author": "Ada Byron", "date": "2024-05-31T10:20:00"}
    assert read(tmp_path, "a.doc", text).type == "application/rtf"  # whose name is of another time


class Words:
    """A tokenizer of words."""

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        return np.array([match.span() for match in re.finditer(r"\S+", text)], np.int64).reshape(-1, 2)


def test_a_passage_stands_at_all_places_that_it_goes_over() -> None:
    text = "one two three\nfour five six\nseven eight nine"
    places = tuple(
        (text.index(word), Place(cells=f"S 1!B{n}:D{n}")) for word, n in (("one", 9), ("four", 10), ("seven", 11))
    )
    found = chunk(Parsed(text, "x", places=places), Words(), max_tokens=6, target=6)
    assert [one.place and one.place.cells for one in found] == ["S 1!B9:D9", "S 1!B10:D11"]
    assert Place(seconds=(1, 2)).through(Place(seconds=(3, 4))) == Place(seconds=(1, 4))
