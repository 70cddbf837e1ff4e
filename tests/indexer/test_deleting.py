from __future__ import annotations

from pathlib import Path

import pytest

from quarry.api.library import Library, Text
from quarry.search.errors import Conflict, NotFound
from quarry.search.models.fake import FakeModels


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    opened = Library(tmp_path / "library", models=FakeModels())
    opened.add([Text(f"Number {n} of the potatoes.\n\n" + "More. " * 400, f"Title {n}", id=str(n)) for n in range(3)])
    return opened


def found(library: Library) -> set[str]:
    return {hit.document.id for hit in library.search("potatoes", mode="lexical").hits}


def test_a_deletion_is_undone_whole(library: Library) -> None:
    before, text = library.get("1"), library.text("1")
    vectors = library.status()["spaces"]
    assert library.delete(["1", "2"]) == 2 and found(library) == {"0"}
    assert library.undelete() == ["1", "2"]
    after = library.get("1")
    assert (after.uri, after.title, after.metadata, after.modified, after.chunks) == (
        before.uri,
        before.title,
        before.metadata,
        before.modified,
        before.chunks,
    )
    assert library.text("1") == text and found(library) == {"0", "1", "2"}
    assert [space["vectors"] for space in library.status()["spaces"]] == [space["vectors"] for space in vectors]
    assert not [one for one in library.doctor() if one.level == "damage"]
    with pytest.raises(NotFound, match="Nothing was deleted"):
        library.undelete()


def test_the_last_deletion_is_undone_first_and_any_by_its_id(library: Library) -> None:
    library.delete(["0"])
    library.delete(["1"])
    library.delete(["2"])
    assert library.undelete() == ["2"]
    assert library.undelete(["quarry:0"]) == ["0"]
    assert library.undelete() == ["1"]


def test_what_is_there_again_is_not_overwritten(library: Library) -> None:
    library.delete(["1", "2"])
    library.add([Text("Another.", id="1")])
    with pytest.raises(Conflict, match="another document '1'"):
        library.undelete()
    assert library.text("1") == "Another." and found(library) == {"0"}
    assert library.undelete(["2"]) == ["2"]


def test_the_newest_of_several_deleted_under_one_id_comes_back(library: Library) -> None:
    library.delete(["1"])
    library.add([Text("Newer potatoes.", id="1")])
    library.delete(["1"])
    library.undelete(["1"])
    assert library.text("1") == "Newer potatoes."


def test_a_compaction_makes_it_final(library: Library) -> None:
    library.delete(["1"])
    library.compact()
    with pytest.raises(NotFound, match="compacted since"):
        library.undelete(["1"])


def test_a_document_of_a_file_belongs_to_it_again(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("The potatoes of the file.")
    library.index(folder)
    (document,) = library.documents(filter={"path": {"$contains": "a.txt"}})[0]
    library.delete([document.uri])
    assert library.index(folder).added == 0  # the file has not changed
    assert library.undelete([document.uri]) == [document.id]
    again = library.index(folder)
    assert (again.added, again.changed, library.text(document.id)) == (0, 0, "The potatoes of the file.")
    (folder / "a.txt").unlink()
    library.index(folder, prune=True)
    with pytest.raises(NotFound):
        library.get(document.id)


def test_a_picture_comes_back_with_its_vector_and_thumbnail(own_pictures: tuple[Path, Path]) -> None:
    directory, _ = own_pictures
    with Library(directory) as library:
        (hit, *_) = library.search("a cat", kinds=["image"], limit=1).hits
        thumbnail = library.thumbnail(hit.document.id)
        library.delete([hit.document.id])
        assert hit.document.id not in {one.document.id for one in library.search("a cat", kinds=["image"]).hits}
        library.undelete()
        (again, *_) = library.search("a cat", kinds=["image"], limit=1).hits
        assert (again.document.id, again.score) == (hit.document.id, pytest.approx(hit.score, abs=1e-6))
        assert library.thumbnail(hit.document.id) == thumbnail
