"""Files of several documents: parts of a long text, members of one name, and what a newer loader reads anew."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.indexer import sync
from quarry.indexer.estimate import WHOLE
from quarry.indexer.files import changes
from quarry.indexer.loaders.loading import load
from quarry.search.errors import NotFound
from quarry.search.models.fake import FakeModels
from tests.office_files import zipped


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels()) as opened:
        yield opened


def test_a_file_of_several_documents_is_read_by_its_own_path(library: Library, tmp_path: Path) -> None:
    """Parts of a long file, members, rows: by the path of the file they are one, whose passages follow each other."""
    path = tmp_path / "readings.jsonl"
    texts = [
        "".join(f"Reading {part}{n} of the gauge. {'It was high. ' * 60}\n\n" for n in range(9)) for part in "abcd"
    ]
    path.write_text("".join(json.dumps({"text": each}) + "\n" for each in texts))
    library.index(path)
    assert library.get(path).metadata == {"documents": 4}
    whole = library.text(path)
    stretch = library.passages(path, count=200)
    assert stretch.total == len(stretch.passages) == library.get(path).chunks > 8
    for chunk in stretch.passages.values():
        assert whole[chunk.start : chunk.end] == chunk.text
    at = whole.index("Reading c3 ")
    middle = library.passages(path, around=at, count=3)
    (place,) = [n for n, chunk in enumerate(middle.passages.values()) if chunk.start <= at < chunk.end]
    assert place == 1 and middle.first > 0 and len(middle.passages) == 3
    last = library.passages(path, around=10**9, count=2)
    assert last.first + 2 == last.total
    with pytest.raises(NotFound, match="has 0 pages"):
        library.passages(path, page=1)


def test_members_of_one_name_are_documents_that_open(library: Library, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file, pytest.warns(UserWarning, match="Duplicate name"):
        for said in (b"The first tide.", b"The second tide.", b"The third tide."):
            file.writestr("notes.txt", said)
        for said in (b"port,level\nBusan,3\n", b"port,level\nUlsan,4\n"):
            file.writestr("rows.csv", said)
    path = tmp_path / "box.zip"
    path.write_bytes(stream.getvalue())
    keys = [parsed.key for parsed in load(path)]
    assert keys == ["notes.txt", "notes.txt~2", "notes.txt~3", "rows.csv#row=1", "rows.csv~2#row=1"]
    library.index(path)
    for key, said in zip(keys[:3], (b"first", b"second", b"third"), strict=True):
        assert said in library.original(f"{path}#{key}")
    assert b"Ulsan" in library.original(f"{path}#rows.csv~2#row=1")


def test_what_a_newer_loader_reads_anew_is_progress_and_embeds_nothing_twice(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.org").write_text(f"#+AUTHOR: Ada\n* Tide {number}\nWater {number}.\n")
        (root / f"{number}.txt").write_text(f"Stone {number}.\n")
    (root / "1700000000.M1P1.host:2,S").write_text("From: a@b.c\nSubject: High\n\nWater.\n")
    with monkeypatch.context() as before:
        before.setattr(sync, "version_of", lambda path: 1)
        assert library.index(root).added == 7

    told: list[tuple[int, int]] = []

    class Told:
        def start(self, files: int, size: int) -> None:
            told.append((files, size))

        def advance(self, files: int, size: int, passages: int) -> None:
            told.append((files, size))

        def note(self, text: str) -> None:
            pass

    report = library.index(root, progress=Told())
    assert (report.files_read, report.unchanged_files, report.embedded) == (4, 3, 0)
    assert (report.added, report.changed, report.dropped) == (0, 0, 0)
    assert told[0][0] == 4 and sum(files for files, _ in told[1:]) == 4
    assert sum(size for _, size in told[1:]) == WHOLE
    assert library.index(root).files_read == 0


def test_a_bad_member_is_told_by_the_exit_code(tmp_path: Path, models: FakeModels) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "box.zip").write_bytes(zipped({"good.txt": "A good tide.", "bad.pdf": b"no PDF", "film.xyz": "?"}))
    (root / "whole.zip").write_bytes(zipped({"other.txt": "Another tide.", "film.xyz": "?"}))
    library = str(tmp_path / "library")
    result = CliRunner().invoke(cli, ["index", "--library", library, str(root), "--json"], obj=models)
    body = json.loads(result.stdout)
    assert (result.exit_code, body["added"]) == (3, 2)
    assert "1 of its 3 members could not be read (bad.pdf: " in body["failed"][str(root / "box.zip")]
    assert list(body["failed"]) == [str(root / "box.zip")]


def test_a_watched_run_says_once_what_fails(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has failed before, and is as it was, is no news with each change beside it."""
    root = tmp_path / "root"
    root.mkdir()
    bad, good = root / "bad.pdf", root / "good.txt"
    bad.write_bytes(b"%PDF-1.7 no")
    good.write_text("A tide.")
    monkeypatch.setattr(changes, "_GRANULARITY_NS", 0)  # else what is as young as this is read once more
    assert list(library.index(root).failed) == [str(bad)]
    time.sleep(0.01)
    good.write_text("Two tides.")
    report = library.index(root, watched=True)
    assert (report.changed, report.failed) == (1, {})
    assert library.index(bad, watched=True).failed == {}
    assert list(library.index(root).failed) == [str(bad)]
    bad.write_bytes(b"%PDF-1.7 still not")
    assert list(library.index(root, watched=True).failed) == [str(bad)]
