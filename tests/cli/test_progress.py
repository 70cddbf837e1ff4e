"""What long work shows of itself: counts, names, and a time left that is about right where kinds mix."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from quarry.api.cli import progress
from quarry.api.members.evaluation import evaluate_folder
from quarry.indexer.estimate import WHOLE, Estimate
from quarry.search.stores.rows.files import FileStat
from tests.processes import QUARRY


def found(name: str, size: int) -> FileStat:
    return FileStat(f"/root/{name}", size, 0, 0, 0)


def shares(files: list[FileStat], characters: dict[str, int]) -> list[float]:
    """The share of a run that is done after each file, of which each has so many characters."""
    estimate, done, after = Estimate(files), 0, []
    for file in files:
        estimate.read(file, characters.get(file.path, 0))
        estimate.end(file, file)
        done += estimate.steps()
        after.append(done / WHOLE)
    return after


def test_photos_and_texts_count_by_the_time_they_take() -> None:
    """A hundred photos of 4 MB take some 5 s, as embedding 280,000 characters does; by bytes, texts were 0.1% of it."""
    photos = [found(f"{n}.jpg", 4_000_000) for n in range(100)]
    texts = [found(f"{n}.md", 2_800) for n in range(100)]
    characters = {text.path: 2_800 for text in texts}
    assert shares([*photos, *texts], characters)[99] == pytest.approx(0.5, abs=0.05)
    assert shares([*texts, *photos], characters)[99] == pytest.approx(0.5, abs=0.05)


def test_what_a_kind_holds_is_learnt() -> None:
    """Of PDFs that are all scans, with hardly any text, each is the same part of the work from the first one on."""
    scans = [found(f"{n}.pdf", 10_000_000) for n in range(20)]
    letters = [found(f"{n}.txt", 3_000) for n in range(20)]
    after = shares([*scans, *letters], {one.path: 3_000 for one in (*scans, *letters)})
    assert after[4] == pytest.approx(5 / 40, abs=0.05)
    assert after[19] == pytest.approx(0.5, abs=0.05)
    assert after[-1] == 1.0


def test_the_share_never_falls_and_ends_whole() -> None:
    files = [found("empty.txt", 0), found("big.csv", 50_000), found("a.md", 10)]
    estimate, done = Estimate(files), []
    estimate.end(files[0], files[0])
    for _ in range(40):  # more than its bytes let expect, and it has grown since
        estimate.read(files[1], 2_000)
        done.append(estimate.steps())
    estimate.end(found("big.csv", 90_000), files[1])
    estimate.end(files[2], files[2])
    done.append(estimate.steps())
    assert min(done) >= 0 and sum(done) == WHOLE
    assert sum(done[:10]) < 0.6 * WHOLE
    assert Estimate([]).steps() == 0


def test_plain_lines_say_how_far_and_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = progress._Lines("files")
    lines.start(40, 1_000)
    lines.note("/root/a.md")
    now[0] += 3
    lines.advance(3, 100, 60)
    now[0] += 3
    lines.advance(5, 100, 60)
    assert capsys.readouterr().err == "8 of 40 files, 0:24 left, 120 passages, 20/s: /root/a.md\n"
    lines.start(30, 30)
    now[0] += 4_000
    lines.advance(1, 1, 0)
    assert capsys.readouterr().err == "1 of 30 files, 32:13:20 left, 0.0/s: /root/a.md\n"


def test_a_bar_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "otters.md").write_text("# Otters\n\nOtters hold hands asleep.")
    for width in ("80", "12"):
        terminal, its_end = pty.openpty()
        env = os.environ | {"COLUMNS": width}
        command: list[str | Path] = [QUARRY, "index", "--library", tmp_path / f"library{width}", tmp_path / "otters.md"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its_end, env=env) as run:
            assert run.wait(60) == 0
        shown = os.read(terminal, 100_000).decode()
        os.close(terminal)
        os.close(its_end)
        if width == "80":
            assert "0 of 1 files" in shown and "otters.md" in shown


def test_measuring_counts_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "Otters."}\n{"_id": "b", "text": "Pikas."}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "otters"}\n')
    (tmp_path / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    told: list[tuple[str, int, int]] = []

    class Told:
        def start(self, files: int, size: int) -> None:
            told.append(("start", files, size))

        def advance(self, files: int, size: int, passages: int) -> None:
            told.append(("advance", files, size))

        def note(self, text: str) -> None:
            pass

    evaluate_folder(tmp_path, progress=Told())
    assert told == [("start", 2, 13), ("advance", 2, 13), ("start", 3, 3), *[("advance", 1, 1)] * 3]
