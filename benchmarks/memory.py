"""The most memory that indexing takes in all of its processes, of large files and of many small ones.

Each input is made and indexed by a process of its own, whose tree is looked at fifty times a second. Vectors play no
part in it: an encoder that only counts words stands for the model. With `--embedded` the embedded models are used, over
less of each input, as memory does not grow after the first batches; then scans are read and recordings heard, too.

Run: python -m benchmarks.memory [--embedded] [NAME[=SIZE]...], where a size is megabytes, pages, files or minutes.
Scans need Debian's tesseract-ocr and fonts-dejavu-core, speech the extra `sound` and espeak-ng.
"""

from __future__ import annotations

import base64
import io
import json
import random
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import machine, scanned_pages, speech

MEGABYTE = 1_000_000
_STEMS = ("tide", "harbour", "gauge", "ship", "grain", "orbit", "flour", "moon", "river", "stone")
_ENDS = ("", "s", "ing", "ed", "like", "ward", "land", "work", "less", "man")
_WORDS = [f"{stem}{end}" for stem in _STEMS for end in _ENDS]


def prose(rng: random.Random, words: int) -> str:
    """Return so many words of no meaning, in sentences."""
    said = [" ".join(rng.choices(_WORDS, k=min(12, words - at))) for at in range(0, words, 12)]
    return ". ".join(said) + "."


def _pieces(rng: random.Random, size: int, one: Callable[[int], str]) -> Iterator[str]:
    written = number = 0
    while written < size * MEGABYTE:
        number += 1
        yield (piece := one(number))
        written += len(piece)


def _write(path: Path, before: str, pieces: Iterator[str], after: str = "") -> None:
    with path.open("w") as file:
        file.write(before)
        file.writelines(pieces)
        file.write(after)


def html(folder: Path, size: int) -> None:
    """Write a page of sections with a table each."""
    rng = random.Random(1)

    def section(number: int) -> str:
        rows = "".join(f"<tr><td>{row}<td>{prose(rng, 5)}</td></tr>" for row in range(20))
        text = "".join(f"<p>{prose(rng, 60)} <b>{prose(rng, 4)}</b></p>\n" for _ in range(8))
        return f"<section id='s{number}'><h2>Part {number}</h2>\n{text}<table>{rows}</table></section>\n"

    _write(folder / "a.html", "<!doctype html><title>Page</title><body><h1>Page</h1>", _pieces(rng, size, section))


def xml(folder: Path, size: int) -> None:
    """Write records of a few fields."""
    rng = random.Random(2)

    def record(number: int) -> str:
        fields = f"<name>Ship {number}</name><port code='{number}'>Busan</port><note><p>{prose(rng, 40)}</p></note>"
        return f"<record id='r{number}'>{fields}</record>\n"

    _write(folder / "a.xml", "<?xml version='1.0'?><records>", _pieces(rng, size, record), "</records>")


def feed(folder: Path, size: int) -> None:
    """Write an RSS feed."""
    rng = random.Random(3)

    def item(number: int) -> str:
        return f"<item><title>News {number}</title><description>&lt;p>{prose(rng, 90)}</description></item>\n"

    _write(folder / "a.rss", "<rss><channel><title>News</title>", _pieces(rng, size, item), "</channel></rss>")


def markdown(folder: Path, size: int) -> None:
    """Write sections with lists and code."""
    rng = random.Random(4)

    def section(number: int) -> str:
        items = "".join(f"- {prose(rng, 9)}\n" for _ in range(6))
        return f"## Part {number}\n\n{prose(rng, 120)}\n\n{items}\n```\n# {prose(rng, 8)}\n```\n\n"

    _write(folder / "a.md", "---\ntitle: Notes\n---\n# Notes\n\n", _pieces(rng, size, section))


def mbox(folder: Path, size: int) -> None:
    """Write a mailbox; of a message of 50 KB most is an attachment, one in ten of which is a photo."""
    rng = random.Random(5)
    photos = [base64.encodebytes(_photo(number)).decode() for number in range(40)]
    other = base64.encodebytes(rng.randbytes(36_000)).decode()

    def message(number: int) -> str:
        name, data = (f"p{number}.jpg", rng.choice(photos)) if number % 10 == 0 else (f"d{number}.dat", other)
        return (
            f"From a@b.c Mon May 06 10:00:00 2024\nFrom: a@b.c\nSubject: Message {number}\nMessage-ID: <{number}@b.c>\n"
            f'Content-Type: multipart/mixed; boundary="x"\n\n--x\n\n{prose(rng, 250)}\n--x\n'
            f'Content-Type: application/octet-stream; name="{name}"\nContent-Transfer-Encoding: base64\n'
            f"Content-Disposition: attachment\n\n{data}\n--x--\n\n"
        )

    _write(folder / "a.mbox", "", _pieces(rng, size, message))


def pdf(folder: Path, pages: int) -> None:
    """Write pages of fifty lines in two columns, with a photo on every tenth."""
    rng = random.Random(6)
    photos = [_photo(number) for number in range(40)]
    places: list[int] = []
    with (folder / "a.pdf").open("wb") as file:

        def add(body: bytes) -> int:
            places.append(file.tell())
            file.write(b"%d 0 obj\n%s\nendobj\n" % (len(places), body))
            return len(places)

        file.write(b"%PDF-1.7\n")
        font = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        shown = [
            add(
                b"<< /Type /XObject /Subtype /Image /Width 240 /Height 180 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
                b"/Filter /DCTDecode /Length %d >>\nstream\n%s\nendstream" % (len(photo), photo)
            )
            for photo in photos
        ]
        tree = len(places) + 2 * pages + 1
        kids = []
        for number in range(pages):
            has_photo = number % 10 == 0
            drawn = b"q 240 0 0 180 330 60 cm /I Do Q " if has_photo else b""
            for column in (60, 320):
                lines = [prose(rng, 7).encode() for _ in range(30 if has_photo else 50)]
                said = b" ".join(b"(%s) Tj 0 -14 Td" % line for line in lines)
                drawn += b"BT /F 9 Tf %d 740 Td %s ET " % (column, said)
            content = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
            image = b"/XObject << /I %d 0 R >>" % shown[number // 10 % 40] if has_photo else b""
            kids.append(
                add(
                    b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F "
                    b"%d 0 R >> %s >> >>" % (tree, content, font, image)
                )
            )
        listed = b" ".join(b"%d 0 R" % kid for kid in kids)
        add(b"<< /Type /Pages /Kids [%s] /Count %d >>" % (listed, pages))
        root = add(b"<< /Type /Catalog /Pages %d 0 R >>" % tree)
        start = file.tell()
        file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1))
        file.writelines(b"%010d 00000 n \n" % place for place in places)
        file.write(b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, root, start))


def _photo(number: int) -> bytes:
    from PIL import Image

    Image.effect_noise((240, 180), 60 + number).convert("RGB").save(buffer := io.BytesIO(), "JPEG", quality=90)
    return buffer.getvalue()


def small(folder: Path, files: int) -> None:
    """Write small files of mixed kinds, a hundred to a folder."""
    rng = random.Random(7)
    for number in range(files):
        place = folder / f"{number // 10_000:02}" / f"{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        text, suffix = prose(rng, 80), ("txt", "md", "html", "csv", "json")[number % 5]
        said = {
            "txt": text,
            "md": f"# Note {number}\n\n{text}",
            "html": f"<title>Note {number}</title><p>{text}</p>",
            "csv": f"ship,note\n{number},{text}\n",
            "json": json.dumps({"title": f"Note {number}", "text": text}),
        }[suffix]
        (place / f"note{number}.{suffix}").write_text(said)


def scans(folder: Path, pages: int) -> None:
    """Write a PDF of scanned pages."""
    rng = random.Random(8)
    first, *others = [_scan(rng, 150, dpi=200) for _ in range(pages)]
    first.save(folder / "a.pdf", "PDF", resolution=200, save_all=True, append_images=others)


def pictures(folder: Path, files: int) -> None:
    """Write photos of sheets of paper, 8 megapixels each."""
    rng = random.Random(9)
    for number in range(files):
        _scan(rng, 120, dpi=300).convert("RGB").save(folder / f"{number}.jpg", quality=85)


def _scan(rng: random.Random, words: int, dpi: int) -> Any:
    return scanned_pages.page(prose(rng, words), scanned_pages.FACES["English"][0], dpi)


def spoken(folder: Path, minutes: int) -> None:
    """Write a recording of sentences that are spoken."""
    said = speech.spoken(speech.SENTENCES, speech.VOICES[0])
    samples = np.tile(said, 1 + 60 * minutes * speech.RATE // len(said))[: 60 * minutes * speech.RATE]
    with wave.open(str(folder / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, speech.RATE, 0, "NONE", ""))
        sound.writeframes((samples * 32767).astype("<i2").tobytes())


INPUTS: dict[str, tuple[Callable[[Path, int], None], str]] = {
    "html": (html, "HTML of {} MB"),
    "xml": (xml, "XML of {} MB"),
    "feed": (feed, "RSS feed of {} MB"),
    "markdown": (markdown, "Markdown of {} MB"),
    "mbox": (mbox, "mailbox of {} MB"),
    "pdf": (pdf, "PDF of {} pages"),
    "small": (small, "{} small files"),
    "scans": (scans, "PDF of {} scanned pages, read by OCR"),
    "pictures": (pictures, "{} photos of pages, read by OCR"),
    "speech": (spoken, "recording of {} minutes, heard"),
}
SIZES = {"html": 250, "xml": 250, "feed": 250, "markdown": 250, "mbox": 2_000, "pdf": 5_000, "small": 100_000}
EMBEDDED = {"html": 6, "xml": 6, "mbox": 60, "pdf": 300, "small": 1_000, "scans": 20, "pictures": 20, "speech": 5}
_INDEX = """
import sys
from pathlib import Path
from quarry.api.library import Library
from quarry.search.models.fake import FakeModels
models = None
if sys.argv[2] == "counting":
    models = FakeModels()
    models.on_embed = lambda count: [encoder.embedded.clear() for encoder in models.loaded.values()]
with Library(Path(sys.argv[1], "library"), models=models) as library:
    report = library.index(Path(sys.argv[1], "root"))
    status = library.status()
    print(status["documents"], status["passages"], len(report.failed), sep="\\n")
"""


def measured(folder: Path, models: str) -> tuple[list[str], float, int, int]:
    """Index a folder; return what was told, the seconds, and the most bytes of all processes and of the first one.

    Args:
        models: "counting" or "embedded".
    """
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _INDEX, str(folder), models], stdout=subprocess.PIPE, text=True)
    most = own = 0
    tree = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [_resident(one) for one in (tree, *tree.children(recursive=True))]
        except psutil.NoSuchProcess:
            break
        most, own = max(most, sum(family)), max(own, family[0])
        time.sleep(0.02)
    told, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return told.split(), time.perf_counter() - started, most, own


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def main(names: list[str]) -> None:
    """Print the table."""
    print(machine.description() + "\n", flush=True)
    rows = []
    models = "embedded" if "--embedded" in names else "counting"
    sizes = EMBEDDED if models == "embedded" else SIZES
    for given in [name for name in names if name != "--embedded"] or sizes:
        name, _, size = given.partition("=")
        usual, (make, what) = sizes[name], INPUTS[name]
        with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
            root = Path(folder, "root")
            root.mkdir()
            make(root, int(size or usual))
            (documents, passages, failed), seconds, most, own = measured(Path(folder), models)
        said = what.format(f"{int(size or usual):,}")
        rows.append(
            (
                said,
                f"{int(documents):,}",
                f"{int(passages):,}",
                failed,
                f"{seconds:,.0f} s",
                f"{most / MEGABYTE:,.0f} MB",
                f"{own / MEGABYTE:,.0f} MB",
            )
        )
        print(rows[-1], flush=True)
    head = ("input", "documents", "passages", "failed", "seconds", "peak of all processes", "of the first one")
    print("\n" + machine.table(head, rows))


if __name__ == "__main__":
    main(sys.argv[1:])
