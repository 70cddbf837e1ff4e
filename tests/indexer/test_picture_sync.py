"""Words beside a picture are a part of it: they are no document of their own, and change it when they change."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from quarry.indexer.files.changes import content_hash, follow_moves, plan
from quarry.indexer.files.walking import OF_A_PICTURE, Walk, look, walk
from quarry.indexer.formats import supported
from quarry.search.files.uris import path_of
from quarry.search.stores.rows.files import KnownFile

LATER = time.time_ns() + 3_600_000_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"cat.jpg": "cat", "cat.txt": "a cat", "dog.Jpg": "dog", "dog.json": '{"alt": "dog"}', "notes.txt": "n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def listed(root: Path, scope: Path | None = None) -> Walk:
    return walk(root, scope or root, supported)


def names(result: Walk) -> list[str]:
    return [path_of(found.path).name for found in result.files]


def known(root: Path) -> list[KnownFile]:
    """What the catalog would know, had it read everything as it is now."""
    return [
        KnownFile(
            number, found.path, found.size, found.mtime_ns, found.ctime_ns, found.inode, LATER, digest, b"", None, 1
        )
        for number, found in enumerate(listed(root).files)
        for digest in (content_hash(path_of(found.path)),)
    ]


def read_anew(root: Path, before: list[KnownFile]) -> list[str]:
    return [path_of(found.path).name for found, _ in plan(listed(root).files, before, lambda path: b"").read]


def test_words_about_a_picture_are_no_document(root: Path) -> None:
    result = listed(root)
    assert names(result) == ["cat.jpg", "dog.Jpg", "notes.txt"]
    assert result.skipped == {OF_A_PICTURE: 2}
    for name, found in {"cat.txt": [], "cat.jpg": ["cat.jpg"], "notes.txt": ["notes.txt"]}.items():
        assert names(listed(root, root / name)) == found


def test_a_file_looked_at_again_is_what_the_walk_found(root: Path) -> None:
    (root / ".gitignore").write_text("cat.txt\n")
    (root / "cat.jpg.txt").symlink_to("notes.txt")
    for found in listed(root).files:
        assert look(path_of(found.path)) == found


@pytest.mark.parametrize("ignored", ["cat.jpg", "*.jpg", "[Cc]at.*g"])
def test_where_the_picture_is_not_indexed_its_words_are(root: Path, ignored: str) -> None:
    (root / ".gitignore").write_text(f"{ignored}\n")
    assert names(listed(root)) == ["cat.txt", "dog.Jpg", "notes.txt"]
    assert names(listed(root, root / "cat.txt")) == ["cat.txt"]
    (root / "cat.jpg").unlink()
    (root / "cat.jpg").mkdir()
    assert "cat.txt" in names(listed(root))


def test_a_picture_is_read_anew_when_its_words_change_come_or_go(root: Path) -> None:
    before = known(root)
    assert read_anew(root, before) == []
    (root / "cat.txt").write_text("a dog")  # of the same size
    assert read_anew(root, before) == ["cat.jpg"]
    before = known(root)
    (root / "dog.json").unlink()
    assert read_anew(root, before) == ["dog.Jpg"]
    before = known(root)
    (root / "cat.json").write_text('{"caption": "more"}')
    assert read_anew(root, before) == ["cat.jpg"]
    before = known(root)
    os.utime(root / "cat.json")
    touched = plan(listed(root).files, before, lambda path: b"")
    assert not touched.read and [path_of(found.path).name for found, _ in touched.touch] == ["cat.jpg"]


def test_a_picture_that_moves_with_its_words_is_not_read(root: Path) -> None:
    before = known(root)
    (root / "album").mkdir()
    (root / "cat.jpg").rename(root / "album" / "tom.jpg")
    (root / "cat.txt").rename(root / "album" / "tom.txt")
    one = plan(listed(root).files, before, lambda path: b"")
    follow_moves([one])
    assert not one.read and not one.gone
    assert [path_of(found.path).name for found, _ in one.moved] == ["tom.jpg"]


def test_words_that_can_not_be_read_do_not_keep_the_picture_from_being_read(root: Path) -> None:
    (root / "cat.txt").chmod(0)
    assert len(content_hash(root / "cat.jpg")) == 16
    (root / "cat.txt").unlink()
    os.mkfifo(root / "cat.txt")
    assert len(content_hash(root / "cat.jpg")) == 16
