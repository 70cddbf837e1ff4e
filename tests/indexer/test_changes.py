from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from quarry.indexer.files.changes import Plan, content_hash, follow_moves, plan
from quarry.indexer.files.walking import look
from quarry.indexer.formats import version_of
from quarry.indexer.prepared import CUTTING
from quarry.indexer.sync import as_read
from quarry.search.errors import FileUnreadable
from quarry.search.files.uris import uri_of
from quarry.search.stores.rows.files import FileStat, KnownFile
from quarry.search.stores.rows.roots import RootOptions

OPTIONS = b"options"
LATER = time.time_ns() + 3_600_000_000_000


def options(path: str) -> bytes:
    """How each file is read."""
    return OPTIONS


def known(path: Path, *, seen_ns: int = LATER, error: str | None = None, id: int = 1, hashed: bool = True) -> KnownFile:
    """What the catalog would know of the file, had it read it as it is now."""
    found = look(path)
    digest = content_hash(path) if hashed else None
    stat = (found.size, found.mtime_ns, found.ctime_ns, found.inode)
    return KnownFile(id, found.path, *stat, seen_ns, digest, OPTIONS, error, documents=1)


def paths(plan: Plan) -> dict[str, list[str]]:
    return {
        "read": [Path(found.path).name for found, _ in plan.read],
        "touch": [Path(found.path).name for found, _ in plan.touch],
        "moved": [f"{Path(old.path).name}>{Path(found.path).name}" for found, old in plan.moved],
        "gone": [Path(old.path).name for old in plan.gone],
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("one")
    return path


def test_same_stat_older_than_the_reading_is_unchanged_without_a_look_at_the_content(file: Path) -> None:
    before = known(file)
    file.unlink()
    found = FileStat(before.path, before.size, before.mtime_ns, before.ctime_ns, before.inode)
    assert plan([found], [before], options).unchanged == 1


@pytest.mark.parametrize("field", ["mtime_ns", "ctime_ns", "inode"])
def test_another_stat_with_the_same_content_is_only_recorded(file: Path, field: str) -> None:
    before = known(file)
    stat = {name: getattr(before, name) for name in ("path", "size", "mtime_ns", "ctime_ns", "inode")}
    found = FileStat(**{**stat, field: stat[field] + 1})
    assert paths(plan([found], [before], options))["touch"] == ["a.txt"]


def test_a_file_read_within_the_clocks_granularity_of_its_change_is_hashed(file: Path) -> None:
    before = known(file, seen_ns=look(file).ctime_ns + 1_000_000_000)
    assert paths(plan([look(file)], [before], options))["touch"] == ["a.txt"]
    file.write_text("two")
    found = FileStat(before.path, before.size, before.mtime_ns, before.ctime_ns, before.inode)  # as if in the same tick
    assert paths(plan([found], [before], options))["read"] == ["a.txt"]


def test_content_or_options_that_changed_mean_reading_again(file: Path) -> None:
    before = known(file)
    assert paths(plan([look(file)], [before], lambda path: b"other"))["read"] == ["a.txt"]
    plain, newer = RootOptions(), version_of("/a.docx")
    assert newer > version_of("/a.TXT") == version_of("/Makefile") == 1
    assert as_read(plain)("/a.docx") != as_read(plain)("/a.txt") == plain.digest(CUTTING)
    file.write_text("two")
    assert paths(plan([look(file)], [before], options))["read"] == ["a.txt"]


def test_a_file_whose_reading_was_not_finished_is_read_again(file: Path) -> None:
    assert paths(plan([look(file)], [known(file, hashed=False)], options))["read"] == ["a.txt"]


@pytest.mark.parametrize("hashed", [True, False])
def test_a_failed_file_fails_unread_until_it_changes_or_is_verified(file: Path, hashed: bool) -> None:
    before = known(file, error="broken", hashed=hashed)
    result = plan([look(file)], [before], options)
    assert result.failing == {str(file): "broken"}
    assert paths(result)["read"] == []
    assert paths(plan([look(file)], [before], options, verify=True))["read"] == ["a.txt"]
    file.write_text("two")
    assert paths(plan([look(file)], [before], options))["read"] == ["a.txt"]


def test_a_file_that_could_not_be_opened_is_tried_again_each_time(file: Path) -> None:
    before = known(file, error="permission denied", hashed=False, seen_ns=0)
    assert paths(plan([look(file)], [before], options))["read"] == ["a.txt"]


def test_verify_trusts_the_content_only(file: Path) -> None:
    before = known(file)
    assert paths(plan([look(file)], [before], options, verify=True))["touch"] == ["a.txt"]
    file.write_text("two")
    found = FileStat(before.path, before.size, before.mtime_ns, before.ctime_ns, before.inode)
    assert paths(plan([found], [before], options))["read"] == []
    assert paths(plan([found], [before], options, verify=True))["read"] == ["a.txt"]


def test_moves_are_paired_by_content_across_plans(tmp_path: Path) -> None:
    old = tmp_path / "old.txt"
    old.write_text("one")
    before = known(old)
    new = old.rename(tmp_path / "new.txt")
    other = tmp_path / "other.txt"
    other.write_text("two")
    left, right = plan([], [before], options), plan([look(other), look(new)], [], options)
    follow_moves([left, right])
    assert paths(left)["gone"] == []
    assert paths(right) == {"read": ["other.txt"], "touch": [], "moved": ["old.txt>new.txt"], "gone": []}


def test_of_equal_files_each_finds_its_own_new_place(tmp_path: Path) -> None:
    """By the inode on one file system, by the name where a move was a copy."""
    (tmp_path / "old").mkdir()
    names = ["c.txt", "a.txt", "b.txt"]
    for name in names:
        (tmp_path / "old" / name).write_text("the same")
    before = [known(tmp_path / "old" / name, id=number) for number, name in enumerate(names)]
    (tmp_path / "old").rename(tmp_path / "new")
    result = plan([look(tmp_path / "new" / name) for name in sorted(names)], before, options)
    follow_moves([result])
    assert sorted(paths(result)["moved"]) == [f"{name}>{name}" for name in sorted(names)]

    for name in names:
        copy = tmp_path / "new" / name
        data = copy.read_bytes()
        copy.unlink()
        copy.write_bytes(data)
    result = plan([look(tmp_path / "new" / name) for name in sorted(names)], before, options)
    follow_moves([result])
    assert sorted(paths(result)["moved"]) == [f"{name}>{name}" for name in sorted(names)]


def test_a_copy_is_no_move(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_bytes(file.read_bytes())
    result = plan([look(file), look(copy)], [known(file)], options)
    follow_moves([result])
    assert paths(result) == {"read": ["copy.txt"], "touch": [], "moved": [], "gone": []}


def test_what_would_be_read_otherwise_is_no_move(file: Path, tmp_path: Path) -> None:
    before = known(file)
    new = file.rename(tmp_path / "b.txt")
    result = plan([look(new)], [before], lambda path: b"other")
    follow_moves([result])
    assert paths(result) == {"read": ["b.txt"], "touch": [], "moved": [], "gone": ["a.txt"]}


def test_hashing_refuses_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing"):
        with pytest.raises(FileUnreadable):
            content_hash(path)


@pytest.mark.parametrize("year", [1903, 2255, 2400])
def test_any_date_can_be_recorded(file: Path, year: int) -> None:
    seconds = (year - 1970) * 31_556_952
    os.utime(file, (seconds, seconds))
    assert abs(look(file).mtime_ns) < 2**63
    assert look(file).path == uri_of(file)
