"""Files within files that are looked at: one pass over the outer file, whatever is in it, and what goes wrong in it."""

import base64
import io
import signal
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quarry.api.library import Library
from quarry.indexer.enrichments import confined, taken_out
from quarry.indexer.enrichments.taken_out import TakenOut
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sandbox.wire import Entered, FilePart
from quarry.indexer.loaders.scans.tesseract import Tesseract
from quarry.search.errors import FileMalformed, FileUnreadable
from quarry.search.models.fake import FakeModels
from tests.illustrated import docx, drawing
from tests.mail_files import seven, tarred, zipped

pytestmark = pytest.mark.skipif(not Tesseract().reads, reason="apt install tesseract-ocr")


def png(number: int, side: int = 120) -> bytes:
    """A picture that is none of the others, without any text."""
    image = Image.radial_gradient("L").resize((side, side)).convert("RGB")  # in a document a small one is no picture
    image.putpixel((5, 5), (number, 255 - number, 7))
    image.save(stream := io.BytesIO(), "PNG")
    return stream.getvalue()


def mail(number: int) -> bytes:
    """A message with a picture."""
    return (
        f"From a@b.c Mon May 06 10:00:00 2024\nMessage-ID: <{number}@b.c>\nSubject: No. {number}\n"
        'Content-Type: multipart/mixed; boundary="x"\n\n--x\n\nWords\n--x\nContent-Type: image/png; name="p.png"\n'
        "Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n"
        f"{base64.encodebytes(png(number)).decode()}\n--x--\n\n"
    ).encode()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with closing(Sandbox(folder=tmp_path)) as opened:
        yield opened


def test_a_run_goes_once_over_each_outer_file(
    tmp_path: Path, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[str, int]] = []

    class Counted(Sandbox):
        def extract(self, path: Path, wanted: Collection[str], name: str = "") -> Generator[FilePart, None, None]:
            passes.append((path.name, len(wanted)))
            return super().extract(path, wanted, name)

    monkeypatch.setattr(confined, "Sandbox", Counted)
    root = tmp_path / "root"
    root.mkdir()
    figures = {f"i{number}.png": png(100 + number) for number in range(3)}
    letter = docx("".join(drawing(name[:-4]) for name in figures), figures)
    photos = {f"photos/{number}.png": png(number) for number in range(20)}  # more than two commits
    (root / "a.tar.gz").write_bytes(tarred(photos | {"letter.docx": letter, "notes.txt": b"Words"}, "gz"))
    (root / "b.mbox").write_bytes(b"".join(mail(200 + number) for number in range(3)))
    (root / "c.docx").write_bytes(docx(drawing("i1"), {"i1.png": png(150)}))
    with Library(tmp_path / "library", models=models) as library:
        report = library.index(root)
        assert report.complete and not report.failed
        assert passes == [("a.tar.gz", 23), ("b.mbox", 3), ("c.docx", 1)]
        assert library.status()["ocr"]["unread"] == 0


@pytest.mark.parametrize("kind", ["zip", "7z"])
def test_files_are_had_in_any_order_and_go_when_they_are_dropped(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    members = {f"{number}.png": png(number) for number in range(4)}
    path, folder = tmp_path / f"a.{kind}", tmp_path / "folder"
    folder.mkdir()
    path.write_bytes({"zip": zipped, "7z": seven}[kind](members))
    with closing(TakenOut(sandbox, path, "", ["3.png", "0.png", "2.png"], folder)) as files:
        for key in ("2.png", "0.png", "3.png"):
            found = files.file(key)
            assert found is not None and (found[0].read_bytes(), found[1]) == (members[key], key)
        files.drop("0.png")
        assert files.file("0.png") is None and files.file("1.png") is None and len(list(folder.iterdir())) == 2
    assert not list(folder.iterdir())


def test_what_had_to_go_for_want_of_room_is_none(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"{number}.png": png(number, 300) for number in range(4)}
    monkeypatch.setattr(taken_out, "_MOST", 2 * len(members["0.png"]) + 100)
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(members))
    with closing(TakenOut(sandbox, path, "", members, tmp_path)) as files:
        assert files.file("3.png") and files.file("2.png") and files.file("0.png") is None


def test_one_that_can_not_be_taken_out_costs_itself_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    path, whole = tmp_path / "a.zip", png(1)
    damaged = bytearray(zipped({"a.png": png(2), "b.png": whole}))
    damaged[damaged.index(b"IDAT") + 30] ^= 0xFF
    path.write_bytes(damaged)
    with closing(TakenOut(sandbox, path, "", ["a.png", "b.png", "gone.png"], tmp_path)) as files:
        with pytest.raises(FileMalformed, match=r"a\.png: it is damaged"):
            files.file("a.png")
        found = files.file("b.png")
        assert found is not None and found[0].read_bytes() == whole
        with pytest.raises(FileMalformed):
            files.file("gone.png")


def test_what_an_archive_holds_no_more_is_asked_for_again(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.png": png(1)}))
    with closing(TakenOut(sandbox, path, "", ["gone.png", "a.png"], tmp_path)) as files:
        with pytest.raises(FileUnreadable, match="not there any more"):
            files.file("gone.png")
        assert files.file("a.png")


def test_one_that_ends_its_parser_is_passed_by(tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((800, 600)).convert("RGB").save(picture := io.BytesIO(), "BMP")  # fills the pipe
    letters = {f"{number}.docx": docx(drawing("i"), {"i.bmp": picture.getvalue()}) for number in range(3)}
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(letters))

    class Crashing(Sandbox):
        """Its child dies over one file as it is taken out."""

        crashed = 0

        def _next(self) -> Any:
            answer = super()._next()
            is_it = isinstance(answer, Entered) and answer.name == "1.docx"
            if is_it and not self.crashed and self._child is not None:
                self.crashed += 1
                self._child.send_signal(signal.SIGSEGV)
            return answer

    with closing(Crashing(folder=tmp_path)) as sandbox:
        keys = [f"{name}#i.bmp" for name in letters]
        with closing(TakenOut(sandbox, path, "", keys, tmp_path)) as files:
            assert files.file(keys[0]) and files.file(keys[2]) and sandbox.crashed == 1
            with pytest.raises(FileMalformed, match=r"1\.docx: its parser crashed"):
                files.file(keys[1])


def test_a_pass_that_was_ended_from_outside_fails_for_now(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tarred({f"{number}.png": bytes(3_000_000) for number in range(3)}))
    with closing(TakenOut(sandbox, path, "", [f"{number}.png" for number in range(3)], tmp_path)) as files:
        assert files.file("0.png")
        sandbox.cancel()
        with pytest.raises(FileUnreadable, match="killed from outside"):
            files.file("1.png")


def test_of_half_a_file_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(*_: object) -> Iterator[FilePart]:
        yield FilePart("a.png", b"", "a.png")
        yield FilePart("", b"half", "a.png")
        raise FileUnreadable("killed from outside")

    monkeypatch.setattr(Sandbox, "extract", extract)
    with closing(TakenOut(Sandbox(), tmp_path, "", ["a.png"], tmp_path)) as files:
        with pytest.raises(FileUnreadable):
            files.file("a.png")
        assert not list(tmp_path.iterdir())
