"""Files a second, megabytes of text and pages, by our readers and by the plain use of a library of each format.

Run: python -m benchmarks.formats [ROUNDS]. Libraries that are not installed are left out; CPU time, in turns. Of texts
the plain use is to decode them, of archives to decode their members. What else is done here stands in no library: to
tell what a file is and how it is encoded, headings, titles, a document for each row.
"""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json
import mailbox
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine, memory
from benchmarks.memory import prose
from quarry.indexer.loaders.loading import load
from tests import office_files as made

WORDS = "The tide gauge of the harbour was read every hour, and the readings were written down by hand until May. "
PARAGRAPHS, SLIDES, ROWS, PAGES, MESSAGES, MEMBERS = 600, 60, 5_000, 50, 100, 100
_PAGES = {"pdf": PAGES, "pptx": SLIDES}


def documents() -> dict[str, bytes]:
    """Return a document of each format, by its suffix; of a workbook's and a table's rows each is a document."""
    return {**_office(), **_texts()}


def _office() -> dict[str, bytes]:
    texts = [f"{number} {WORDS * 3}" for number in range(PARAGRAPHS)]
    slides = [made.slide(made.shape(f"Slide {n}", "title") + made.shape(WORDS)) for n in range(SLIDES)]
    rows = "".join(made.row(n, f"Ship {n}", n * 1.5, n, "Busan") for n in range(2, ROWS + 2))
    return {
        "docx": made.docx("".join(map(made.paragraph, texts))),
        "pptx": made.pptx(slides),
        "xlsx": made.xlsx({"Ships": made.row(1, "Ship", "Length", "Number", "Port") + rows}),
        "odt": made.open_document("text", "".join(f"<text:p>{text}</text:p>" for text in texts)),
        "epub": made.epub(
            ["".join(f"<p>{text}</p>" for text in texts[at : at + 60]) for at in range(0, PARAGRAPHS, 60)]
        ),
        "hwpx": made.hwpx("".join(map(made.hp, texts))),
        "hwp": made.hwp(b"".join(map(made.said, texts))),
        "rtf": b"{\\rtf1 " + b"".join(f"\\pard {text}\\par ".encode() for text in texts) + b"}",
    }


def _texts() -> dict[str, bytes]:
    rng = random.Random(1)
    said = [prose(rng, 60) for _ in range(PARAGRAPHS)]
    sections = [(f"Part {number}", said[number : number + 6]) for number in range(0, PARAGRAPHS, 6)]
    page = "".join(f"<h2>{title}</h2>{''.join(f'<p>{one}</p>' for one in inner)}" for title, inner in sections)
    notes = "\n\n".join("\n\n".join([f"## {title}", *inner]) for title, inner in sections)
    code = "\n\n".join(
        f'def tide{n}(gauge):\n    """{one[:90]}"""\n    return gauge * {n}' for n, one in enumerate(said)
    )
    messages = [
        f"From a@b.c Mon May 06 10:00:00 2024\nFrom: Ada <a@b.c>\nTo: b@b.c\nSubject: Tide {number}\n"
        f"Message-ID: <{number}@b.c>\nDate: Mon, 6 May 2024 10:00:00 +0000\n"
        f"Content-Type: text/plain; charset=utf-8\n\n{said[number]}\n\n"
        for number in range(MESSAGES)
    ]
    cells = [
        {"cell_type": kind, "metadata": {}, "source": [one], **({"outputs": []} if kind == "code" else {})}
        for one, kind in zip(said, ("markdown", "code") * PARAGRAPHS, strict=False)
    ]
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for number, one in enumerate(said[:MEMBERS]):
            archive.writestr(f"notes/{number}.txt", one)
    with tempfile.TemporaryDirectory() as folder:
        memory.pdf(Path(folder), PAGES)
        pdf = Path(folder, "a.pdf").read_bytes()
    return {
        "pdf": pdf,
        "html": f"<!doctype html><title>Tides</title><body><nav>Home</nav><main>{page}</main></body>".encode(),
        "eml": "".join([*messages[0].partition("\n")[2:], *said]).encode(),
        "mbox": "".join(messages).encode(),
        "ipynb": json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode(),
        "csv": (
            "ship,length,note\n" + "".join(f"Ship {n},{n * 1.5},{said[n % 600][:80]}\n" for n in range(ROWS))
        ).encode(),
        "zip": packed.getvalue(),
        "md": f"# Tides\n\n{notes}".encode(),
        "py": code.encode(),
        "txt": "\n\n".join(said).encode(),
    }


def _pdf(data: bytes) -> Any:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return text


def _html(data: bytes) -> Any:
    from selectolax.lexbor import LexborHTMLParser

    body = LexborHTMLParser(data).body
    return body.text(separator="\n") if body else ""


def _eml(data: bytes) -> Any:
    body = email.message_from_bytes(data, policy=email.policy.default).get_body()
    return body.get_content() if body else ""


def _mbox(data: bytes) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".mbox") as file:
        file.write(data)
        file.flush()
        return [message.get_payload(decode=True).decode() for message in mailbox.mbox(file.name)]


def _ipynb(data: bytes) -> Any:
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(data)["cells"])


def _csv(data: bytes) -> Any:
    return list(csv.DictReader(io.StringIO(data.decode())))


def _zip(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name).decode() for name in archive.namelist()]


def _docx(data: bytes) -> Any:
    import docx

    return "\n".join(paragraph.text for paragraph in docx.Document(io.BytesIO(data)).paragraphs)


def _pptx(data: bytes) -> Any:
    import pptx

    slides = pptx.Presentation(io.BytesIO(data)).slides
    return "\n".join(shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame)


def _xlsx(data: bytes) -> Any:
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    return "\n".join(" ".join(map(str, row)) for row in book.get_sheet_by_index(0).to_python())


def _hwpx(data: bytes) -> Any:
    import extract_hwp

    with tempfile.NamedTemporaryFile(suffix=".hwpx") as file:
        file.write(data)
        file.flush()
        return extract_hwp.extract_text_from_hwp(file.name)


def _rtf(data: bytes) -> Any:
    from striprtf.striprtf import rtf_to_text

    return rtf_to_text(data.decode("latin-1"))


PLAIN: dict[str, tuple[str, Callable[[bytes], Any]]] = {
    "docx": ("python-docx", _docx),
    "pptx": ("python-pptx", _pptx),
    "xlsx": ("python-calamine", _xlsx),
    "hwpx": ("extract-hwp", _hwpx),
    "rtf": ("striprtf", _rtf),
    "pdf": ("pypdfium2", _pdf),
    "html": ("selectolax", _html),
    "eml": ("email", _eml),
    "mbox": ("mailbox", _mbox),
    "ipynb": ("json", _ipynb),
    "csv": ("csv", _csv),
    "zip": ("zipfile", _zip),
    "md": ("decode", bytes.decode),
    "py": ("decode", bytes.decode),
    "txt": ("decode", bytes.decode),
}


def main(rounds: int = 5) -> None:
    """Print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, data in documents().items():
            path = Path(folder, f"a.{suffix}")
            path.write_bytes(data)
            size = sum(len(parsed.text.encode()) for parsed in load(path))
            ours = plain = float("inf")
            name, read = PLAIN.get(suffix, ("", None))
            for _ in range(rounds):
                ours = min(ours, _seconds(lambda path=path: sum(1 for _ in load(path))))  # type: ignore[misc]
                try:
                    plain = min(plain, _seconds(lambda: read(data))) if read else plain  # noqa: B023
                except ImportError:
                    read = None
            both = (f"{name} {1 / plain:,.0f}", f"{plain / ours:.2f}x") if read else ("", "")
            pages = f"{_PAGES[suffix] / ours:,.0f}" if suffix in _PAGES else ""
            speed = f"{1 / ours:,.0f}", f"{size / ours / 1e6:.1f}", pages
            rows.append((suffix, f"{len(data) / 1e3:.0f}", *speed, *both))
    print(machine.description() + "\n")
    head = ("format", "kB", "files/s", "MB/s of text", "pages/s", "plain library files/s", "ratio")
    print(machine.table(head, rows))


def _seconds(run: Callable[[], Any]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
