"""What is a file's stays a file's."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quarry.api.library import Library, Text
from quarry.indexer import claims
from quarry.search.errors import Conflict
from quarry.search.models.fake import FakeModels

OWN = "the real content"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text(OWN)
    (folder / "가#1.csv").write_text("id,text\n1,first row of a table\n2,second row of a table\n")
    (folder / "o.txt").write_text("another file, so that no root loses most of what it has")
    (folder / "p.txt").write_text("and one more, for the same reason")
    return folder


@pytest.fixture
def library(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    opened = Library(tmp_path / "library", models=FakeModels())
    assert opened.index(folder).complete
    return opened


def texts(library: Library) -> set[str]:
    return {library.text(document.id) for document in library.documents()[0]}


@pytest.mark.parametrize(
    "named",
    [
        lambda library, path: {"uri": path},
        lambda library, path: {"id": path},
        lambda library, path: {"id": library.get(path).id},
        lambda library, path: {"id": library.get(path).id, "uri": "note:1"},
        lambda library, path: {"uri": library.get(path).id},
        lambda library, path: {"uri": f"{path}#more"},
        lambda library, path: {"uri": f"file://{path}"},
        lambda library, path: {"uri": f"file://{path}".replace("a.txt", "%61.txt")},
        lambda library, path: {"uri": path.replace("a.txt", "가#1.csv")},
        lambda library, path: {"uri": unicodedata.normalize("NFD", path.replace("a.txt", "가#1.csv#id=1"))},
        lambda library, path: {"uri": path.replace("a.txt", "가#1.csv#id=3")},
    ],
)
def test_a_name_that_is_a_files_is_refused(
    library: Library, folder: Path, named: Callable[[Library, str], dict[str, Any]]
) -> None:
    before = texts(library)
    with pytest.raises(Conflict, match=r"belongs to the file .*change the file"):
        library.add([Text("good"), Text("SPOOFED", **named(library, str(folder / "a.txt")))])
    assert texts(library) == before and library.text(folder / "a.txt") == OWN


def test_a_name_is_free_again_once_the_file_is_gone(library: Library, folder: Path) -> None:
    (folder / "a.txt").unlink()
    library.index()
    library.add(Text("mine", uri=str(folder / "a.txt")))
    (folder / "a.txt").write_text("back again")
    library.index()
    assert library.text(folder / "a.txt") == "back again" and "mine" not in texts(library)


@pytest.mark.parametrize("end", ["read", "gone", "forgotten"])
def test_documents_that_stand_in_a_files_place_go(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """A library of an earlier version may hold them: nothing was refused."""
    library.delete(folder / "a.txt")
    with monkeypatch.context() as patched:
        patched.setattr(claims, "check", lambda *_: None)
        row = str(folder / "가#1.csv#id=9")
        library.add([Text("SPOOFED", uri=str(folder / "a.txt")), Text("SPOOFED row", uri=row)])
    assert library.text(folder / "a.txt") == "SPOOFED"
    if end == "read":
        library.index()
        assert library.text(folder / "a.txt") == OWN
    elif end == "gone":
        (folder / "a.txt").unlink()
        (folder / "가#1.csv").unlink()
        library.index(prune=True)
        assert library.documents()[1] == 2
    else:
        library.forget(folder)
        assert library.documents()[1] == 0
    assert not any("SPOOFED" in text for text in texts(library))


def test_what_was_deleted_comes_back_as_the_files_own(library: Library, folder: Path) -> None:
    """A deleted document stays away while its file is as it was; undeleted, it is what the file holds by then."""
    table = folder / "가#1.csv"
    assert library.delete([table]) == 2
    library.index(verify=True)
    assert not any("row" in text for text in texts(library))
    table.write_text("id,text\n1,first row of a table\n")
    library.index()
    assert library.text(f"{table}#id=1") == "first row of a table"
    library.undelete([f"{table}#id=2"])
    assert library.text(f"{table}#id=2") == "second row of a table"
    library.index()
    assert sum("row of a table" in text for text in texts(library)) == 1


def test_undeleting_beside_a_file_of_the_same_name_is_refused(library: Library, folder: Path) -> None:
    first = library.get(folder / "a.txt").id
    library.delete([first])
    library.forget(folder)
    library.index(folder)
    library.delete([folder / "a.txt"])
    with pytest.raises(Conflict, match="belongs to the file"):
        library.undelete([first])
