from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from quarry.search.fields.filters import allowed_chunks
from quarry.search.fields.held import Field, fields
from quarry.search.fields.notes import notes, unknown
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import documents
from quarry.search.types import Chunk
from quarry.search.values.notes import Note

DOCUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("/home/me/notes/a.md", {"year": 2021, "author": "Jane Austen", "type": "post", "Zoe\u0301": True, "code": "7"}),
    ("/home/me/notes/b.md", {"year": 2019, "author": "Doe, John", "tags": ["x", "y"], "date": "03/04/2021"}),
    ("/home/me/letters/c.md", {"year": 2019, "nested": {"deep": {"er": 1}}, "date": "3 March 2021", "code": "9"}),
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path_factory.mktemp("noted"), writable=True)
    with catalog.transaction() as connection:
        for uri, metadata in DOCUMENTS:
            new = documents.NewDocument(
                uri, "text/markdown", uri[-4], "x", b"", [Chunk(0, 0, 1, "x")], [b"k"], metadata=metadata,
                modified="2024-05-31T10:00:00+00:00",
            )  # fmt: skip
            documents.put(connection, new, "2024-07-01T00:00:00+00:00")
    yield catalog
    catalog.close()


def said(catalog: Catalog, filter: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(note.text for note in coded(catalog, filter))


def coded(catalog: Catalog, filter: Mapping[str, Any]) -> tuple[Note, ...]:
    with catalog.snapshot() as snapshot:
        connection = snapshot.connection
        nothing = not len(allowed_chunks(connection, filter))
        return notes(connection, filter, lambda: fields(connection), nothing=nothing)


@pytest.mark.parametrize(
    "filter",
    [
        {}, {"year": 2021}, {"year": {"$ne": 1}}, {"author": {"$exists": True}}, {"tags": "x"}, {"nested.deep.er": 1},
        {"Zoé": True}, {"type": "markdown"}, {"$or": [{"type": "post"}, {"metadata.type": "post"}]},
        {"$and": [{"year": 2019}, {"$not": {"author": "x"}}]}, {"date": "2021-03"},
    ],
)  # fmt: skip
def test_nothing_is_said_of_what_is_meant_so(catalog: Catalog, filter: Mapping[str, Any]) -> None:
    assert said(catalog, filter) == ()


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"yaer": 2021}, "No document has the field `yaer`; did you mean `year`?"),
        ({"Year": {"$gte": 2021}}, "No document has the field `Year`; did you mean `year`?"),
        ({"titel": "a"}, "did you mean `title`?"),
        ({"metadata.title": "a"}, "did you mean `title`?"),
        ({"er": 1}, "did you mean `nested.deep.er`?"),
        ({"quokka": {"$exists": True}}, "No document has the field `quokka`; the documents' own fields are"),
        ({"yaer": {"$ne": 2021}}, "did you mean `year`?"),
        ({"$not": {"yaer": 2021}}, "did you mean `year`?"),
        ({"$or": [{"year": 2021}, {"yaer": 2021}]}, "did you mean `year`?"),
        ({"author": "jane austen"}, "No document has `author` = jane austen; did you mean `Jane Austen`?"),
        ({"author": "Nobody"}, "its values are `Doe, John` and `Jane Austen`."),
        ({"year": {"$gt": 2030}}, "No document has `year` > 2030; its values are `2019` and `2021`."),
        ({"year": "2021"}, "there are numbers: write it without quotation marks."),
        ({"code": 7}, "there are texts: write it in quotation marks."),
        ({"type": "post"}, "the files' own field of that name is `metadata.type`."),
        ({"type": "markdwn"}, "did you mean `text/markdown`?"),
        ({"type": "pdf"}, "No document has `type` = pdf; its values are `text/markdown`."),
        ({"path": "nots"}, "No document lies at the path 'nots'; did you mean `notes`?"),
        ({"path": "/tmp/*.md"}, "No document lies at the path '/tmp/*.md'."),
        ({"author": "Doe, John", "tags": "z"}, "No document has `tags` = z; its values are `x` and `y`."),
        ({"author": "Jane Austen", "tags": "x"}, "all of them together by none."),
        ({"date": "1999"}, "its values are `2024` and `2021`."),
        ({"date": "1999"}, "Dates such as 03/04/2021 could be two days"),
    ],
)
def test_what_may_be_meant_is_said(catalog: Catalog, filter: Mapping[str, Any], expected: str) -> None:
    assert expected in " ".join(said(catalog, filter))


@pytest.mark.parametrize(
    ("filter", "code", "values"),
    [
        ({"yaer": 2021}, "field_unknown", {"field": "yaer", "near": ["year"]}),
        (
            {"type": "markdwn"}, "filter_unmet",
            {"field": "type", "sign": "=", "values": ["markdwn"], "near": ["text/markdown"]},
        ),
        ({"year": {"$gt": 2030}}, "filter_unmet", {"field": "year", "sign": ">", "values": ["2030"], "near": []}),
        ({"author": "Jane Austen", "tags": "x"}, "filter_unmet_together", {}),
    ],
)  # fmt: skip
def test_what_is_said_can_be_told_by_its_code(
    catalog: Catalog, filter: Mapping[str, Any], code: str, values: Mapping[str, Any]
) -> None:
    (note,) = coded(catalog, filter)
    assert (note.code, note.values) == (code, values)


def test_which_fields_are_unknown(catalog: Catalog) -> None:
    with catalog.snapshot() as snapshot:
        filter = {"$and": [{"year": 1}, {"yaer": 1}, {"$or": [{"path": "x"}, {"metadata.path": "x"}]}]}
        assert unknown(snapshot.connection, filter, nothing=True) == ["yaer"]


def test_an_empty_library_has_nothing_to_say(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, writable=True)
    assert said(catalog, {"yaer": 2021}) == ()
    catalog.close()


def test_fields_are_counted(catalog: Catalog) -> None:
    with catalog.snapshot() as snapshot:
        found = {one.name: one for one in fields(snapshot.connection)}
    assert found["year"] == Field("year", 3, {"number": 3}, ((2019, 2), (2021, 1)), 2)
    assert found["tags"] == Field("tags", 1, {"text": 2}, (("x", 1), ("y", 1)), 2)
    assert found["nested.deep.er"].types == {"number": 1}
    assert found["Zo\u00e9"].types == {"boolean": 1}
    assert found["metadata.type"].values == (("post", 1),)
    own = found["metadata.date"]
    assert (own.types, own.unclear) == ({"text": 1, "date": 1}, ("03/04/2021",))
    assert found["type"] == Field("type", 3, {"text": 3}, (("text/markdown", 3),), 1)
    assert found["date"].values == (("2024", 2), ("2021", 1))
    assert found["path"].distinct == 3
    names = [*found]
    assert names.index("indexed") < names.index("year") < names.index("author") < names.index("tags")
