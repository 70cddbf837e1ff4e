from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from quarry.indexer.files.walking import walk
from quarry.indexer.formats import supported
from quarry.search.files import openings
from quarry.search.files.uris import path_of


def make(root: Path, *names: str, text: str = "x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(root: Path, scope: Path | None = None, without: Path | None = None) -> list[str]:
    found = walk(root, scope or root, supported, without).files
    return sorted(str(path_of(file.path).relative_to(root)) for file in found)


def test_regular_files_of_supported_types(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b/c.md", "b/d.exe", "README", ".hidden.txt", ".git/config.txt")
    result = walk(tmp_path, tmp_path, supported)
    assert [file.path for file in result.files] == [str(tmp_path / name) for name in ("README", "a.txt", "b/c.md")]
    assert result.skipped == {"hidden": 2, "unsupported type": 1}


def test_a_file_as_root(tmp_path: Path) -> None:
    make(tmp_path, "a.xyz", "a.txt")
    assert names(tmp_path / "a.txt") == ["."]
    assert walk(tmp_path / "a.xyz", tmp_path / "a.xyz", supported).skipped == {"unsupported type": 1}


@pytest.mark.fault("15")
def test_links_pipes_and_devices_are_passed_by(tmp_path: Path) -> None:
    make(tmp_path, "real/a.txt")
    make(tmp_path.parent / f"{tmp_path.name}-outside", "secret.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "out").symlink_to(tmp_path.parent / f"{tmp_path.name}-outside")
    (tmp_path / "copy.txt").symlink_to("real/a.txt")
    (tmp_path / "dangling.txt").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    result = walk(tmp_path, tmp_path, supported)
    assert [Path(file.path).name for file in result.files] == ["a.txt"]
    assert result.skipped == {"link": 5, "not a regular file": 1}
    assert walk(tmp_path / "pipe.txt", tmp_path / "pipe.txt", supported).skipped == {"not a regular file": 1}


def test_libraries_are_not_indexed(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "mine/notes.txt", "other/catalog.db", "other/writer.lock", "other/lexical/meta.json")
    assert names(tmp_path, without=tmp_path / "mine") == ["a.txt"]


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff b.txt"
    Path(os.fsdecode(path)).write_text("x")
    (found,) = walk(tmp_path, tmp_path, supported).files
    assert found.path.startswith("file:///") and found.path.endswith("/%FF%20b.txt")
    assert os.fsencode(path_of(found.path)) == path


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.txt", "locked/b.txt")
    open_folder = openings.open_folder

    def refuse(path: Path) -> int:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return open_folder(path)

    monkeypatch.setattr(openings, "open_folder", refuse)
    result = walk(tmp_path, tmp_path, supported)
    assert [Path(file.path).name for file in result.files] == ["a.txt"]
    assert result.unreadable == {str(tmp_path / "locked"): "The folder can't be read: Permission denied."}


def test_ignore_files_nested_and_negated(tmp_path: Path) -> None:
    make(tmp_path, "a.log", "keep.log", "build/x.txt", "src/build/y.txt", "src/a.log", "src/deep/b.log", "top.txt")
    make(tmp_path, "src/top.txt", "docs/draft.md", "docs/final.md", "vendor/keep/z.txt")
    make(
        tmp_path,
        ".gitignore",
        text="\ufeff*.log\r\n!keep.log\r\nbuild/\n/top.txt\n# comment\n!\nvendor/\n!vendor/keep/\n",
    )
    make(tmp_path, "src/.gitignore", text="!a.log\n")
    make(tmp_path, "docs/.quarryignore", text="draft*\n")
    assert names(tmp_path) == ["docs/final.md", "keep.log", "src/a.log", "src/top.txt"]


def test_quarryignore_wins_over_gitignore_of_the_same_folder(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.txt", "c.txt")
    make(tmp_path, ".gitignore", text="a.txt\nb.txt\n")
    make(tmp_path, ".quarryignore", text="!a.txt\nc.txt\n")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_ignoring_is_what_git_does(tmp_path: Path) -> None:
    folders = ["", "a/", "a/b/", "build/", "a/build/", "x/"]
    make(tmp_path, *(folder + name for folder in folders for name in ("one.txt", "two.md", "keep.txt", "log.txt")))
    make(tmp_path, ".gitignore", text="*.md\n!keep.md\nbuild\nlog.*\n/a/one.txt\n**/x/two*\na/**/log.txt\n")
    make(tmp_path, "a/.gitignore", text="!two.md\n/b/*\n!/b/keep.txt\nx/\n")
    make(tmp_path, "x/.gitignore", text="*\n!one.txt\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    command: list[str | Path] = ["git", "-C", tmp_path, "ls-files", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert names(tmp_path) == sorted(name for name in listed if not name.endswith(".gitignore"))


@pytest.mark.parametrize("name", ["locked", "sub/ignored", "sub/ignored/deep", "sub", "sub/.hidden", "sub/kept"])
def test_a_scope_holds_what_a_walk_of_the_root_finds_there(tmp_path: Path, name: str) -> None:
    make(tmp_path, "locked/a.txt", "sub/ignored/b.txt", "sub/ignored/deep/c.txt", "sub/.hidden/d.txt", "sub/kept/e.txt")
    make(tmp_path, ".gitignore", text="ignored\n")
    make(tmp_path, "sub/kept/.gitignore", text="f.txt\n")
    make(tmp_path, "sub/kept/f.txt")
    whole = [found for found in names(tmp_path) if found.startswith(f"{name}/")]
    assert names(tmp_path, tmp_path / name) == whole


@pytest.mark.fault("15")
def test_an_ignore_file_that_is_a_pipe_link_or_folder_hangs_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b/a.txt", "c/a.txt", "patterns")
    os.mkfifo(tmp_path / ".gitignore")
    (tmp_path / "b" / ".gitignore").mkdir()
    (tmp_path / "c" / ".gitignore").symlink_to("../patterns")
    result = walk(tmp_path, tmp_path, supported)
    assert len(result.files) == 4 and not result.unreadable
