"""Facets count what the list holds beyond its page, and only what is likely to be meant; a value is a filter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quarry.api import Library, Text
from quarry.api.bodies.responses import response_body
from quarry.search.errors import InvalidFilter, InvalidRequest
from quarry.search.models.fake import FakeModels
from quarry.search.types import MODES, Mode
from tests.processes import Served, quarry

FIELDS = ("type", "kind", "root", "date", "path", "subject", "language", "title")


@pytest.fixture(scope="module")
def library(sample_library: Path) -> Iterator[Library]:
    with Library(sample_library) as opened:
        yield opened


def counts(facet: Any) -> dict[Any, int]:
    return dict(facet.values)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", [None, "document"])
def test_what_is_counted_is_the_list_to_its_end(library: Library, mode: Mode, group: Any) -> None:
    asked = {"mode": mode, "group": group, "min_relevance": "meant"}
    whole = library.search("how do stars form", limit=1000, **asked)  # type: ignore[arg-type]
    found = library.search("how do stars form", limit=1, facets=FIELDS, **asked)  # type: ignore[arg-type]
    assert [hit.id for hit in found.hits] == [hit.id for hit in whole.hits[:1]]
    for facet in found.facets.values():
        assert sum(times for _, times in facet.values) + facet.other + facet.missing == len(whole.hits)
    subjects = [hit.document.metadata.get("subject") for hit in whole.hits]
    assert counts(found.facets["subject"]) == {one: subjects.count(one) for one in subjects if one}


def test_without_a_cut_what_is_meant_is_counted_and_all_is_listed(library: Library) -> None:
    found = library.search("how do stars form", limit=1000, facets=["kind"])
    meant = library.search("how do stars form", limit=1000, min_relevance="meant")
    assert counts(found.facets["kind"]) == {"text": len(meant.hits)}
    assert len(found.hits) > len(meant.hits)
    some = library.search("how do stars form", limit=1000, facets=["kind"], min_relevance=0.5)
    assert counts(some.facets["kind"]) == {"text": len(some.hits)}
    assert 0 < len(some.hits) < len(meant.hits)
    assert not library.search("how do stars form").facets


@pytest.mark.parametrize("field", FIELDS)
def test_a_value_as_a_filter_finds_just_what_it_counts(library: Library, field: str) -> None:
    asked: Any = {"mode": "lexical", "limit": 1000, "min_relevance": "meant"}
    facet = library.search("water", facets=[field], **asked).facets[field]
    assert facet.values
    for value, times in facet.values:
        assert len(library.search("water", filter={field: value}, **asked).hits) == times


def test_lists_count_each_element_and_dates_their_years(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([
            Text("star one", metadata={"tags": ["a", "b", "a"], "flag": True, "n": 1, "date": "2020-03-01"}),
            Text("star two", metadata={"tags": ["b"], "flag": 1, "n": 1.0, "date": "1 May 2021"}),
            Text("star three", metadata={"tags": [], "deep": {"n": "e\u0301"}, "date": "2021-07"}),
            Text("star four", metadata={"tags": "b", "deep": {"n": "\u00e9"}, "date": "2021-07-02"}),
        ])  # fmt: skip
        found = library.search("star", facets=["tags", "flag", "n", "deep.n", "date", "kind"]).facets
        assert found["tags"].values == (("b", 3), ("a", 1)) and found["tags"].missing == 1
        assert {repr(value) for value, _ in found["flag"].values} == {"1", "True"}
        assert found["n"].values == ((1, 2),) and found["n"].missing == 2
        assert found["deep.n"].values == (("\u00e9", 2),)
        assert found["date"].values == (("2021", 3), ("2020", 1))
        only = library.search("star", facets=["date"], filter={"date": "2021"}).facets["date"]
        assert only.values == (("2021-07", 2), ("2021-05", 1))


def test_folders_lead_down(tmp_path: Path) -> None:
    for name in ("notes/a.md", "notes/2024/b.md", "notes/2024/may/c.md", "notes/old/x/y/d.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"A star, {name}.")
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.index(tmp_path / "notes")
        base = tmp_path / "notes"
        found = library.search("star", facets=["path"]).facets["path"]
        assert counts(found) == {f"{base}/*": 1, f"{base}/2024": 2, f"{base}/old/x/y": 1}
        assert {folder: counts(facet) for folder, facet in found.below.items()} == {
            f"{base}/2024": {f"{base}/2024/*": 1, f"{base}/2024/may": 1}
        }
        below = library.search("star", facets=["path"], filter={"path": f"{base}/2024"}).facets["path"]
        assert counts(below) == {f"{base}/2024/*": 1, f"{base}/2024/may": 1}


def test_the_most_frequent_values_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text(f"star number {n}", metadata={"n": f"v{n // 2:02}"}) for n in range(60)])
        facet = library.search("star", facets=["n"]).facets["n"]
        assert len(facet.values) == 20 and facet.values[0] == ("v00", 2) and facet.other == 20


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"facets": [""]}, InvalidFilter, "facets"),
        ({"facets": ['a"b']}, InvalidFilter, "facets"),
        ({"facets": [f"f{n}" for n in range(21)]}, InvalidRequest, "at most 20"),
        ({"facets": 5}, InvalidRequest, "facets"),
        ({"sort": '"'}, InvalidFilter, "sort"),
        ({"sort": ""}, InvalidFilter, "sort"),
        ({"sort": 1}, InvalidRequest, "sort"),
        ({"sort": "date", "rerank": "reader"}, InvalidRequest, "not both"),
        ({"fold": "all"}, InvalidRequest, "fold"),
    ],
)
def test_what_can_not_be_asked_is_named(library: Library, asked: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        library.search("water", **asked)


def test_a_field_that_no_document_has_is_noted(library: Library) -> None:
    found = library.search("water", mode="lexical", facets=["subjct"], sort="-dat")
    assert any("`subjct`" in note and "`subject`" in note for note in found.degraded)
    assert any("`dat`" in note for note in found.degraded)
    assert not library.search("water", mode="lexical", facets=["subject"], sort="-date").degraded


def test_hits_are_sorted_by_a_field_and_equals_by_relevance(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([
            Text("star", metadata={"date": "2020-03-01", "n": 10, "mix": "b", "when": "3 May 2019"}),
            Text("star star moon", metadata={"date": "1 May 2021", "n": 9, "mix": 4, "when": "2018-01-01"}),
            Text("star moon sun", metadata={"date": "2019", "mix": "A", "n": [3, 100]}),
            Text("star and much else of no account", metadata={"date": "2019", "n": 10}),
        ])  # fmt: skip

        def numbers(sort: str, **more: Any) -> list[int]:
            hits = library.search("star", mode="lexical", sort=sort, **more).hits
            return [int(hit.id) for hit in hits]

        by_relevance = numbers("relevance")
        first = min(by_relevance)
        places = {id: id - first for id in by_relevance}

        def order(sort: str, **more: Any) -> list[int]:
            return [places[id] for id in numbers(sort, **more)]

        equals = [place for place in map(places.__getitem__, by_relevance) if place in (2, 3)]
        assert order("date") == [*equals, 0, 1]
        assert order("-date") == [1, 0, *equals]
        tens = [place for place in map(places.__getitem__, by_relevance) if place in (0, 3)]
        assert order("n") == [2, 1, *tens]
        assert order("-n") == [2, *tens, 1]
        assert order("mix") == [1, 2, 0, 3]
        assert order("-mix") == [0, 2, 1, 3]
        assert order("when")[:2] == [1, 0] and order("-when")[:2] == [0, 1]
        whole = numbers("-date")
        assert [id for offset in range(4) for id in numbers("-date", limit=1, offset=offset)] == whole


def test_only_what_is_meant_is_sorted(library: Library) -> None:
    meant = library.search("how do stars form", limit=1000, min_relevance="meant").hits
    found = library.search("how do stars form", limit=1000, sort="title").hits
    assert {hit.id for hit in found} == {hit.id for hit in meant}
    assert [hit.document.title.lower() for hit in found] == sorted(hit.document.title.lower() for hit in meant)
    few = library.search("how do stars form", limit=1000, sort="-title", min_relevance=0.5).hits
    assert 0 < len(few) < len(found) and all(hit.relevance >= 0.5 for hit in few)


def test_over_http_and_on_the_command_line(server: Served, sample_library: Path) -> None:
    asked = {"query": "tides", "facets": ["subject"], "sort": "-date", "min_relevance": "meant", "explain": True}
    body = server.client.post("/v1/search", json=asked).json()
    facet = body["facets"]["subject"]
    assert facet["values"][0]["count"] >= facet["values"][-1]["count"] > 0
    assert {"open", "encode", "vectors", "words", "fuse", "fold", "facets", "sort", "read"} <= body["timings"].keys()
    assert "timings" not in server.client.post("/v1/search", json={"query": "tides"}).json()
    shown = quarry("search", "tides", "--facet", "subject", "--sort", "-date", "--library", str(sample_library))
    assert f"{facet['values'][0]['value']} {facet['values'][0]['count']}" in shown.stdout


def test_documents_are_counted_without_a_query(library: Library) -> None:
    documents = library.listing(limit=1000).documents
    found = library.facets(["type", "language"])
    for name, value in (("type", "text/csv"), ("language", "ko")):
        of_it = [one for one in documents if value in (one.type, one.enriched.get("language"))]
        assert counts(found[name])[value] == len(of_it) == library.listing(filter={name: value}).total > 0
    assert sum(counts(found["type"]).values()) + found["type"].other == len(documents)
    some = library.facets(["kind", "type"], filter={"type": "text/csv"})
    assert counts(some["kind"]) == {"text": counts(found["type"])["text/csv"]} and len(some["type"].values) == 1
    asked = library.facets(["subject"], query="how do stars form")
    assert asked == library.search("how do stars form", facets=["subject"]).facets
    for fields, error in (([], InvalidRequest), ("type", InvalidRequest), (["a"] * 21, InvalidRequest)):
        with pytest.raises(error):
            library.facets(fields)


def test_documents_are_counted_over_http_and_on_the_command_line(server: Served, sample_library: Path) -> None:
    asked = {"field": ["type", "language"], "type": "markdown", "q": "stars"}
    answered = server.client.get("/v1/facets", params=asked)
    filter = '{"type": "markdown"}'
    printed = quarry(
        "facets", "type", "language", "--query", "stars", "--filter", filter, "--json", "--library", str(sample_library)
    )
    assert json.loads(printed.stdout) == answered.json() and answered.json()["facets"]["type"]["values"]
    assert server.client.get("/v1/facets").status_code == 422
    assert "markdown" in quarry("facets", "type", "--library", str(sample_library)).stdout


def test_trees_open_downwards_and_a_parent_finds_its_children(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([
            Text("star one", metadata={"keywords/": ["Places|Korea|Seoul", "Places|Korea", "People"], "trade": "fish"}),
            Text("star two", metadata={"keywords/": ["Places|Norway|Bergen", "Places|Köln"], "trade": "fish/salmon"}),
            Text("star three", metadata={"keywords/": "Placeswap|x", "trade": "fish/salmon/a|b"}),
            Text("star four", metadata={"keywords/": ["Places/x|y", 7, ""], "trade": ["/ab//c/", "fishing/x"]}),
            Text("star five", metadata={"keywords/": "PlacesIII"}),
        ])  # fmt: skip
        found = library.facets(["keywords/", "trade/"])
        keywords, trade = found["keywords/"], found["trade/"]
        assert counts(keywords) == {"Places": 2, 7: 1, "People": 1, "Places/x": 1, "PlacesIII": 1, "Placeswap": 1}
        places = keywords.below["Places"]
        assert counts(places) == {"Places|Korea": 1, "Places|Köln": 1, "Places|Norway": 1}
        assert counts(places.below["Places|Korea"]) == {"Places|Korea|Seoul": 1}
        assert counts(trade) == {"fish": 2, "/ab": 1, "fish/salmon/a": 1, "fishing": 1} and trade.missing == 1
        assert counts(trade.below["fish"]) == {"fish/salmon": 1} and trade.below["fish"].missing == 1
        assert counts(trade.below["/ab"]) == {"/ab//c": 1} and "People" not in keywords.below

        def agree(field: str, facet: Any) -> None:
            for value, times in facet.values:
                assert library.listing(filter={field: value}).total == times, value
            for inner in facet.below.values():
                agree(field, inner)

        agree("keywords/", keywords)
        agree("trade/", trade)
        assert library.listing(filter={"trade": "fish"}).total == 1  # without the mark a value is what it is
        assert library.listing(filter={"keywords/": {"$nin": ["Places", "People"]}}).total == 3
        assert library.listing(filter={"keywords/": "Places|Ko\u0308ln"}).total == 1
        assert library.listing(filter={"keywords/": "Places|Kor"}).total == 0
        assert not library.filter_notes({"trade/": "fish"})


def test_a_tree_is_shown_as_far_as_there_is_room(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        deep = "|".join("abcdefghijklmnopqrstuvwxyz")
        library.add([Text(f"star {n}", metadata={"a/": f"t{n % 15}|u{n % 31}|v{n}"}) for n in range(400)])
        library.add(Text("star", metadata={"a/": deep}))
        facet = library.facets(["a/"])["a/"]

        def shown(facet: Any) -> int:
            return sum(len(inner.values) + shown(inner) for inner in facet.below.values())

        assert len(facet.values) == 16 and 200 <= shown(facet) < 220
        alone = library.facets(["a/"], filter={"a/": "a|b"})["a/"]
        assert shown(alone) == 15
        found = response_body(library.search("star", facets=["a/"], mode="lexical"))["facets"]["a/"]
        assert found["values"][0]["below"]["values"]
