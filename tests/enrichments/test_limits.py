"""What takes longer than it may has failed, which is told, and is tried again when that is asked for, or with another
limit: not by every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from quarry.api import Library
from quarry.api.cli import cli
from quarry.indexer.enrichments.base import Filmed, Recorded, Result
from quarry.indexer.enrichments.confined import Confined
from quarry.indexer.enrichments.ocr import Ocr
from quarry.indexer.enrichments.played import frames
from quarry.indexer.enrichments.speech import Speech
from quarry.indexer.enrichments.tasks.table import TASKS
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.sandbox.endings import TookLong
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.parsers import PARSERS
from quarry.search.errors import FileMalformed
from quarry.search.models.auto import source
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.tasks import ChosenModel
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests.enrichments.sound_models import save
from tests.mail_files import zipped
from tests.sound_files import recording, tone

LATE = "it took longer than 0.05 s to parse; split it or leave it out"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels()) as opened:
        yield opened


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was looked at."""
    items: list[Path] = []
    look = Confined._tried

    def counted(self: Confined, sandbox: Sandbox, item: Recorded) -> Result | None:
        items.append(item.path)
        return look(self, sandbox, item)

    monkeypatch.setattr(Confined, "_tried", counted)
    return items


def test_a_recording_that_takes_too_long_has_failed_until_it_is_asked_for_again(
    library: Library, tmp_path: Path, tried: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "box.zip").write_bytes(zipped({"a.wav": recording(tone(2)), "b.txt": b"Words."}))
    with monkeypatch.context() as patch:
        patch.setattr(Speech, "limit_s", 0.05)  # Whisper takes longer to load
        assert library.index(root).complete and len(tried) == 1
        speech = library.status()["speech"]
        assert (speech["documents"], speech["heard"], speech["failed"]) == (1, 0, 1)
        assert speech["reasons"] == {f"{root / 'box.zip'}#a.wav": LATE}
        library.index(root)
        assert len(tried) == 1  # not by every run
        assert library.enrich().failed == speech["reasons"] and len(tried) == 2
        run = CliRunner().invoke(cli, ["status", "--library", str(tmp_path / "library")], obj=FakeModels())
        assert "0 of 1 document heard, 0 in a language that it does not know, 1 failed" in run.stdout
        assert f"Failed for speech, 1 document (`quarry enrich` tries again):\n  {root}" in run.stderr
        (root / "c.txt").write_text("More.")
        library.index(root)
        assert len(tried) == 2
    library.index(root)  # with another limit
    speech = library.status()["speech"]
    assert len(tried) == 3 and (speech["heard"], speech["failed"], speech["reasons"]) == (1, 0, {})
    library.index(root)
    assert len(tried) == 3


def test_pictures_fail_as_recordings_do(
    library: Library, tmp_path: Path, tried: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    Image.linear_gradient("L").save(tmp_path / "root" / "a.png")
    monkeypatch.setattr(Ocr, "limit_s", 1e-6)
    library.index(tmp_path / "root")
    library.index(tmp_path / "root")
    ocr = library.status()["ocr"]
    assert (ocr["failed"], len(tried)) == (1, 1) and "it took longer than 1e-06 s" in next(
        iter(ocr["reasons"].values())
    )


def test_a_minute_that_fails_costs_itself_and_several_in_a_row_the_rest(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    wrong, mute, late = set[int](), set[int](), set[int]()

    def load(self: Sandbox, path: Path, name: str, options: LoadOptions) -> Iterator[Parsed]:
        for part in options.listening.parts if options.listening else ():
            asked.append(part)
            if part in wrong:
                raise FileMalformed(f"minute {part} is damaged")
            if part in late:
                raise TookLong(f"minute {part} took longer than it may", Speech.limit_s)
            if part in mute:
                yield Parsed("", "text/plain", key=f"part={part}")
                continue
            yield Parsed(f"minute{part}", "text/plain", key=f"part={part}", place=Place(seconds=(60.0 * part, 61.0)))
            yield Parsed("", "text/plain", key=f"part={part}")

    silent = np.zeros(600 * 8_000, np.float32)
    (tmp_path / "long.wav").write_bytes(recording(silent, rate=8_000))
    library.index(tmp_path / "long.wav", transcribe="off")
    monkeypatch.setattr(Sandbox, "load", load)
    wrong |= {2, 6, 7}
    library.index(transcribe="auto")
    found = {n for n in range(1, 11) if library.search(f"minute{n}", mode="lexical").hits}
    assert found == {1, 3, 4, 5, 8, 9, 10} and asked == [*range(1, 11)]
    assert [*library.status()["speech"]["reasons"].values()] == ["minute 2 is damaged"]
    asked.clear()
    wrong |= {1, 3, 4}
    assert library.enrich().failed and asked == [1, 2, 3, 4]
    asked.clear()
    wrong &= {2}
    mute |= {1, 3, 4}
    late |= {7}
    assert library.enrich().failed and asked == [*range(1, 11)]  # of those that could be heard nothing was wrong
    assert library.search("minute10", mode="lexical").hits
    asked.clear()
    late.clear()
    monkeypatch.setattr(Speech, "limit_s", Speech.limit_s + 1)
    library.index()
    assert asked == [*range(1, 11)]  # though another minute was damaged before


def test_what_a_model_heard_before_it_took_too_long_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = PARSERS.load

    def late(*given: object) -> Iterator[Parsed]:
        yield from load(*given)  # type: ignore[arg-type]
        raise TookLong("it took longer than 30 s to parse", 30.0)

    path, model = tmp_path / "a.wav", save(tmp_path / "model", "wav2vec2")
    path.write_bytes(recording(tone(2)))
    task = TASKS["audio-classification"]
    card = source.resolve(str(model), task.task)
    hearing = task(ChosenModel("heard", "audio-classification", str(model), card.identity))
    monkeypatch.setattr(PARSERS, "load", late)
    (result,) = hearing.enrich([Recorded(path, (1, 2))])
    assert result is not None and result.fields == {"heard": ["dog_bark"]}
    assert (result.failed, result.limit_s) == ("it took longer than 30 s to parse", hearing.limit_s)
    assert Result.of(result.json) == result


def test_a_film_that_takes_too_long_is_told_from_one_that_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object) -> list[object]:
        raise TookLong("it took longer than 30 s to parse", 30.0)

    def damaged(*_: object) -> list[object]:
        raise FileMalformed("it is damaged")

    item = Filmed(tmp_path / "a.mkv", 4.0)
    monkeypatch.setattr(PARSERS, "extract", late)
    with pytest.raises(TookLong):
        list(frames(item, [1.0]))
    monkeypatch.setattr(PARSERS, "extract", damaged)
    with pytest.raises(FileMalformed):
        list(frames(item, [1.0, 2.0]))
    assert list(frames(item, [])) == []
