from __future__ import annotations

import os
from pathlib import Path

import pytest

from quarry.search.files import openings
from quarry.search.files.openings import Elsewhere


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A file `top/a/b/file` in place, and the same outside, with links and other things that lead there or nowhere."""
    for place in (tmp_path / "top", tmp_path / "outside"):
        (place / "a" / "b").mkdir(parents=True)
        (place / "a" / "b" / "file").write_text(place.name)
    top = tmp_path / "top"
    (top / "folder-link").symlink_to(tmp_path / "outside" / "a")
    (top / "a" / "link").symlink_to(tmp_path / "outside" / "a" / "b" / "file")
    (top / "a" / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(top / "a" / "pipe")
    return top


def test_a_file_in_place_is_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    for path, top in (
        (tree / "a/b/file", tree),
        (tree / "a/b/file", None),
        (Path("a/b/file"), None),
        (Path("a/b/file"), Path()),
    ):
        with os.fdopen(openings.open_file(path, top=top)) as stream:
            assert stream.read() == "top"
        assert openings.look(path, top).st_size == 3


@pytest.mark.parametrize("name", ["folder-link/b/file", "a/link", "a/dangling", "a/pipe", "a/b", "../outside/a/b/file"])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR | os.O_CREAT])
def test_nothing_else_is(tree: Path, name: str, flags: int) -> None:
    with pytest.raises(Elsewhere):
        os.close(openings.open_file(tree / name, flags, top=tree))
    assert not (tree.parent / "nothing").exists()


def test_a_link_above_the_top_is_followed_and_a_link_anywhere_else_is_not(tree: Path) -> None:
    (tree.parent / "other").symlink_to(tree)
    other = tree.parent / "other"
    os.close(openings.open_file(other / "a/b/file", top=other))
    with pytest.raises(Elsewhere) as refused:
        openings.open_file(other / "a/b/file")
    assert refused.value.filename == str(other)


def test_no_descriptor_is_left_open(tree: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for name in ("a/b/file", "a/link", "a/pipe", "a/none", "none/file", "folder-link/b/file"):
        try:
            os.close(openings.open_file(tree / name, top=tree))
        except OSError:
            continue
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="takes on another user's id")
def test_a_folder_above_need_only_be_passable(tree: Path) -> None:
    for folder in (*tree.parents, tree):
        folder.chmod(folder.stat().st_mode | 0o011)
    (tree / "a").chmod(0o711)  # nobody else may list it
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            os.close(openings.open_file(tree / "a/b/file"))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
