from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarry.api.library import Library, Text
from quarry.indexer.uploads import MAX_TEXT
from quarry.search.errors import FileMalformed, InvalidRequest, NotFound, UnsupportedType
from quarry.search.models.fake import FakeModels


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels({"A broken text.": float("nan")})) as opened:
        yield opened


def test_texts_are_added_at_once(library: Library) -> None:
    ids = library.add(
        [Text("One potato."), Text("Two\r\npotatoes.", "Title", "note:2", "two", {"n": [1, None]}, "text/x")]
    )
    first, second = (library.get(id) for id in ids)
    assert (first.title, first.type, first.uri.partition(":")[0]) == ("One potato.", "text/plain", "quarry")
    assert (second.id, second.uri, second.title, second.type) == ("two", "note:2", "Title", "text/x")
    assert (library.text("note:2"), second.metadata) == ("Two\npotatoes.", {"n": [1, None]})
    assert library.status()["generation"] == 2  # one for the space, one for both
    assert {hit.document.id for hit in library.search("potato potatoes", mode="lexical").hits} == set(ids)


def test_an_id_or_uri_that_is_there_is_replaced(library: Library) -> None:
    library.add([Text("One.", id="a", uri="note:a")])
    assert library.add([Text("Two.", id="a")]) == ["a"]
    assert library.add([Text("Three.", uri="quarry:a")]) == ["a"]
    assert library.text("a") == "Three." and library.status()["documents"] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (Text(" \n\t"), r"documents\[1\]\.text is empty"),
        (Text("x" * (MAX_TEXT + 1)), r"10,000,001 characters"),
        (Text("\ud800"), r"documents\[1\]\.text has a lone surrogate at character 0"),
        (Text("x", title="\udfff"), r"documents\[1\]\.title has a lone surrogate"),
        (Text("x", uri="\udfff"), r"documents\[1\]\.uri has a lone surrogate"),
        (Text("x", type="\udfff"), r"documents\[1\]\.type has a lone surrogate"),
        (Text("x", id=""), r"documents\[1\]\.id must have 1 to 128 characters"),
        (Text("x", id="  "), r"documents\[1\]\.id .* can't be blank"),
        (Text("x", id=".."), r"documents\[1\]\.id .* can't be blank, '\.' or '\.\.'"),
        (Text("x", id="a\0b"), r"documents\[1\]\.id has characters that can't be printed"),
        (Text("x", id="a\nb"), r"documents\[1\]\.id has characters that can't be printed"),
        (Text("x", id="y" * 129), r"documents\[1\]\.id must have 1 to 128 characters"),
        (Text("x", metadata={"a": float("nan")}), r"documents\[1\]: metadata must be JSON"),
        (Text("x", metadata={"a": "\ud800"}), r"documents\[1\]: metadata must be JSON"),
        (Text("x", metadata={"a": object()}), r"documents\[1\]: metadata must be JSON"),
        (Text("x", metadata={"a": "b" * 70_000}), r"documents\[1\]: metadata has 70,0"),
        (Text("A broken text."), r"no usable vector.*Nothing was added"),
    ],
)
def test_one_that_cannot_be_added_is_named_and_none_is(library: Library, text: Text, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        library.add([Text("Good."), text])
    assert library.status()["documents"] == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Text("x", id="a"), Text("y", id="a")),
        (Text("x", uri="note:a"), Text("y", uri="note:a", id="b")),
        (Text("x", id="a"), Text("y", uri="quarry:a")),
        (Text("x", id="a", uri="note:a"), Text("y", uri="a")),
    ],
)
def test_two_of_one_name_are_refused(library: Library, one: Text, other: Text) -> None:
    with pytest.raises(InvalidRequest, match=r"documents\[2\] and documents\[0\] go by the same name"):
        library.add([one, Text("Between."), other])
    assert library.documents()[1] == 0
    assert len(library.add([Text("x", id="a", uri="a"), Text("x"), Text("x", uri=" ")])) == 3


def test_control_characters_are_left_out(library: Library) -> None:
    (id,) = library.add([Text("a\x00b\x1bc\td\u202ee 🙂", title="t\x00\ni")])
    assert (library.text(id), library.get(id).title) == ("abc\td\u202ee 🙂", "t i")


def test_a_file_is_read_as_its_name_says(library: Library) -> None:
    (id,) = library.add_file(b"# Notes\n\nBuy milk.", "notes.md", {"by": "me"})
    document = library.get(id)
    assert (document.title, document.type, document.metadata["by"]) == ("Notes", "text/markdown", "me")
    rows = library.add_file(b'{"id": 1, "text": "first"}\n{"id": 1, "text": "second"}\n', "../rows.jsonl")
    assert [library.text(row) for row in rows] == ["first", "second"]
    assert all("/../" not in library.get(row).uri for row in rows)


def test_a_file_of_the_same_name_is_replaced(library: Library) -> None:
    first, gone = library.add_file(b"id,text\n1,first\n2,second\n", "rows.csv")
    (other,) = library.add_file(b"Another folder.", "b/rows.csv.txt")
    (again,) = library.add_file(b"id,text\n1,changed\n", "./rows.csv")
    assert (again, library.text(again)) == (first, "text: changed") or "changed" in library.text(again)
    with pytest.raises(NotFound):
        library.get(gone)
    assert library.status()["documents"] == 2 and library.text(other) == "Another folder."


def test_folders_of_an_uploaded_name_lead_nowhere(library: Library) -> None:
    (id,) = library.add_file(b"Notes.", "/../a/./..//b\\notes.md")
    assert library.get(id).uri == "quarry:file/a/b/notes.md"
    with pytest.raises(InvalidRequest, match="name has 300 characters"):
        library.add_file(b"x", "n" * 296 + ".txt")


def test_a_file_that_cannot_be_read(library: Library) -> None:
    with pytest.raises(UnsupportedType):
        library.add_file(b"x", "program.exe")
    with pytest.raises(FileMalformed):
        library.add_file(b"%PDF-1.7 nothing else", "a.pdf")
    with pytest.raises(InvalidRequest, match="holds nothing"):
        library.add_file(b"  ", "a.txt")


TABLE = "id,text\n7,Gardens by the sea\n8,Boats in the harbour\n9,Lamps\n"


def test_a_file_of_many_documents_is_named_by_its_path(library: Library, tmp_path: Path) -> None:
    path, other = tmp_path / "rows.csv", tmp_path / "rows.csv#more.txt"
    path.write_text(TABLE)
    other.write_text("Another file, which is no row.")
    library.index(tmp_path / "rows.csv", other)
    whole, row = library.get(str(path)), library.get(f"{path}#id=8")
    assert (whole.id, whole.uri, whole.title, whole.type) == (str(path), str(path), "rows.csv", "text/csv")
    assert (whole.metadata, whole.chunks, row.title) == ({"documents": 3}, 3, "rows, id 8")
    assert library.text(str(path)) == "Gardens by the sea\n\nBoats in the harbour\n\nLamps"
    path.unlink()  # what is left is the library's
    assert "Gardens by the sea" in library.summarize(str(path)).text

    assert library.delete([f"{path}#id=8"]) == 1
    assert library.delete([str(path)]) == 2
    assert [found.uri for found in library.documents()[0]] == [str(other)]
    with pytest.raises(NotFound):
        library.delete([str(path)])
    assert len(library.undelete([str(path)])) == 3
    assert library.text(f"{path}#id=8") == "Boats in the harbour"


def test_an_uploaded_table_is_named_by_its_path(library: Library) -> None:
    ids = library.add_file(TABLE.encode(), "rows.csv")
    uri = library.get(ids[0]).uri.partition("#")[0]
    assert library.get(uri).metadata == {"documents": 3}
    assert library.delete([uri]) == 3


def test_a_file_of_very_many_documents_is_not_taken_whole(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarry.indexer.uploads.MAX_DOCUMENTS", 2)
    with pytest.raises(InvalidRequest, match="more than 2 documents; split it"):
        library.add_file(b"text\none\ntwo\nthree\n", "rows.csv")
    assert library.status()["documents"] == 0
    assert len(library.add_file(io.BytesIO(b"text\none\ntwo\n"), "rows.csv")) == 2


def test_a_stream_without_an_end_is_not_taken_whole(library: Library) -> None:
    with Path("/dev/zero").open("rb") as endless, pytest.raises(FileMalformed, match="larger than 256 MiB"):
        library.add_file(endless, "notes.txt")
