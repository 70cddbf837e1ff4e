from pathlib import Path

import pytest

from indexer.loaders.base import load
from search.errors import FileMalformed
from search.types import Parsed


def pdf(pages: list[str], extra: str = "", info: str = "", kids: str = "", count: int | None = None) -> bytes:
    """Write a PDF by hand; each page is given as the lines that it shows."""
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids or ' '.join(f'{5 + 2 * n} 0 R' for n in range(len(pages)))}] "
        f"/Count {len(pages) if count is None else count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< {info} >>",
    ]
    for number, lines in enumerate(pages):
        shown = " ".join(f"({line}) Tj 0 -14 Td" for line in lines.split("\n"))
        stream = f"BT /F1 12 Tf 72 700 Td {shown} ET" if lines else ""
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {6 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    data, places = "%PDF-1.7\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    data += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}"
    size = len(places) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R /Info 4 0 R {extra} >>\nstartxref\n{data.index('xref')}\n%%EOF\n"
    return (data + trailer).encode("latin-1")


def read(folder: Path, data: bytes, name: str = "a.pdf") -> Parsed:
    path = folder / name
    path.write_bytes(data)
    (parsed,) = load(path)
    return parsed


INFO = "/Title (A title) /Author (Ada) /CreationDate (D:20240131235959+09'00')"


def test_pages_title_and_date(tmp_path: Path) -> None:
    parsed = read(tmp_path, pdf(["First page", "", "Third page\nsecond line"], info=INFO))
    assert parsed.text == "First page\n\nThird page\nsecond line"
    assert parsed.page_starts == (0, 12, 12)
    assert (parsed.type, parsed.title) == ("application/pdf", "A title")
    assert parsed.metadata == {"author": "Ada", "date": "2024-01-31T23:59:59+09:00", "pages": 3}


def test_words_divided_at_a_line_end_are_joined(tmp_path: Path) -> None:
    assert "information" in read(tmp_path, pdf(["this is infor-\nmation enough\nfor a test"])).text


@pytest.mark.parametrize("title", ["untitled", "Microsoft Word - letter.doc", "thesis.dvi", ""])
def test_a_title_that_says_nothing_is_none(tmp_path: Path, title: str) -> None:
    assert read(tmp_path, pdf(["words"], info=f"/Title ({title})")).title == ""


def test_a_pdf_under_another_name_is_still_one(tmp_path: Path) -> None:
    assert read(tmp_path, pdf(["words"]), "a.txt").type == "application/pdf"


ENCRYPTED = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<00><00>]"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdf(["secret"], ENCRYPTED), "encrypted"),
        (pdf([""]), "no text"),
        (b"%PDF-1.7\n" + b"junk " * 500, "damaged"),
        (b"%PDF-1.7\n", "damaged"),
        (pdf([], kids="2 0 R 2 0 R", count=2), "no text"),
        (pdf([], kids="2 0 R", count=2**31 - 1), "no text|damaged"),
    ],
    ids=["encrypted", "blank", "junk", "header only", "looping page tree", "lying page count"],
)
def test_bad_pdfs_are_named(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(FileMalformed, match=reason):
        read(tmp_path, data)


def test_a_truncated_pdf_gives_words_or_an_error_at_every_length(tmp_path: Path) -> None:
    whole = pdf(["one", "two"], info=INFO)
    for length in range(10, len(whole), 37):
        try:
            assert read(tmp_path, whole[:length]).text
        except FileMalformed as error:
            assert "it " in str(error)
