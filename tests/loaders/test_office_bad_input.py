"""Office files that are damaged, locked, hostile or something else: each is read or refused by name."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from quarry.indexer.loaders.archives import zipped
from quarry.indexer.loaders.base import MEBIBYTE
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.office import sheets
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import FileMalformed, LoadError
from tests import office_files as made
from tests.loaders.office_samples import WORDS, mutations, samples

ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
LOCKED = made.compound({"EncryptionInfo": b"x", "EncryptedPackage": b"x"})
WIDE = made.row(1, "x") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
SPACES = "<w:p/>" + " " * (zipped.MOST_OF_ONE)


def test_every_sample_is_read(tmp_path: Path) -> None:
    for name, data in samples().items():
        path = tmp_path / name
        path.write_bytes(data)
        if name.endswith(".doc"):
            with pytest.raises(FileMalformed, match=r"save it as \.docx"):
                list(load(path))
        else:
            assert WORDS in " ".join(parsed.text for parsed in load(path)), name


@pytest.mark.fault("19")
@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        *((f"a.{suffix}", LOCKED, "encrypted") for suffix in ("docx", "xlsx", "pptx", "doc", "xls", "ppt", "hwp")),
        ("a.odt", made.open_document("text", "", {"META-INF/manifest.xml": "<m><encryption-data/></m>"}), "encrypted"),
        ("a.ods", made.open_document("text", "", {"META-INF/manifest.xml": "<m><encryption-data/></m>"}), "encrypted"),
        (
            "a.epub",
            made.epub(["x"], {"META-INF/encryption.xml": "<e><EncryptedData><EncryptionMethod/></EncryptedData></e>"}),
            "encrypted by its seller",
        ),
        ("a.docx", made.zipped({"photo.jpg": b"x"}), "without a document"),
        ("a.docx", made.docx("", {"word/media/image1.png": b"x"}), "only pictures"),
        ("a.docx", made.xlsx({"One": ""}), r"Excel workbook \(\.xlsx\)"),
        ("a.pptx", made.docx(""), r"Word document \(\.docx\)"),
        ("a.xlsx", made.zipped({"photo.jpg": b"x"}), "can't be read"),
        ("a.odt", made.docx(""), "without a document"),
        ("a.epub", made.docx(""), "without a book"),
        ("a.doc", made.docx(""), "today's format"),
        ("a.doc", made.compound({"Workbook": b"x"}), r"suffix \.xls"),
        ("a.ppt", made.compound({"PowerPoint Document": b"x"}), r"save it as \.pptx"),
        ("a.xls", made.compound({"WordDocument": b"x"}), "no workbook"),
        ("a.hwp", made.compound({"WordDocument": b"x"}), "not of Hangul"),
        ("a.docx", b"plain words", "no DOCX, its header is missing"),
        ("a.rtf", b"plain words", "no RTF"),
        ("a.docx", made.docx("", {"word/document.xml": f"{ENTITIES}<w:document/>"}), "declares entities"),
        ("a.hwpx", made.hwpx("", {"Contents/section0.xml": f"{ENTITIES}<x>&b;</x>".encode("utf-16")}), "entities"),
        ("a.xlsx", made.xlsx({"One": WIDE}), "scattered over 1,048,576 rows and 16,384 columns"),
        ("a.xlsx", made.xlsx({"One": made.row(99_999_999, "x")}), "outside of their sheet"),
        ("a.ods", made.open_document("spreadsheet", '<table:table table:name="One"></table:tabl>'), "is damaged"),
        ("a.docx", made.docx(SPACES), "inflates to more than 128 MiB"),
        ("a.rtf", b"{\\rtf1 " + b"{" * 5_000, "nested too deeply"),
    ],
)
def test_what_can_not_be_read_is_told(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(FileMalformed, match=reason):
        list(load(path))


@pytest.mark.fault("17")
def test_what_is_something_else_is_read_as_what_it_is(tmp_path: Path) -> None:
    for name, data, text in (
        ("a.xls", b"<html><table><tr><td>Ship</td><td>Port</td></tr></table></html>", "Ship | Port"),
        ("b.xls", made.xlsx({"One": made.row(1, WORDS)}), WORDS),
        ("a.doc", b"{\\rtf1 Words.}", "Words."),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        assert [parsed.text for parsed in load(path)] == [text]
    (tmp_path / "empty.docx").write_bytes(made.docx(""))
    (tmp_path / "nothing.pptx").write_bytes(b"")
    for name in ("empty.docx", "nothing.pptx"):
        assert [parsed.text for parsed in load(tmp_path / name)] in ([], ["Harbour report"])


@pytest.mark.fault("20")
def test_a_zip_file_is_inflated_within_its_budget_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made.zipped({"a": b"\0" * MEBIBYTE, "b": b"x" * 100})
    opened = zipped.Zipped(io.BytesIO(data), most=MEBIBYTE + 100)
    assert (len(opened.read("a")), opened.read("b"), opened.read("c")) == (MEBIBYTE, b"x" * 100, b"")
    with pytest.raises(FileMalformed, match="inflates"):
        opened.read("b")
    with pytest.raises(FileMalformed, match="inflates"):
        zipped.Zipped(io.BytesIO(data)).read("a", MEBIBYTE - 1)
    assert zipped.Zipped(io.BytesIO(made.zipped({"qz": b"x", "a": b"y"}).replace(b"qz", b"\0z"))).names == ("", "a")
    lying = data.replace(struct.pack("<I", MEBIBYTE), struct.pack("<I", 7))
    assert len(zipped.Zipped(io.BytesIO(lying)).read("a")) == MEBIBYTE
    with pytest.raises(FileMalformed, match="damaged"):
        zipped.Zipped(io.BytesIO(made.zipped({"a": b"x" * 99}, zipfile.ZIP_STORED).replace(b"xx", b"yy"))).read("a")
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2):
        other = zipped.Zipped(io.BytesIO(made.zipped({"a": b"x" * MEBIBYTE}, compression)), most=MEBIBYTE)
        assert other.read("a") == b"x" * MEBIBYTE
        with pytest.raises(FileMalformed, match="inflates"):
            other.read("a")
    monkeypatch.setattr(sheets, "_MOST_INFLATED", 10_000)
    with pytest.raises(FileMalformed, match="inflates"):
        sheets.check(io.BytesIO(made.xlsx({"One": " " * 20_000})))
    monkeypatch.setattr(zipped, "MOST_MEMBERS", 1)
    with pytest.raises(FileMalformed, match="members"):
        zipped.Zipped(io.BytesIO(data))


@pytest.mark.fault("19")
def test_damaged_office_files_cost_themselves_alone(tmp_path: Path) -> None:
    """Run with a count for more: python -m tests.loaders.test_office_bad_input 2000 [SEED]."""
    assert hurt(66, 1, tmp_path) == []


def hurt(count: int, seed: int, folder: Path) -> list[str]:
    """Read damaged files in the confined child; return what crashed, hung, or was no error of the house."""
    found = []
    with Sandbox(timeout=20) as sandbox:
        for number, (name, data) in enumerate(mutations(count, seed)):
            path = folder / name
            path.write_bytes(data)
            try:
                for parsed in sandbox.load(path):
                    parsed.text.encode()
            except LoadError as error:
                if any(word in str(error) for word in ("parser", "took longer")):
                    found.append(f"{number} {name}: {error}")
    return found


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(hurt(int(sys.argv[1]), int([*sys.argv, "1"][2]), Path(folder))) or "nothing was hurt")
