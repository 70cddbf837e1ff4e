"""Pages and pictures that show text and hold none: read by OCR, found, shown with page and box, and told of."""

import io
import subprocess
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from quarry.api.library import Library
from quarry.indexer.enrichments import confined, ocr
from quarry.indexer.enrichments.base import Pictured, Result
from quarry.indexer.enrichments.ocr import Ocr
from quarry.indexer.loaders.base import LoadOptions, Scanning
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.scans import engines
from quarry.indexer.loaders.scans.base import TextLine
from quarry.indexer.loaders.scans.likely import LIKELY, PAGE, lines_seen
from quarry.indexer.loaders.scans.reading import said
from quarry.indexer.loaders.scans.shade import evened
from quarry.indexer.loaders.scans.skew import on_the_page, skew, straightened
from quarry.indexer.loaders.scans.tesseract import Tesseract, has_columns
from quarry.search.errors import FileUnreadable
from quarry.search.models.fake import FakeModels
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests.illustrated import docx, drawing, pdf
from tests.mail_files import zipped

FONTS = Path("/usr/share/fonts/truetype")
LATIN, HANGUL = FONTS / "dejavu/DejaVuSans.ttf", FONTS / "nanum/NanumGothic.ttf"
ENGLISH = [
    "The lighthouse keeper wrote down the",
    "weather every evening for forty years,",
    "until the lamp was lit by electricity.",
]
KOREAN = ["등대지기는 사십 년 동안 매일 저녁", "날씨를 공책에 적어 두었다.", "등불은 나중에 전기로 밝혔다."]
needs_tesseract = pytest.mark.skipif(
    not {"eng", "kor"} <= set(Tesseract().reads) or not (LATIN.exists() and HANGUL.exists()),
    reason="apt install tesseract-ocr tesseract-ocr-kor fonts-dejavu-core fonts-nanum",
)


def page(lines: list[str], font: Path, width: int = 900) -> Image.Image:
    """A page of large type, as a scanner would make it at 100 dots an inch."""
    image = Image.new("L", (width, 420), 250)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((70, 80 + 60 * number), line, 25, ImageFont.truetype(font, 36))
    return image


def photo() -> Image.Image:
    """Something without any text: soft shapes, and a sign on it."""
    image = Image.linear_gradient("L").resize((400, 300)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((50, 125, 210, 295), fill=(90, 120, 60))
    draw.rectangle((150, 40, 370, 95), fill=(0, 60, 20))
    return image


def sign() -> Image.Image:
    image = photo()
    ImageDraw.Draw(image).text((165, 52), "HARBOUR 1874", (255, 255, 255), ImageFont.truetype(LATIN, 26))
    return image


def saved(image: Image.Image, form: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form)
    return stream.getvalue()


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


@needs_tesseract
def test_scans_are_read_found_and_told_of(library: Library, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    page(ENGLISH, LATIN).save(root / "scan.pdf", "PDF", resolution=100)
    korean = (saved(page(KOREAN, HANGUL), "JPEG"), (0.0, 300.0, 600.0, 280.0))
    (root / "box.zip").write_bytes(zipped({"a/mixed.pdf": pdf([([], "What was typed stands here."), ([korean], "")])}))
    (root / "letter.docx").write_bytes(docx(drawing("i1"), {"i1.png": saved(sign(), "PNG")}))
    photo().save(root / "photo.png")

    report = library.index(root)
    assert report.complete and report.added == 5 and not report.warnings

    (hit,) = library.search("lighthouse keeper", mode="lexical").hits
    assert (hit.page, hit.said_by, hit.document.uri) == (1, "ocr", str(root / "scan.pdf"))
    assert hit.confidence is not None and hit.confidence > 0.8 and " ".join(ENGLISH) == " ".join(hit.text.split())
    assert hit.place is not None and hit.place.box is not None
    assert hit.place.box == pytest.approx((0.08, 0.21, 0.87, 0.57), abs=0.04)

    (hit,) = library.search("매일 저녁", mode="lexical").hits
    assert (hit.page, hit.said_by, hit.document.uri) == (2, "ocr", f"{root / 'box.zip'}#a/mixed.pdf")
    assert "사십 년 동안 매일 저녁" in hit.text

    (hit,) = library.search("1874", mode="lexical").hits
    assert (hit.document.kind, hit.said_by, hit.document.uri) == ("image", "ocr", f"{root / 'letter.docx'}#i1.png")

    (said,) = library.passages(hit.document.id).passages.values()
    assert (said.text, said.said_by, said.place) == (hit.text, "ocr", hit.place)
    assert library.status()["ocr"]["documents"] == 3 and library.status()["ocr"]["unread"] == 0
    assert not [finding for finding in library.doctor() if finding.level == "damage"]

    before = library.status()["generation"]
    assert library.index(root).unchanged_files == 4 and library.status()["generation"] == before

    library.index(ocr="off")
    assert not library.search("lighthouse", mode="lexical").hits
    status = library.status()["ocr"]
    assert status["off"] and status["unread"] == 2 and "install" in status["missing"][0]


@needs_tesseract
def test_a_long_scan_goes_on_where_it_was_interrupted(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def read(self: Ocr, sandbox: Sandbox, item: Pictured) -> Iterator[Parsed]:
        asked.append((item.parts[0], item.parts[-1]))
        if len(asked) == 2:
            raise KeyboardInterrupt
        yield from (Parsed(f"leaf{number}", "text/plain", place=Place(page=number)) for number in item.parts)

    monkeypatch.setattr(Ocr, "_passages", read)
    sheet = Image.new("L", (20, 20), 200)
    sheet.save(tmp_path / "long.pdf", "PDF", save_all=True, append_images=[sheet] * 39)
    with pytest.raises(KeyboardInterrupt):
        library.index(tmp_path / "long.pdf")
    assert library.search("leaf16", mode="lexical").hits and not library.search("leaf17", mode="lexical").hits
    assert library.index().complete
    assert asked == [(1, 16), (17, 32), (17, 32), (33, 40)]
    assert [library.search(f"leaf{at}", mode="lexical").hits[0].page for at in (1, 16, 17, 40)] == [1, 16, 17, 40]
    assert library.index().complete and len(asked) == 4


@needs_tesseract
def test_what_can_not_be_read_now_is_asked_for_again_and_bad_pages_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []

    class Counted(Sandbox):
        def load(self, path: Path, name: str = "", options: LoadOptions | None = None) -> Generator[Parsed, None, None]:
            loads.append(path)
            yield from super().load(path, name, options)

    monkeypatch.setattr(confined, "Sandbox", Counted)
    bad, link = tmp_path / "bad.pdf", tmp_path / "link.pdf"
    bad.write_bytes(b"%PDF-1.7 no")
    link.symlink_to(bad)
    items = [Pictured(path, tuple(range(1, 100)), "") for path in (bad, link)]
    failed = Result(failed="it is damaged, PDFium can't open it")
    assert ocr.Ocr(Tesseract()).enrich(items) == [failed, None]
    assert loads == [bad] * 8 + [link]


@needs_tesseract
def test_one_child_looks_at_all_pictures_of_a_run(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    class Counted(Sandbox):
        def _start(self) -> subprocess.Popen[bytes]:
            opened.append(Path(self._own["TMPDIR"]))
            return super()._start()

    monkeypatch.setattr(confined, "Sandbox", Counted)
    root = tmp_path / "root"
    root.mkdir()
    for number in range(20):  # more than two commits
        Image.new("RGB", (40, 40), (number, 0, 0)).save(root / f"{number}.png")
    assert library.index(root).added == 20
    assert len(opened) == 1 and not opened[0].exists()
    Image.new("RGB", (40, 40), (0, 1, 0)).save(root / "new.png")
    assert library.index().added == 1 and len(opened) == 2  # it does not stay when the run is over


@needs_tesseract
def test_an_ended_reader_of_scans_leaves_its_files_where_the_caller_removes_them(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    page(ENGLISH, LATIN).save(tmp_path / "scan.png")
    seen: list[Path] = []
    with Sandbox(LoadOptions(scans=Scanning("tesseract")), folder=folder) as sandbox:

        def read() -> None:
            with suppress(FileUnreadable):
                list(sandbox.load(tmp_path / "scan.png"))

        reading = threading.Thread(target=read)
        reading.start()
        while reading.is_alive() and not seen:
            seen = list(folder.glob("*/page.pgm"))
            time.sleep(0.005)
        sandbox.cancel()
        reading.join()
    assert seen


def test_without_an_engine_it_is_said_what_is_not_read(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ENGINES", ())
    page(ENGLISH, LATIN).save(tmp_path / "scan.pdf", "PDF", resolution=100)
    report = library.index(tmp_path / "scan.pdf")
    (warning,) = report.warnings.values()
    assert warning.startswith("it holds no text") and "tesseract-ocr" in warning
    assert library.status()["ocr"]["unread"] == 1


def test_lines_make_paragraphs_and_divided_words_one() -> None:
    line = TextLine("a light-", (0, 0, 1, 0.1), 0.9, 0)
    lines = [line, TextLine("house,", (0, 0.1, 1, 0.2), 0.9, 0), TextLine("~|", (0, 0, 1, 1), 0.2, 1)]
    parsed = said([*lines, TextLine("and more", (0, 0.3, 1, 0.4), 0.9, 2)], 3)
    assert parsed.text == "a lighthouse,\n\nand more" and parsed.metadata == {"confidence": 0.9}
    assert [(start, place.page) for start, place in parsed.places] == [(0, 3), (7, 3), (15, 3)]
    assert (
        said([line._replace(text="|") if hasattr(line, "_replace") else TextLine("|", line.box, 0.9, 0)], 1).text == ""
    )


def test_pictures_of_text_are_told_from_others() -> None:
    assert lines_seen(photo()) < LIKELY <= lines_seen(sign())
    written = page(ENGLISH * 2, LATIN)
    assert lines_seen(written) >= PAGE and lines_seen(written.rotate(90, expand=True)) >= PAGE


def test_a_page_that_lies_askew_is_straightened() -> None:
    level = page(ENGLISH, LATIN)
    askew = level.rotate(3, fillcolor=250)
    assert skew(level) == 0 and skew(askew) == pytest.approx(-3, abs=0.3)
    upright = straightened(askew, -3)
    box = (0.3, 0.3, 0.5, 0.4)
    back = on_the_page(on_the_page(box, -3, askew.size, upright.size), 3, upright.size, askew.size)
    assert all(one == pytest.approx(other, abs=0.05) for one, other in zip(back, box, strict=True))


@needs_tesseract
def test_a_page_in_uneven_light_is_read_as_one_in_even_light() -> None:
    plain = page(ENGLISH, LATIN)
    across = np.linspace(0.95, 0.45, plain.width, dtype=np.float32)
    grain = np.random.default_rng(0).normal(0, 4, (plain.height, plain.width))
    dim = Image.fromarray(np.clip(np.asarray(plain) * across + grain, 0, 255).astype(np.uint8))
    assert [line.text for line in Tesseract().read(evened(dim))] == ENGLISH
    assert [line.text for line in Tesseract().read(dim)] != ENGLISH
    assert evened(plain) is plain
    dark = ImageOps.invert(plain)
    assert evened(dark) is dark  # its letters are no light


@needs_tesseract
def test_no_ink_is_read_twice() -> None:
    assert [line.text for line in Tesseract().read(page(KOREAN, HANGUL))] == KOREAN


def test_columns_are_seen() -> None:
    one, two = page(ENGLISH * 2, LATIN), Image.new("L", (1900, 420), 250)
    two.paste(page(ENGLISH * 2, LATIN), (0, 0))
    two.paste(page(ENGLISH * 2, LATIN), (950, 0))
    assert has_columns(two) and not has_columns(one)
