from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from quarry.api.cli.places import line_of, place, place_of
from quarry.search.types import Document, Hit
from quarry.search.values.places import Place

PAGE = """<html><head><title>The Web</title></head>
<body>
<h1>The Web</h1>
<p class="a
b">The Web is a system of
<b>linked</b>, open pages &amp; files. It grew.</p>
"""


def document(path: str | Path, type: str = "text/plain") -> Document:
    return Document("1", os.fspath(path), "title", type, {})


@pytest.mark.parametrize(
    ("name", "type", "content", "sentence", "line"),
    [
        ("a.md", "text/markdown", "# One\n\nIt is so\nand not so. Or is it?\n", "It is so\nand not so.", 3),
        ("a.md", "text/markdown", "# One\n\nIt is so\nand not so. Or is it?\n", "Or is it?", 4),
        ("a.txt", "text/plain", "One.\r\n\r\nTwo\r\nthree.\r\n", "Two\nthree.", 3),
        ("a.txt", "text/plain", "Why (a+b)*?\nWhat?", "What?", 2),
        ("a.html", "text/html", PAGE, "The Web is a system of linked, open pages & files.", 5),
        ("a.html", "text/html", PAGE, "The Web\n\nThe Web is a system of linked, open pages & files.", 3),
        ("a.html", "text/html", PAGE, "It grew.", 6),
        ("a.py", "text/x-python", 'x = 1\n"""It is so."""\n', "It is so.", 2),
        ("a.txt", "text/plain", "One.", "Two.", None),  # it has changed since
        ("a.txt", "text/plain", "One.", " ", None),
        ("a.pdf", "application/pdf", "One.", "One.", None),  # has pages instead
    ],
)
def test_a_line_is_the_one_at_which_the_sentence_begins(
    tmp_path: Path, name: str, type: str, content: str, sentence: str, line: int | None
) -> None:
    file = tmp_path / name
    file.write_bytes(content.encode())
    assert line_of(document(file, type), sentence) == line


def test_what_is_no_file_has_no_lines(tmp_path: Path) -> None:
    assert line_of(document(tmp_path / "gone.md"), "One.") is None
    assert line_of(document(f"{tmp_path}/table.csv#row=3", "text/csv"), "One.") is None
    assert line_of(document("quarry:upload/1"), "One.") is None


def test_a_place_is_what_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place(document(tmp_path / "notes" / "a.md"), None, 12) == "notes/a.md:12"
    assert place(document(tmp_path / "a.pdf"), 3, None) == "a.pdf#page=3"
    slides = replace(document(tmp_path / "a.ppt"), type="application/vnd.ms-powerpoint")
    assert place(slides, 3, None) == "a.ppt#slide=3"
    assert place(document("/elsewhere/a.md"), None, None) == "/elsewhere/a.md"
    assert place(document("/elsewhere/a\x1b[31m.md"), None, None) == "/elsewhere/a [31m.md"
    at = {
        "a.md:13": Place(lines=(12, 15)),  # of the first match
        "a.srt#t=83": Place(seconds=(83.5, 90.0)),
        "a.xlsx#Ships!row=5 Ships!B5:E5": Place(cells="Ships!B5:E5"),
        "box.zip#in/mail.eml": None,
    }
    for told, where in at.items():
        uri = told.partition(" ")[0].partition(":")[0].removesuffix("#t=83")
        hit = Hit("1", 1.0, 1.0, document(f"/elsewhere/{uri}"), "One line.\nAnother.", 0, 18, highlights=((10, 17),))
        assert place_of(replace(hit, place=where)) == f"/elsewhere/{told}"
