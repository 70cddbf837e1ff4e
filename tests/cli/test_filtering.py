from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from quarry.api.cli.filtering import read_filter
from quarry.api.library import Library
from quarry.search.fields.filters import compile_filter


def own_type(type: str) -> dict[str, Any]:
    return {"$or": [{"type": type}, {"metadata.type": type}]}


YEAR_2020 = {"$gte": "2020-01-01", "$lte": "2020-12-31"}
PLAIN: list[tuple[str, Any]] = [
    ("author=Eve", {"author": "Eve"}),
    ("author = Eve ", {"author": "Eve"}),
    ("author==Eve", {"author": "Eve"}),
    ("author!=Eve", {"$not": {"author": "Eve"}}),
    ("author <> Eve", {"$not": {"author": "Eve"}}),
    ("author=null", {"author": {"$in": [None, "null"]}}),
    ("author=*", {"author": {"$exists": True}}),
    ("author=NaN", {"author": "NaN"}),
    ("price>=10.5", {"price": {"$gte": 10.5}}),
    ("price < 10", {"price": {"$lt": 10}}),
    ("price≥10", {"price": {"$gte": 10}}),
    ("price=10.50", {"price": {"$in": [10.5, "10.50"]}}),
    ("locker=0123456", {"locker": "0123456"}),
    ("draft=True", {"draft": {"$in": [True, "True"]}}),
    ("name>M", {"name": {"$gt": "M"}}),
    ('year="2020"', {"year": "2020"}),
    ("year='2020'", {"year": "2020"}),
    ("year=2020", {"$or": [{"year": {"$in": [2020, "2020"]}}, {"year": YEAR_2020}]}),
    ("taken=2020-02", {"$or": [{"taken": "2020-02"}, {"taken": {"$gte": "2020-02-01", "$lte": "2020-02-29"}}]}),
    ("taken<=2020-02", {"taken": {"$lte": "2020-02-29"}}),
    ("taken>2020", {"$or": [{"taken": {"$gt": 2020}}, {"taken": {"$gt": "2020-12-31"}}]}),
    ("taken>=2020-02-03", {"taken": {"$gte": "2020-02-03"}}),
    ("date>=2020", {"date": {"$gte": "2020"}}),
    ("date=2020-05", {"date": "2020-05"}),
    ("date<3 March 2021", {"date": {"$lt": "3 March 2021"}}),
    ("tag=a,b", {"$or": [{"tag": "a"}, {"tag": "b"}, {"tag": "a,b"}]}),
    ("tag=Doe\\, John", {"tag": "Doe, John"}),
    ('tag="Doe, John",b', {"$or": [{"tag": "Doe, John"}, {"tag": "b"}, {"tag": '"Doe, John",b'}]}),
    ("tag=a,year>2,draft!=x", {"$and": [{"tag": "a"}, {"year": {"$gt": 2}}, {"$not": {"draft": "x"}}]}),
    ("year>=1,year<9", {"$and": [{"year": {"$gte": 1}}, {"year": {"$lt": 9}}]}),
    ('tag="x=y",year>2', {"$and": [{"tag": "x=y"}, {"year": {"$gt": 2}}]}),
    ("tag=O'Brien", {"tag": "O'Brien"}),
    ("path=notes/*.md", {"$or": [{"path": "notes/*.md"}, {"metadata.path": "notes/*.md"}]}),
    ("type=md,pdf", {"$or": [own_type("md"), own_type("pdf")]}),
    ("metadata.type=post", {"metadata.type": "post"}),
    ("with space=1", {"with space": {"$in": [1, "1"]}}),
    ('{"year": {"$gte": 2020}}', {"year": {"$gte": 2020}}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PLAIN)
def test_plain_forms(text: str, expected: Any) -> None:
    filter = read_filter([text])
    assert filter == expected
    assert filter is not None
    compile_filter(filter)


def test_several_must_all_hold() -> None:
    assert read_filter([]) is None
    assert read_filter(["a=x", '{"b": 1}', "c=y,d=z"]) == {"$and": [{"a": "x"}, {"b": 1}, {"c": "y"}, {"d": "z"}]}


def test_paths_from_here_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    here = os.path.realpath(tmp_path)
    for text, path in (
        ("./a", f"{here}/a"),
        (".", here),
        ("../", f"{Path(here).parent}/"),
        ("~/b", f"{tmp_path}/me/b"),
    ):
        filter = read_filter([f"path={text}"])
        assert filter is not None
        assert filter["$or"][0] == {"path": path}


FILES = {
    "a.md": "---\ntype: post\nkind: essay\nid: 7\ntitle: Stars\npath: /guides/intro\n"
    "date: 3 March 2021\n---\nStars form.\n",
    "b.md": '---\nyear: "2019"\nname: Zoe\u0301\ntaken: 2020-05-31T10:00:00+0200\ndate: 03/04/2021\n---\nGardens.\n',
    "c.txt": "A plain text.\n",
    "people.csv": "id,name,notes,text\nHER-102,Ada,12,first\nHER-103,Alan,7,second\n",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("filtered")
    (folder / "docs").mkdir()
    for name, text in FILES.items():
        (folder / "docs" / name).write_text(text)
    with Library(folder / "library") as library:
        report = library.index(folder / "docs")
        assert "date 03/04/2021 could be two days" in report.warnings[str(folder / "docs" / "b.md")]
        yield library


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("type=post", "a.md"),
        ("metadata.type=post", "a.md"),
        ("kind=essay", "a.md"),
        ("id=7", "a.md"),
        ("title=Stars", "a.md"),
        ("path=/guides/intro", "a.md"),
        ("date=2021-03", "a.md"),
        ("date<2021-03-04", "a.md"),
        ("type=md", "a.md b.md"),
        ("type=markdown,txt", "a.md b.md c.txt"),
        ("path=*.txt", "c.txt"),
        ("path=docs/*.csv", "people.csv people.csv"),
        ("path=docs", "a.md b.md c.txt people.csv people.csv"),
        ("year=2019", "b.md"),
        ("year>=2019", "b.md"),
        ("year>2019", ""),
        ("name=Zo\u00e9", "b.md"),
        ("taken=2020-05", "b.md"),
        ("taken=2020", "b.md"),
        ("taken<2020-05-31T09:00:00Z", "b.md"),
        ("taken>=2020-06", ""),
        ("id=HER-102", "people.csv"),
        ("name=Ada,Alan", "people.csv people.csv"),
        ("notes>=7,notes<12", "people.csv"),
        ("type!=markdown,csv", "c.txt"),
        ("name=*", "b.md people.csv people.csv"),
        ("name=null,type=text/*", "a.md c.txt"),
    ],
)
def test_plain_forms_find(library: Library, text: str, names: str) -> None:
    found = library.documents(filter=read_filter([text]))[0]
    assert sorted(Path(one.uri.partition("#")[0]).name for one in found) == names.split()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("year", "'year' is not field=value"),
        ("", "is not field=value"),
        ("=2020", "is not field=value"),
        ("year=>2020", "=> is no comparison"),
        ("year=", "needs a value"),
        ("year>1,2", "takes one value, not 2"),
        ("draft>true", "there is no order to true"),
        ("taken>=03/04/2021", "can be two days; write 2021-03-04 or 2021-04-03"),
        ("{", "not JSON"),
    ],
)
def test_what_is_no_filter_is_refused(text: str, said: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        read_filter([text])
    assert said in str(caught.value)
