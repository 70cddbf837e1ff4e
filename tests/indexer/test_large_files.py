"""Files of any length: read in parts, in memory that does not grow with them, and told how far."""

import json
import os
from pathlib import Path

import pytest

import quarry.indexer.pipeline
import quarry.indexer.storing
from quarry.api.library import Library
from quarry.indexer.estimate import WHOLE, Estimate
from quarry.indexer.formats import FORMATS
from quarry.indexer.loaders import dividing
from quarry.indexer.loaders.base import MEBIBYTE, Listener
from quarry.indexer.loaders.dividing import divided
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.office import elements, large_sheets, sheets
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.tables import records
from quarry.indexer.loaders.texts import text
from quarry.search.errors import FileMalformed
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.files import FileStat
from quarry.search.types import Heading, Parsed
from quarry.search.values.places import Place
from tests import office_files as made

LINE = "The tide gauge of the harbour was read every hour, and the readings were written down by hand.\n"


def test_a_long_document_is_several_that_know_where_they_stand() -> None:
    pages = [f"Page {number} tells of it.\n" + "words " * 20 for number in range(1, 41)]
    starts = tuple(sum(len(page) + 2 for page in pages[:number]) for number in range(40))
    whole = Parsed(
        "\n\n".join(pages).strip(),
        "application/pdf",
        "Tides",
        page_starts=starts,
        headings=(Heading(0, 1, "One"), Heading(starts[1], 2, "Under"), Heading(starts[30], 1, "Two")),
    )
    parts = list(divided(whole, 1_000))
    assert [part.key for part in parts] == [f"part={number}" for number in range(1, len(parts) + 1)]
    assert "".join("".join(part.text.split()) for part in parts) == "".join(whole.text.split())
    for part in parts:
        assert len(part.text) <= 1_000 and part.title == "Tides"
        for number, start in enumerate(part.page_starts, 1):
            assert start == 0 or part.text[start:].startswith(f"Page {number} ")
    assert parts[1].headings == (Heading(0, 1, "One"), Heading(0, 2, "Under"))
    lines = Parsed("a\nb\n\nc\nd", "text/plain", key="id=7", place=Place(lines=(3, 7)))
    assert [(part.text, part.key, part.place) for part in divided(lines, 5)] == [
        ("a\nb", "id=7#part=1", Place(lines=(3, 4))),
        ("c\nd", "id=7#part=2", Place(lines=(6, 7))),
    ]
    assert list(divided(lines)) == [lines]
    assert [part.text for part in divided(Parsed(f"a{' ' * 50}b", "text/plain"), 5)] == ["a", "b"]


def test_a_large_text_is_read_in_parts_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held at once, 40 MB of it would take several times as much; the child has some 100 MB to spare."""
    large, growing = tmp_path / "large.txt", tmp_path / "growing.log"
    large.write_text(LINE * (40 * MEBIBYTE // len(LINE)))
    growing.write_bytes("".join(f"{number} 물\r\n" for number in range(300)).encode())
    with Sandbox(memory=250 * MEBIBYTE) as sandbox:
        parts = list(sandbox.load(large))
    assert sum(part.text.count("\n") + 1 for part in parts) == 40 * MEBIBYTE // len(LINE)
    monkeypatch.setattr(text, "LONGEST", 1_000)
    monkeypatch.setattr(dividing, "PIECE", 900)
    before = list(load(growing))
    assert len(before) > 1 and [part.key for part in before[:2]] == ["part=1", "part=2"]
    for part in before:
        first = int(part.text.split()[0])
        assert part.place == Place(lines=(first + 1, first + 1 + part.text.count("\n")))
    with growing.open("a") as file:
        file.write("more\n" * 100)
    assert list(load(growing))[: len(before) - 1] == before[:-1]


def test_a_large_workbook_reads_as_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readers give the same: dates by their styles, shared texts, truth values, errors, formulas."""
    cells = (
        '<row r="2"><c r="B2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c r="D2" t="str"><v>When</v></c></row>'
        '<row r="3"><c r="B3" t="inlineStr"><is><r><t>Au</t></r><r><t xml:space="preserve">rora </t></r></is></c>'
        '<c r="C3" s="1"><v>45413.5</v></c><c r="D3" s="2"><f>1+2</f><v>3.25</v></c></row>'
        '<row r="5"><c r="B5" t="b"><v>1</v></c><c r="C5" s="3"><v>45413</v></c><c r="D5" t="e"><v>#N/A</v></c></row>'
        '<row r="6"><c t="s" r="B6"><v>2</v></c><c r="C6" s="4"><v>0.25</v></c><c r="D6"><v>1e3</v></c><c r="F6"/>'
        "</row>"
    )
    shared = f'<sst xmlns="{made.X}"><si><t>Ship</t></si><si><r><t>Arr</t></r><r><t>ived</t></r></si>'
    styles = (
        f'<styleSheet xmlns="{made.X}"><numFmts><numFmt numFmtId="170" formatCode="yyyy\\-mm\\-dd"/>'
        '<numFmt numFmtId="171" formatCode="0.00&quot; days&quot;"/></numFmts><cellXfs><xf numFmtId="0"/>'
        '<xf numFmtId="22"/><xf numFmtId="171"/><xf numFmtId="170"/><xf numFmtId="20"/></cellXfs></styleSheet>'
    )
    parts = {
        "xl/sharedStrings.xml": shared + "<si><t>물 &amp; water</t><rPh><t>mul</t></rPh></si></sst>",
        "xl/styles.xml": styles,
        "xl/_rels/workbook.xml.rels": made.relations(
            {
                "worksheet#s0": "worksheets/sheet0.xml",
                "worksheet#s1": "worksheets/sheet1.xml",
                "sharedStrings": "sharedStrings.xml",
                "styles": "styles.xml",
            }
        ),
    }
    path = tmp_path / "a.xlsx"
    path.write_bytes(made.xlsx({"Ships": cells, "Form": made.row(4, "Alone", "", 7, first="C")}, parts))
    small = list(load(path))
    monkeypatch.setattr(sheets, "_LARGE", 0)
    shares: list[float] = []
    assert list(load(path, watch=Listener(shares.append))) == small
    assert max(shares) == 1.0
    assert "물 & water" in small[-2].text

    relations = str(parts["xl/_rels/workbook.xml.rels"]).replace("sheet1.xml", "sheet0.xml")
    twice = {**parts, "xl/_rels/workbook.xml.rels": relations}
    path.write_bytes(made.xlsx({"Ships": cells, "Again": cells}, twice))
    assert len({one.text for one in load(path)}) == len(list(load(path)))
    monkeypatch.setattr(large_sheets, "_MOST", 100)
    with pytest.raises(FileMalformed, match="inflates to more than"):
        list(load(path))


def test_a_large_array_is_read_an_object_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    rows = [{"id": number, "text": f"물 {number} [{{", "n": 1.50} for number in range(300)]
    written = {
        "good": json.dumps([*rows, 12, "words"], indent=1),
        "broken": json.dumps(rows)[:-300],
        "other": '{"text": "not an array"}',
        "flat": "[1, 2, 3]",
        "empty": " [ ] ",
    }
    for name, written_so in written.items():
        path.write_text(written_so)
        monkeypatch.setattr(records, "_LARGE", 10**9)
        whole = list(load(path)) if name != "broken" else []
        for attribute, value in (("_LARGE", 0), ("_BLOCK", 7)):
            monkeypatch.setattr(records, attribute, value)
        if name == "good":
            found = list(load(path))
            assert [one.key for one in found[-3:]] == ["id=299", "row=301", "row=302"]
            path.write_text(json.dumps(rows))
            monkeypatch.setattr(records, "_LARGE", 10**9)
            assert list(load(path)) == found[:-2]
        elif name == "broken":
            with pytest.raises(FileMalformed, match=r"after 29\d elements"):
                list(load(path))
        else:
            assert list(load(path)) == whole


GREEDY = "[0" + ',{"":0}' * 2_000_000 + "]"  # 14 MB that become 400


@pytest.mark.fault("19")
def test_a_member_that_ends_the_parser_costs_no_other(tmp_path: Path) -> None:
    box, mail = tmp_path / "box.zip", tmp_path / "mail.eml"
    files: dict[str, str | bytes] = {f"{number}.txt": f"Text {number}." for number in range(4)}
    box.write_bytes(made.zipped({"0.txt": files["0.txt"], "greedy.json": GREEDY, **files, "last.xyz": "?"}))
    with Sandbox(memory=300 * MEBIBYTE) as sandbox:
        found = []
        with pytest.raises(FileMalformed, match=r"1 of its 6 members .*greedy.json: it needs more memory"):
            for parsed in sandbox.load(box):
                found.append(parsed.key)
        assert found == list(files)
        mail.write_text(
            'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nHello.\n--b\n'
            'Content-Type: application/json; name="g.json"\n'
            f"Content-Disposition: attachment\n\n{GREEDY}\n--b\nContent-Type: message/rfc822\n\n"
            'Subject: Passed on\n\nMoons.\n--b\nContent-Type: text/plain; name="c.txt"\n'
            "Content-Disposition: attachment\n\nTides.\n--b--\n"
        )
        with pytest.raises(FileMalformed, match=r"g.json: it needs more memory"):
            for parsed in sandbox.load(mail):
                found.append(parsed.text)
        assert found[-3:] == ["Hello.", "Moons.", "Tides."]


def test_one_long_document_is_told_of_while_it_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarry.indexer.storing, "PORTION", 4)
    told: list[tuple[int, int, int]] = []

    class Told:
        def start(self, files: int, size: int) -> None:
            pass

        def advance(self, files: int, size: int, passages: int) -> None:
            told.append((files, size, passages))

        def note(self, text: str) -> None:
            pass

    path = tmp_path / "a.txt"
    path.write_text("".join(f"{number} {LINE}" for number in range(200)))
    with Library(tmp_path / "library", models=FakeModels()) as library:
        report = library.index(path, progress=Told())
    assert len(told) > 5 and sum(passages for _, _, passages in told) == report.passages
    assert sum(size for _, size, _ in told) == WHOLE and told[len(told) // 2][1] > 0
    assert max(size for _, size, _ in told) < WHOLE / 2


def test_what_is_left_of_a_large_file_is_known_by_what_was_read() -> None:
    """A mailbox holds more text than a mailbox does as a rule: that half of it is left is told all the same."""
    file = FileStat("/r/a.mbox", 1_000_000, 0, 0, 0)
    estimate = Estimate([file])
    done = 0
    for number in range(50):
        estimate.read(file, 19_000, number / 100)
        done += estimate.steps()
    assert done / WHOLE == pytest.approx(0.49, abs=0.03)


def test_what_takes_many_times_its_size_is_plain_text_or_refused_beyond_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree of its parts would take more than a parser may: lines of it can be found all the same."""
    path = tmp_path / "a.org"
    path.write_text("* Tides\n" + LINE)
    os.truncate(path, 49 * MEBIBYTE)
    assert FORMATS[".org"].of_size(path.stat().st_size).loader == "texts/text"
    assert FORMATS[".org"].of_size(1_000).loader == "texts/org"
    mail = tmp_path / "a.eml"
    mail.write_text("From: a@b.c\n\nHello.\n")
    os.truncate(mail, 65 * MEBIBYTE)
    with pytest.raises(FileMalformed, match="larger than 64 MiB"):
        list(load(mail))
    values = tmp_path / "a.json"
    values.write_text('{"a": [1, 2, 3, 4]}')
    monkeypatch.setattr(records, "_MOST_VALUES", 2)
    with pytest.raises(FileMalformed, match="make it JSON Lines"):
        list(load(values))
    monkeypatch.setattr(elements, "_MOST", 4)
    with pytest.raises(FileMalformed, match="more than 2 elements"):
        elements.tree(b"<a><b/><b/><b/></a>")
