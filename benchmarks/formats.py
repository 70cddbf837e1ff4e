"""Office files a second, and megabytes of their text, by our readers and by the plain use of a library of each format.

Run: python -m benchmarks.formats [ROUNDS]. Libraries that are not installed are left out; CPU time, in turn.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine
from quarry.indexer.loaders.loading import load
from tests import office_files as made

WORDS = "The tide gauge of the harbour was read every hour, and the readings were written down by hand until May. "
PARAGRAPHS, SLIDES, ROWS = 600, 60, 5_000


def documents() -> dict[str, bytes]:
    """Return a document of each format, by its suffix; of a workbook's rows each is a document."""
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
            both = (f"{name} {1 / plain:.0f}", f"{plain / ours:.1f}x") if read else ("", "")
            rows.append((suffix, f"{len(data) / 1e3:.0f}", f"{1 / ours:.0f}", f"{size / ours / 1e6:.1f}", *both))
    print(machine.description() + "\n")
    print(machine.table(("format", "kB", "files/s", "MB/s of text", "plain library files/s", "ratio"), rows))


def _seconds(run: Callable[[], Any]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
