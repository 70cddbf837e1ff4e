"""A part of a root is exchanged for a link while it is indexed: nothing from outside comes in."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quarry.api.library import Library
from quarry.indexer import reading, sync
from quarry.indexer.files import walking
from quarry.indexer.formats import supported
from quarry.search.errors import NotFound
from quarry.search.files import openings
from quarry.search.models.fake import FakeModels

RENAME_EXCHANGE = 2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with `one/two/file.txt`, and a folder outside of the same shape."""
    for place in (tmp_path / "root", tmp_path / "outside"):
        (place / "one" / "two").mkdir(parents=True)
        for name in ("file.txt", "other.md"):
            (place / "one" / "two" / name).write_text(f"text of {place.name} in {name}")
    (tmp_path / "root" / "first.txt").write_text("text of root, too")
    return tmp_path / "root"


def exchange(root: Path, part: str) -> None:
    """Put a link to the same place outside where a part of the root is; once more puts it back."""
    at, away = root / part, root.parent / "away"
    if at.is_symlink():
        at.unlink()
        away.rename(at)
    else:
        at.rename(away)
        at.symlink_to(root.parent / "outside" / part)


PARTS = ["", "one", "one/two", "one/two/file.txt"]


def texts(library: Library) -> list[str]:
    return sorted(library.text(hit.document.id) for hit in library.search("text", mode="lexical", limit=100).hits)


@pytest.mark.fault("15")
@pytest.mark.parametrize("part", PARTS[1:])
def test_while_it_is_walked(root: Path, part: str) -> None:
    is_done: list[bool] = []

    def can_read(path: Path) -> bool:  # asked when the root itself was listed, and nothing below it yet
        if not is_done:
            exchange(root, part)
            is_done.append(True)
        return supported(path)

    found = walking.walk(root, root, can_read)
    assert [Path(file.path).name for file in found.files if "outside" in Path(file.path).read_text()] == []
    why = "The folder can't be read: there is a link or a file where a folder was."
    assert found.unreadable == ({str(root / part): why} if part == "one" else {})  # the others are links when listed


@pytest.mark.fault("15")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("seam", [(sync, "walk"), (reading, "look"), (reading, "_hashing")])
def test_before_it_is_read(
    root: Path, part: str, seam: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange comes after the walk, after a file was looked at once more, or after it was hashed."""
    module, name = seam
    real: Callable[..., Any] = getattr(module, name)
    is_done: list[bool] = []

    def swapping(*named: Any, **more: Any) -> Any:
        result = real(*named, **more)
        if not is_done:
            exchange(root, part)
            is_done.append(True)
        return result

    monkeypatch.setattr(module, name, swapping)
    with Library(tmp_path / "library", models=FakeModels()) as library:
        report = library.index(root)
        assert not [text for text in texts(library) if "outside" in text]
        assert report.failed and all("link" in why or "can't be reached" in why for why in report.failed.values())
        exchange(root, part)  # back: it is read now
        assert not library.index(root).failed
        assert texts(library) == ["text of root in file.txt", "text of root in other.md", "text of root, too"]


@pytest.fixture
def swapping(root: Path) -> Iterator[None]:
    """Exchange a folder and a link to the one outside as quickly as the kernel does it, for as long as a test runs."""
    link = root.parent / "link"
    link.symlink_to(root.parent / "outside" / "one")
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    ended = threading.Event()

    def swap() -> None:
        while not ended.wait(0.0003):
            renameat2(-100, os.fsencode(root / "one"), -100, os.fsencode(link), RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.fault("15")
def test_at_any_moment(root: Path, swapping: None) -> None:
    """What is opened under a path is the file that lies there, or nothing, whatever happens meanwhile."""
    seen = set()
    for _ in range(3_000):
        try:
            with os.fdopen(openings.open_file(root / "one/two/file.txt")) as stream:
                seen.add(stream.read())
        except openings.Elsewhere:
            seen.add("refused")
    assert seen - {"refused"} == {"text of root in file.txt"}


@pytest.mark.fault("33")
@pytest.mark.parametrize("part", ["folder", "file"])
def test_an_original_is_not_given_out_from_elsewhere(own_pictures: tuple[Path, Path], part: str) -> None:
    """Not even where the same file lies there: it is by its place that a picture may be read."""
    library_at, photos = own_pictures
    with Library(library_at) as library:
        document = next(document for document in library.documents()[0] if document.kind == "image")
        assert library.original(document.id)
        at = photos if part == "folder" else Path(document.uri)
        at.rename(photos.parent / "elsewhere")
        at.symlink_to(photos.parent / "elsewhere")
        with pytest.raises(NotFound, match="not there any more"):
            library.original(document.id)
