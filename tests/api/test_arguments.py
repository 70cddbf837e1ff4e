"""Wrong types are errors of the tree, and a text where a list is meant is one item, never its characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.api.library import Library, Text
from quarry.search.errors import InvalidRequest, NotFound, QuarryError


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("typed")
    (folder / "docs").mkdir()
    (folder / "docs" / unicodedata.normalize("NFD", "Zoé.txt")).write_text("Zoé has a garden.")
    with Library(folder / "library") as library:
        library.index(folder / "docs")
        yield library


@pytest.fixture
def library(shared: Library) -> Library:
    """The library with the documents 1, 2 and 12."""
    shared.add([Text("one", id="1"), Text("two", id="2"), Text("twelve", id="12")])
    return shared


def ids(library: Library) -> set[str]:
    return {document.id for document in library.documents(filter={"id": {"$in": ["1", "2", "12"]}})[0]}


def test_a_text_is_one_reference(library: Library) -> None:
    assert library.delete("12") == 1
    assert ids(library) == {"1", "2"}
    assert library.undelete("12") == ["12"]
    assert ids(library) == {"1", "2", "12"}
    with pytest.raises(NotFound, match="'21'"):
        library.delete("21")
    assert library.delete(one for one in ["1", "2"]) == 2  # type: ignore[arg-type]  # whatever can be listed


def test_a_text_is_one_item_of_a_list(library: Library, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"body": "words of the body", "note": "words of the note"}\n')
    library.index(tmp_path, text_fields="note")
    (document,) = library.documents(filter={"path": "r.jsonl"})[0]
    assert library.text(document.id).startswith("words of the note")
    library.forget(tmp_path)
    assert library.search("garden", mode="lexical", kinds="text").hits  # type: ignore[arg-type]
    assert library.add(Text("alone", id="12")) == ["12"]
    assert library.text("12") == "alone"
    with pytest.raises(InvalidRequest, match="2 to 20"):
        library.choose("which?", "ab")


def test_paths_name_documents(library: Library, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("named by its path")
    library.index(tmp_path / "a.txt")
    assert library.text(tmp_path / "a.txt") == "named by its path"
    assert library.delete(tmp_path / "a.txt") == 1  # type: ignore[arg-type]
    (zoe,) = library.documents(filter={"path": "Zoé.txt"})[0]
    assert library.get(unicodedata.normalize("NFC", zoe.uri)) == zoe


def test_numbers_of_other_libraries_are_numbers(library: Library) -> None:
    response = library.search("garden", mode="lexical", limit=np.int64(1), min_relevance=np.float32(0))  # type: ignore[arg-type]
    assert len(response.hits) == 1


WRONG: list[tuple[Callable[[Library], Any], str]] = [
    (lambda library: library.search(5), "query is 5 (int); give a text."),
    (lambda library: library.search(None), "query is None (NoneType); give a text."),
    (lambda library: library.search("x", limit="ten"), "limit is 'ten' (str); give a whole number."),
    (lambda library: library.search("x", limit=2.5), "limit is 2.5 (float); give a whole number."),
    (lambda library: library.search("x", limit=True), "limit is True"),
    (lambda library: library.search("x", offset=None), "offset is None"),
    (lambda library: library.search("x", min_relevance="half"), "min_relevance is 'half'"),
    (lambda library: library.search("x", explain="no"), "explain is 'no' (str); give True or False."),
    (lambda library: library.search("x", answer=1), "answer is 1"),
    (lambda library: library.search("x", kinds=5), "kinds is 5 (int); give a list of texts."),
    (lambda library: library.search("x", kinds=[5]), "kinds[0] is 5"),
    (lambda library: library.search("x", kinds="pictures"), "kinds is ['pictures']"),
    (lambda library: library.search("x", mode=[]), "mode is []"),
    (lambda library: library.search("x", rerank=1), "rerank is 1"),
    (lambda library: library.search("x", filter=3), "filter: must be an object"),
    (lambda library: library.search("x", filter="year=2020"), "filter: must be an object"),
    (lambda library: library.search("x", filter=["year"]), "filter: must be an object"),
    (lambda library: library.search(picture=5), "picture is 5 (int); give a path."),
    (lambda library: library.search(like=5), "like is 5; give ids, or {'id': ..., 'strength': ...}."),
    (lambda library: library.ask(["x"]), "query is ['x']"),
    (lambda library: library.ask("x", limit="1"), "limit is '1'"),
    (lambda library: library.choose(1, ["a", "b"]), "question is 1"),
    (lambda library: library.choose("x", [1, 2]), "choices[0] is 1"),
    (lambda library: library.choose("x", 3), "choices is 3"),
    (lambda library: library.get(1), "id is 1"),
    (lambda library: library.get("\ud800"), "lone surrogate"),
    (lambda library: library.text(None), "id is None"),
    (lambda library: library.thumbnail(b"x"), "id is b'x'"),
    (lambda library: library.original(1), "id is 1"),
    (lambda library: library.summarize(1), "reference is 1 (int); give a path."),
    (lambda library: library.documents(limit="all"), "limit is 'all'"),
    (lambda library: library.documents(offset=None), "offset is None"),
    (lambda library: library.documents(filter=3), "filter: must be an object"),
    (lambda library: library.documents(filter=0), "filter: must be an object"),
    (lambda library: library.filter_notes("x"), "filter: must be an object"),
    (lambda library: library.delete(12), "ids is 12 (int); give a list of ids or paths of documents."),
    (lambda library: library.delete([12]), "ids[0] is 12"),
    (lambda library: library.delete(b"12"), "ids is b'12'"),
    (lambda library: library.delete({"12": 1}), "ids is {'12': 1}"),
    (lambda library: library.undelete(12), "ids is 12"),
    (lambda library: library.forget(None), "root is None (NoneType); give a path."),
    (lambda library: library.index(5), "path is 5 (int); give a path."),
    (lambda library: library.index(["a", "b"]), "path is ['a', 'b'] (list); give a path."),
    (lambda library: library.index(b"a"), "path is b'a'"),
    (lambda library: library.index("/", text_fields=5), "text_fields is 5"),
    (lambda library: library.index("/", text_fields=[None]), "text_fields[0] is None"),
    (lambda library: library.index("/", title_field=["a"]), "title_field is ['a']"),
    (lambda library: library.index("/", id_field=1), "id_field is 1"),
    (lambda library: library.index("/", metadata="year"), "metadata is 'year' (str); give names with values"),
    (lambda library: library.index("/", metadata={"year": {1}}), "metadata must be JSON"),
    (lambda library: library.add("text"), "documents[0] is of the type str; give a Text."),
    (lambda library: library.add([{"text": "x"}]), "documents[0] is of the type dict; give a Text."),
    (lambda library: library.add(5), "documents is 5"),
    (lambda library: library.add([Text(5)]), "documents[0].text is 5"),  # type: ignore[arg-type]
    (lambda library: library.add([Text("x", title=None)]), "documents[0].title is None"),  # type: ignore[arg-type]
    (lambda library: library.add([Text("x", id=5)]), "documents[0].id is 5"),  # type: ignore[arg-type]
    (lambda library: library.add([Text("x", uri=5)]), "documents[0].uri is 5"),  # type: ignore[arg-type]
    (lambda library: library.add([Text("x", metadata="a")]), "metadata is 'a'"),  # type: ignore[arg-type]
    (lambda library: library.add_file("text", "a.txt"), "data is of the type str; give the content"),
    (lambda library: library.add_file(b"text", None), "name is None"),
    (lambda library: library.add_file(b"text", "a.txt", metadata=[1]), "metadata is [1]"),
    (lambda library: library.add(Text("x", uri=0)), "documents[0].uri is 0"),  # type: ignore[arg-type]
    (lambda library: library.add(Text("x", metadata={1: 2})), "a name in metadata is 1"),  # type: ignore[dict-item]
    (lambda library: library.add_file(b"text", "a.txt", metadata=[]), "metadata is []"),
    (lambda library: library.index(""), "path is empty"),
    (lambda library: library.index("/", metadata=[]), "metadata is []"),
    (lambda library: library.index("/", title_field=None), "title_field is None"),
    (lambda library: library.index("/", text_fields=0), "text_fields is 0"),
    (lambda library: library.index("/", dry_run="no"), "dry_run is 'no' (str); give True or False."),
    (lambda library: library.index("/", prune="no"), "prune is 'no'"),
    (lambda library: library.index("/", verify=0), "verify is 0"),
    (lambda library: library.forget(""), "root is empty"),
    (lambda library: library.doctor(repair="no"), "repair is 'no'"),
    (lambda library: library.search(picture=b"x", like="1"), "not both"),
    (lambda library: library.reembed(5), "text_model is 5"),
    (lambda _: Library(5), "directory is 5 (int); give a path."),  # type: ignore[arg-type]
    (lambda _: Library(wait_s="x"), "wait_s is 'x' (str); give a number."),  # type: ignore[arg-type]
    (lambda _: Library(wait_s=float("nan")), "wait_s is nan (float); give 0 seconds or more."),
    (lambda _: Library(wait_s=-1), "wait_s is -1"),
    (lambda _: Library(prepare="no"), "prepare is 'no'"),  # type: ignore[arg-type]
    (lambda _: Library(""), "directory is empty"),
    (lambda _: Library(reader=1), "reader is 1"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "said"), WRONG)
def test_wrong_types_are_refused_in_a_sentence(library: Library, call: Callable[[Library], Any], said: str) -> None:
    with pytest.raises(QuarryError) as caught:
        call(library)
    assert isinstance(caught.value, InvalidRequest)
    assert said in str(caught.value)
    assert ids(library) == {"1", "2", "12"}
