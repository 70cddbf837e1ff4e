from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from tests.pdf_files import pdf


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


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("this is infor-\nmation enough", "information"),
        ("a com-\nputer", "computer"),
        ("under-\nstanding it", "understanding"),
        ("quickly rework-\ning it", "reworking"),
        ("Donaudampf-\nschiffe fahren", "Donaudampfschiffe"),
        ("the price-\ndetermining factor", "price-determining"),
        ("a state-of-\nthe-art plant", "state-of-the-art"),
        ("a state-\nof-the-art plant", "state-of-the-art"),
        ("twenty-\none of them", "twenty-one"),
        ("the COVID-\n19 wave", "COVID-19"),
        ("an Anglo-\nSaxon word", "Anglo-Saxon"),
        ("the years 2019-\n2020", "2019-2020"),
        ("zorbl-\nfrint, as a zorbl-frint is", "zorbl-frint, as"),
        ("sun-\nflower oil, or sunflower oil", "sunflower oil, or"),
        ("pre-\nand post-war", "pre- and post-war"),
    ],
)
def test_a_hyphen_at_a_line_end_goes_where_it_divides_a_word(tmp_path: Path, lines: str, text: str) -> None:
    assert text in " ".join(read(tmp_path, pdf([f"{lines}\nfor a test of it"])).text.split())


def widget(type: str, place: str, rest: str) -> str:
    return f"/Subtype /Widget /FT /{type} /Rect [{place}] {rest}"


FORM = (
    widget("Tx", "150 695 300 715", "/T (applicant) /V (Quincy Featherstone)"),
    widget("Tx", "300 681 400 699", "/T (a.b) /TU (Date of birth) /V <FEFF00310032002E00330034>"),
    widget("Tx", "150 600 300 615", "/T (secret) /Ff 8192 /V (hunter2)"),
    widget("Btn", "50 665 68 683", "/T (member) /V /Yes /AS /Yes"),
    widget("Btn", "50 651 68 669", "/T (other) /V /Off /AS /Off"),
    widget("Ch", "150 500 300 515", "/T (Colour) /Ff 131072 /Opt [(Red) (Green)] /V (Green)"),
    widget("Tx", "150 400 300 415", "/T (empty)"),
)


def test_values_of_a_form_stand_by_their_labels(tmp_path: Path) -> None:
    text = read(tmp_path, pdf(["Applicant:\nBorn on\nMember since 1999\nNever"], added=FORM)).text
    assert text.split("\n") == [
        "Applicant: Quincy Featherstone",
        "Born on: 12.34",
        "Member since 1999: yes",
        "Never",
        "Colour: Green",
    ]


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("/Subtype /FreeText /Rect [0 0 9 9] /Contents (Typed on the page)", "Typed on the page"),
        ("/Subtype /FreeText /Rect [0 0 9 9] /RC (<body><p>Rich words</p></body>)", "Rich words"),
        ("/Subtype /Text /Rect [0 0 9 9] /Contents (A sticky note)", "A sticky note"),
        ("/Subtype /Highlight /Rect [0 0 9 9] /Contents (words)", ""),  # what is highlighted
        ("/Subtype /Link /Rect [0 0 9 9] /Contents (A link)", ""),
    ],
)
def test_notes_are_read(tmp_path: Path, note: str, said: str) -> None:
    assert read(tmp_path, pdf(["The words"], added=(note,))).text == f"The words\n{said}".strip()


def test_a_page_of_notes_alone_has_text(tmp_path: Path) -> None:
    assert (
        read(tmp_path, pdf([""], added=("/Subtype /FreeText /Rect [0 0 9 9] /Contents (Only this)",))).text
        == "Only this"
    )


@pytest.mark.parametrize(
    "title",
    [
        "untitled", "(anonymous)", "Untitled-1", "Microsoft Word - letter.doc", "Microsoft Word - Document3",
        "thesis.dvi",
        "C:\\\\Users\\\\x\\\\a b.docx", "Document1", "PowerPoint Presentation", "Slide 1", "(unspecified)", "null",
        "- - -", "Scan_20240101.pdf", "about:blank", "file:///tmp/x", "",
    ],
)  # fmt: skip
def test_a_title_that_says_nothing_is_none(tmp_path: Path, title: str) -> None:
    escaped = title.replace("(", "\\(").replace(")", "\\)")
    assert read(tmp_path, pdf(["words"], info=f"/Title ({escaped})")).title == ""


@pytest.mark.parametrize(
    "title", ["Microsoft Word - Otters of Wales", "1984", "Node.js", "A document of otters", "C++"]
)
def test_a_title_that_says_something_is_one(tmp_path: Path, title: str) -> None:
    assert read(tmp_path, pdf(["words"], info=f"/Title ({title})")).title == title.removeprefix("Microsoft Word - ")


def test_a_damaged_field_costs_itself(tmp_path: Path) -> None:
    info = "/Author <FEFFD800> /Title <FEFF0041D8000042> /Subject (unspecified) /CreationDate (D:9999999999)"
    parsed = read(tmp_path, pdf(["words"], info=info))
    assert (parsed.title, parsed.metadata) == ("AB", {"pages": 1})


def test_a_pdf_under_another_name_is_still_one(tmp_path: Path) -> None:
    assert read(tmp_path, pdf(["words"]), "a.txt").type == "application/pdf"


ENCRYPTED = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<00><00>]"


@pytest.mark.fault("19")
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


@pytest.mark.fault("19")
def test_a_truncated_pdf_gives_words_or_an_error_at_every_length(tmp_path: Path) -> None:
    whole = pdf(["one", "two"], info=INFO)
    for length in range(10, len(whole), 37):
        try:
            assert read(tmp_path, whole[:length]).text
        except FileMalformed as error:
            assert "it " in str(error)


def beside(*cells: str) -> str:
    """Return a line whose cells stand 150 points from each other."""
    return ") Tj 150 0 Td (".join(cells) + f") Tj -{150 * (len(cells) - 1)} 0 Td ("


def test_cells_of_a_table_are_set_apart(tmp_path: Path) -> None:
    rows = [beside("Ship", "Length", "Crew"), beside("Ada", "12 m", "3"), beside("Bo", "9 m"), beside("Cy", "", "4")]
    text = read(tmp_path, pdf(["\n".join(["The ships", *rows, "and no other"])])).text
    assert text.split("\n") == [
        "The ships", "Ship | Length | Crew", "Ada | 12 m | 3", "Bo | 9 m", "Cy |  | 4", "and no other"
    ]  # fmt: skip
    labels = [beside("Name:", "Ada"), beside("Harbour:", "North"), beside("Length:", "12 m")]
    assert read(tmp_path, pdf(["\n".join(labels)])).text == "Name: Ada\nHarbour: North\nLength: 12 m"


def test_columns_that_were_written_line_by_line_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = [f"the left column goes on {n}" for n in range(8)]
    right = [f"the right column goes on {n}" for n in range(8)]
    lines = [f"{one}) Tj 250 0 Td ({other}) Tj -250 0 Td (" for one, other in zip(left, right, strict=True)]
    assert read(tmp_path, pdf(["\n".join(lines)])).text.split("\n") == [*left, *right]


def test_an_outline_gives_the_headings(tmp_path: Path) -> None:
    data = pdf(["1.2 The harbour\nof the town", "Boats\nThe harbour again\nTHE  HARBOUR"])
    places = [(5, "The harbour", "10 0 R"), (7, "Boats", "11 0 R"), (7, "Nowhere", "")]
    outline = "9 0 obj\n<< /Type /Outlines /First 10 0 R /Last 12 0 R /Count 3 >>\nendobj\n"
    for number, (page, title, _) in enumerate(places, 10):
        after = f"/Next {number + 1} 0 R" if number < 12 else ""
        outline += f"{number} 0 obj\n<< /Title ({title}) /Parent 9 0 R /Dest [{page} 0 R /Fit] {after} >>\nendobj\n"
    data = data.replace(b"/Type /Catalog", b"/Type /Catalog /Outlines 9 0 R")
    parsed = read(tmp_path, data[: data.index(b"xref")] + outline.encode() + b"trailer << /Root 1 0 R >>")
    assert [(one.level, one.text, one.start) for one in parsed.headings] == [
        (1, "1.2 The harbour", 0),
        (1, "Boats", parsed.page_starts[1]),
    ]
