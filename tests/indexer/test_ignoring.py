from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from quarry.indexer.files.ignoring import TooCostly, patterns, verdict
from quarry.indexer.files.walking import TOO_COSTLY, walk
from quarry.indexer.formats import supported
from quarry.search.files.uris import path_of

NAMES = [
    "a",
    "b",
    "ab",
    "a.b",
    "aab",
    "abab",
    "A",
    "a-b",
    "a]b",
    "a[b",
    "a*b",
    "a\\b",
    "a b",
    "b ",
    "#a",
    "!a",
    "1",
]  # in ASCII: to git a letter is a byte
PIECES = ["a", "b", "ab", "*", "**", "***", "?", "[ab]", "[!a]", "[^b-z]", "[]a]", "[a-]", "[[:alpha:]]", "[[:nope:]]"]
PIECES += ["[[:a]", "[\\]]", "[b-a]", "[", "]", "\\*", "\\\\", "\\a", " ", "\\ ", "/", "/", "/", "#", "!", "-", "A"]


def is_ignored(path: str, is_folder: bool, text: str) -> bool:
    """Do as a walk does: what lies in an ignored folder is not asked for."""
    names, found = path.split("/"), list(patterns(text))
    ways = [(names[: depth + 1], is_folder or depth < len(names) - 1) for depth in range(len(names))]
    return any(verdict(found, way, folder) for way, folder in ways)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_patterns_mean_what_git_says(tmp_path: Path) -> None:
    rng = random.Random(7)
    folders = ["", *(f"{name}/" for name in ("a", "b", "ab", "a/b", "b/a", "a/a/b", "x/y/a"))]
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for folder, name in itertools.product(folders, NAMES):
        if not (tmp_path / folder / name).exists():
            (tmp_path / folder / name).write_text("x")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    paths = sorted(os.path.relpath(path, tmp_path) for path in tmp_path.rglob("*") if ".git" not in path.parts)
    are_folders = [(tmp_path / path).is_dir() for path in paths]
    lines = ["".join(rng.choices(PIECES, k=rng.randint(1, 6))) for _ in range(100)]
    lines += [
        "a/**",
        "/**",
        "**",
        "**/",
        "a/**/b",
        "**/a/**/b",
        "/a",
        "//a",
        "a//b",
        "a/",
        "/",
        "\\#a",
        "\\!a",
        "b\\ ",
        "b  ",
    ]
    texts = [*lines, *(f"{one}\n!{two}\n" for one, two in itertools.pairwise(lines[:40]))]
    for text in texts:
        (tmp_path / ".git" / "info" / "exclude").write_text(text)
        command: list[str | Path] = ["git", "-C", tmp_path, "check-ignore", "--no-index", "-z", "--stdin"]
        said = subprocess.run(command, input="\0".join(paths).encode(), capture_output=True, check=False)
        assert said.returncode in (0, 1), said.stderr
        expected = set(said.stdout.decode().split("\0")) - {""}
        found = {path for path, is_folder in zip(paths, are_folders, strict=True) if is_ignored(path, is_folder, text)}
        assert found == expected, (text, sorted(found ^ expected)[:5])


HOSTILE = {  # patterns, a path, and whether it can be told within the budget
    "stars": ("a*" * 100 + "b", "a" * 255, True),
    "stars and questions": ("*?" * 100 + "b", "a" * 255, True),
    "sets": ("*[a]" * 60 + "*[!a]", "a" * 255, True),
    "long pieces": ("*".join(["a" * 100] * 3) + "b", "a" * 255, True),
    "folders": ("**/a/" * 100 + "b", "a/" * 1_000 + "a", True),
    "folders with stars": ("**/*a*/" * 50 + "b", "aa/" * 500 + "c", True),
    "one run of folders": ("**/" + "a/" * 1_000 + "b", "a/" * 1_500 + "c", False),
    "many": ("\n".join(["**/" + "a/" * 40 + "b"] * 1_000), "a/" * 100 + "c", False),
    "many with stars": ("\n".join(["*" + "a" * 90 + "b"] * 1_000), "a" * 250, False),
}


@pytest.mark.parametrize(("text", "path", "is_told"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.timeout(60)  # of which a matcher that backtracks takes ages
def test_no_pattern_takes_long(text: str, path: str, is_told: bool) -> None:
    found = list(patterns(text))
    for _ in range(3):
        if is_told:
            assert verdict(found, path.split("/"), False) is None
        else:
            with pytest.raises(TooCostly):
                verdict(found, path.split("/"), False)


@pytest.mark.parametrize(
    "text", ["\n".join(f"name{n}" for n in range(20_000)), "# " + "x" * (1 << 20)], ids=["patterns", "bytes"]
)
def test_ignore_files_that_are_too_large_fail_their_folder(tmp_path: Path, text: str) -> None:
    for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "sub" / ".gitignore").write_text(text)
    result = walk(tmp_path, tmp_path, supported)
    assert [path_of(file.path).name for file in result.files] == ["a.txt"]
    assert result.unreadable == {str(tmp_path / "sub"): TOO_COSTLY}
    assert walk(tmp_path, tmp_path / "sub" / "deep", supported).unreadable == {
        str(tmp_path / "sub" / "deep"): TOO_COSTLY
    }


def test_a_file_that_cannot_be_told_in_time_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("\n".join(["*" + "a" * 90 + "b"] * 1_000))
    (tmp_path / ("a" * 250 + ".txt")).write_text("x")
    (tmp_path / "ok.txt").write_text("x")
    result = walk(tmp_path, tmp_path, supported)
    assert [path_of(file.path).name for file in result.files] == ["ok.txt"]
    assert list(result.unreadable.values()) == [TOO_COSTLY]
