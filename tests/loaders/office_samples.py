"""A small valid document of each office format with what its text must hold, and how files are damaged."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Iterator

from tests import office_files as made

WORDS = "Tides of the harbour"


def samples() -> dict[str, bytes]:
    """Return the documents, by the names of files."""
    cell = made.record(77, 2) + made.cell(WORDS, 2, 0, 0) + made.cell("5", 2, 1, 0)
    return {
        "a.docx": made.docx(made.paragraph(WORDS, "1") + made.paragraph("Body.")),
        "a.pptx": made.pptx([made.slide(made.shape(WORDS, "title") + made.shape("Body."))]),
        "a.xlsx": made.xlsx({"One": made.row(1, "Title", "N") + made.row(2, WORDS, 5) + made.row(3, "Other", 6)}),
        "a.ods": made.open_document("spreadsheet", f'<table:table table:name="One">{_SHEET}</table:table>'),
        "a.odt": made.open_document("text", f"<text:p>{WORDS}</text:p>"),
        "a.odp": made.open_document("presentation", f"<draw:page><text:p>{WORDS}</text:p></draw:page>"),
        "a.fodt": made.flat("text", f"<text:p>{WORDS}</text:p>"),
        "a.fods": made.flat("spreadsheet", f'<table:table table:name="One">{_SHEET}</table:table>'),
        "a.epub": made.epub([f"<h1>{WORDS}</h1>"]),
        "a.hwpx": made.hwpx(made.hp(WORDS, "3")),
        "a.hwp": made.hwp(made.said("", controls="\x0b") + made.control("tbl ", 1) + cell),
        "a.rtf": rb"{\rtf1\ansi{\fonttbl{\f0\fcharset129 B;}}{\info{\title T}}\trowd "
        + WORDS.encode()
        + rb"\cell\row}",
        "a.doc": made.compound({"WordDocument": bytes(4096), "\x05SummaryInformation": made.summary({2: WORDS})}),
    }


_SHEET = (
    f'<table:table-row><table:table-cell office:value-type="string"><text:p>{WORDS}</text:p></table:table-cell>'
    "</table:table-row>"
)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return a document with something wrong in it: in its bytes, or within the members of its zip file."""
    if data.startswith(b"PK") and rng.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = {info.filename: file.read(info) for info in file.infolist()}
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice(list(members))
            members[name] = _spoilt(members[name], rng)
        if rng.random() < 0.1:
            members.pop(rng.choice(list(members)))
        return made.zipped(members)
    return _spoilt(data, rng)


def _spoilt(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(data) + 1)
        span = rng.choice((1, 1, 2, 4, 40))
        kind = rng.randrange(7)
        if kind == 0:
            data = data[:at] + data[at + span :]
        elif kind == 1:
            data = data[:at] + rng.randbytes(span) + data[at + span :]
        elif kind == 2:
            data = data[:at] + data[at : at + span * 8] * rng.choice((2, 3, 50)) + data[at + span * 8 :]
        elif kind == 3:
            data = data[: at or 1] if rng.random() < 0.3 else data
        elif kind == 4:
            number = rng.choice((0, 1, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1))
            data = data[:at] + struct.pack("<I", number) + data[at + 4 :]
        elif kind == 5:
            odd = rng.choice(
                (b"<", b">", b"&#0;", b"&x;", b"]]>", b'"', b"<a>" * 30, b"\\u-1 ", b"{" * 40, b"\\'", b"\0")
            )
            data = data[:at] + odd + data[at:]
        else:
            digits = [place for place in range(at, min(at + 300, len(data))) if 48 <= data[place] < 58]
            if digits:
                data = (
                    data[: digits[0]]
                    + rng.choice((b"-1", b"99999999999", b"1e9", b"", b"4294967295"))
                    + data[digits[0] + 1 :]
                )
    return data


def mutations(count: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield damaged documents: the name of a file and its bytes."""
    every = list(samples().items())
    for turn in range(count):
        rng = random.Random(f"{seed} {turn}")
        name, data = every[turn % len(every)]
        yield name, damaged(data, rng)
