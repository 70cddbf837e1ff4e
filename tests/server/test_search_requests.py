"""Hostile and odd requests, over HTTP and in process: found, or refused in words, and never a failure."""

from __future__ import annotations

import json
import os
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quarry.api import Library
from quarry.search.errors import InvalidFilter, InvalidRequest
from quarry.search.queries.negation import parted
from quarry.search.types import MODES, Mode
from tests.processes import Served

FUZZED = int(os.environ.get("QUARRY_FUZZ", "1000"))  # strings; the full run is QUARRY_FUZZ=100000
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def library(sample_library: Path) -> Iterator[Library]:
    with Library(sample_library) as opened:
        yield opened


def refused(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in response.text
    return str(response.json()["detail"])


# --- row 27: empty, long, of stop words -----------------------------------------------------------------------------


@pytest.mark.fault("27")
@pytest.mark.parametrize("query", ["", " ", "\n\t\u2003", "\0", "\x1b\x7f", "a" * 10_001, "별 " * 50_000])
def test_what_is_no_query_is_refused(server: Served, library: Library, query: str) -> None:
    assert "query" in refused(server.client.post("/v1/search", json={"query": query}))
    for mode in MODES:
        with pytest.raises(InvalidRequest, match="query"):
            library.search(query, mode=mode)


@pytest.mark.fault("27")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["the", "of the and a to", "is it?", "?", "...", "''", "star " * 2_000, "a" * 10_000])
def test_stop_words_punctuation_and_long_queries_are_answered(server: Served, query: str, mode: Mode) -> None:
    response = server.client.post("/v1/search", json={"query": query, "mode": mode})
    assert response.status_code == 200, response.text


# --- row 28: Unicode ------------------------------------------------------------------------------------------------


@pytest.mark.fault("28")
@pytest.mark.parametrize("query", ["stars \ud800 form", "\udfff", "\udc80\udc80"])
def test_lone_surrogates_are_refused(server: Served, library: Library, query: str) -> None:
    body = json.dumps({"query": query}).encode()
    assert "surrogate" in refused(server.client.post("/v1/search", content=body, headers=JSON))
    for mode in MODES:
        with pytest.raises(InvalidRequest, match="surrogate"):
            library.search(query, mode=mode)
    for other in (
        {"query": "x", "filter": {query: 1}},
        {"query": "x", "filter": {"a": query}},
        {"query": "x", query: 1},
    ):
        refused(server.client.post("/v1/search", content=json.dumps(other).encode(), headers=JSON))


@pytest.mark.fault("28")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "query",
    [
        "how\0do\x07stars\x1b[31mform",
        "\u202ehow do stars form\u202c",
        "\u200bstars\u2060 form 🌟",
        "stars form ⭐",
        "stars\r\nform",
    ],
)
def test_stars_are_found_among_odd_characters(server: Served, query: str, mode: Mode) -> None:
    response = server.client.post("/v1/search", json={"query": query, "mode": mode, "limit": 3})
    assert response.status_code == 200, response.text
    assert any("star" in hit["document"]["title"].lower() for hit in response.json()["hits"])


def test_full_width_letters_are_letters(library: Library) -> None:
    hits = library.search("ｈｏｗ ｄｏ ｓｔａｒｓ ｆｏｒｍ", mode="lexical", limit=3).hits
    assert any("star" in hit.document.title.lower() for hit in hits)


@pytest.mark.fault("28")
@pytest.mark.parametrize(
    "query", ["كيف تتشكل النجوم", "איך נוצרים כוכבים", "👩‍👩‍👧‍👦", "🌋", "e\u0301" * 500, "\U000e0001", "Z̸̢a̷l̵g̶o̸"]
)
def test_right_to_left_and_emoji_are_answered(server: Served, query: str) -> None:
    for mode in MODES:
        response = server.client.post("/v1/search", json={"query": query, "mode": mode})
        assert response.status_code == 200, response.text
        assert response.json()["query"] == unicodedata.normalize("NFC", query)  # as it is searched


# --- row 30: bounds, and pages --------------------------------------------------------------------------------------


@pytest.mark.fault("30")
@pytest.mark.parametrize(
    ("bounds", "named"),
    [({"limit": 0}, "limit"), ({"limit": -1}, "limit"), ({"limit": 1001}, "limit"), ({"limit": 10**9}, "limit"),
     ({"limit": 10**30}, "limit"), ({"offset": -1}, "offset"), ({"offset": 10**30}, "offset"),
     ({"offset": 9_991}, "offset + limit"), ({"offset": 10_000, "limit": 1}, "offset + limit")],
)  # fmt: skip
def test_bounds_are_refused(server: Served, library: Library, bounds: dict[str, int], named: str) -> None:
    detail = refused(server.client.post("/v1/search", json={"query": "stars", **bounds}))
    assert detail.startswith(named)
    with pytest.raises(InvalidRequest) as error:
        library.search("stars", **bounds)  # type: ignore[arg-type]
    assert str(error.value) == detail


@pytest.mark.fault("30")
@pytest.mark.parametrize("mode", MODES)
def test_the_largest_bounds_are_answered(server: Served, mode: Mode) -> None:
    whole = server.client.post("/v1/search", json={"query": "water", "mode": mode, "limit": 1000})
    assert whole.status_code == 200
    for offset, limit in ((len(whole.json()["hits"]), 10), (9_990, 10), (9_000, 1_000)):
        beyond = server.client.post(
            "/v1/search", json={"query": "water", "mode": mode, "offset": offset, "limit": limit}
        )
        assert beyond.status_code == 200
        assert beyond.json()["hits"] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["water and the moon", "한국의 산", "how do stars form"])
@pytest.mark.parametrize("filter", [None, {"type": "text/markdown"}])
def test_pages_make_up_the_whole(library: Library, mode: Mode, query: str, filter: dict[str, Any] | None) -> None:
    def page(offset: int, limit: int) -> list[tuple[str, float]]:
        hits = library.search(query, mode=mode, offset=offset, limit=limit, filter=filter).hits
        return [(hit.id, hit.score) for hit in hits]

    assert [hit for offset in range(0, 70, 7) for hit in page(offset, 7)] == page(0, 70)
    far = page(0, 1000)
    assert [hit for offset in range(0, len(far) + 60, 60) for hit in page(offset, 60)] == far
    assert len({id for id, _ in far}) == len(far)


# --- row 31: fields and types ---------------------------------------------------------------------------------------


@pytest.mark.fault("31")
@pytest.mark.parametrize(
    ("fields", "named"),
    [({"qeury": "x"}, "qeury: there is no such field"), ({"query": 5}, "query"), ({"query": None}, "The query is"),
     ({"query": ["x"]}, "query"), ({"limit": "10"}, "limit"), ({"limit": 1.5}, "limit"), ({"limit": True}, "limit"),
     ({"mode": "psychic"}, "mode"), ({"filter": []}, "filter"), ({"filter": "type=x"}, "filter"),
     ({"explain": 1}, "explain"), ({"filter": {"$where": "1"}}, "filter $where"),
     ({"filter": {"year": {"$regex": "a"}}}, "filter year.$regex"),
     ({"filter": {"$and": [{"a": 1}, {"b": {"$in": 3}}]}}, "filter $and[1].b.$in"),
     ({"filter": {"year": {"$gt": None}}}, "filter year.$gt"), ({"filter": {"type": 5}}, "filter type"),
     ({"filter": {"a": {"$exists": "yes"}}}, "filter a.$exists")],
)  # fmt: skip
def test_wrong_fields_are_named(server: Served, fields: dict[str, Any], named: str) -> None:
    assert refused(server.client.post("/v1/search", json={"query": "stars", **fields})).startswith(named)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nothing", b"[]", b'"stars"', b"null", b'{"query": "\xff\xfe"}', b"\xef\xbb\xbf{", b"[" * 100_000,
     b'{"query": "x", "filter": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, b'{"query": "x", "limit": NaN}',
     b'{"query": "x", "limit": 1' + b"0" * 10_000 + b"}", b'{"query": "x", "limit": Infinity}', b'{"limit": 5}',
     b'{"query": "x", "filter": {"year": NaN}}', b'{"query": "x", "filter": {"year": {"$gt": -Infinity}}}',
     b'{"query": "x", "filter": {"$not": ' + b'{"$not":' * 50 + b"{}" + b"}" * 52],
)  # fmt: skip
def test_bodies_that_are_no_request(server: Served, body: bytes) -> None:
    refused(server.client.post("/v1/search", content=body, headers=JSON))
    refused(server.client.post("/v1/documents", content=body.replace(b'"query"', b'"documents"'), headers=JSON))


@pytest.mark.parametrize(
    ("document", "named"),
    [({"text": ""}, "documents[0].text"), ({"text": " \n"}, "documents[0].text"), ({}, "documents.0.text"),
     ({"text": "\ud800"}, "documents[0].text"), ({"text": "x", "title": "\udfff"}, "documents[0].title"),
     ({"text": "x", "id": ""}, "documents[0].id"), ({"text": "x", "id": "i" * 129}, "documents[0].id"),
     ({"text": "x", "metadata": {"n": float("nan")}}, "documents[0]"),
     ({"text": "x", "metadata": {"\ud800": 1}}, "documents[0]"),
     ({"text": "x", "metadata": {"long": "x" * 100_000}}, "documents[0]"),
     ({"text": "x", "metadata": []}, "documents.0.metadata"), ({"text": "x", "colour": "red"}, "documents.0.colour")],
)  # fmt: skip
def test_documents_that_can_not_be_kept_are_refused(server: Served, document: dict[str, Any], named: str) -> None:
    body = json.dumps({"documents": [document]}).encode()
    assert refused(server.client.post("/v1/documents", content=body, headers=JSON)).startswith(named)


def nested(depth: int) -> dict[str, Any]:
    filter: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        filter = {"$not": filter}
    return filter


@pytest.mark.parametrize(
    "filter", [[], "type=x", 5, {1: 2}, {"a": b"x"}, {"a": {1, 2}}, {"a": object()}, nested(5_000)]
)
def test_filters_of_other_types_are_refused_in_python(library: Library, filter: Any) -> None:
    with pytest.raises(InvalidFilter):
        library.search("water", mode="lexical", filter=filter)
    with pytest.raises(InvalidFilter):
        library.documents(filter=filter)


@pytest.mark.fault("31")
@pytest.mark.parametrize("depth", [10, 30, *range(850, 1_050, 25)])
def test_nesting_near_the_interpreters_limit(server: Served, depth: int) -> None:
    for inner in (b'{"a":' * depth + b"1" + b"}" * depth, b'{"$not":' * depth + b"{}" + b"}" * depth):
        body = b'{"query": "sun", "filter": ' + inner + b"}"
        response = server.client.post("/v1/search", content=body, headers=JSON)
        assert response.status_code == (200 if depth == 10 and b"not" in inner else 422)


# The filters' own tests hold what they mean; these hold that anything at all is answered or named.
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_KEYS = st.sampled_from(
    ["$and", "$or", "$not", "$eq", "$ne", "$in", "$nin", "$gt", "$lte", "$exists", "$contains", "$nor", "path", "type",
     "date", "year", "metadata.title", "a.b", "title", "subject", "tags"]
) | st.text(max_size=10)  # fmt: skip
_FILTERS = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=20
)


@pytest.mark.fault("31")
@given(filter=st.dictionaries(_KEYS, _FILTERS, max_size=4))
@example(filter={"a": "x' OR 1=1 --"})
@example(filter={"a') OR 1=1 --": "x"})
@example(filter={'"': 1, "a.b": [[]]})
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_filter_is_answered_or_named(library: Library, filter: dict[str, Any]) -> None:
    try:
        library.search("water", mode="lexical", filter=filter, limit=1)
        library.documents(filter=filter, limit=1)
    except InvalidFilter as error:
        assert str(error).startswith("filter")


@given(body=st.dictionaries(st.sampled_from(["query", "limit", "offset", "mode", "filter", "explain", "x"]), _FILTERS))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_answered_or_refused(server: Served, body: dict[str, Any]) -> None:
    response = server.client.post("/v1/search", content=json.dumps({"query": "sun", **body}).encode(), headers=JSON)
    assert response.status_code in (200, 422), response.text


# --- row 32: the languages behind -----------------------------------------------------------------------------------

_PIECES = [
    "'", '"', "`", ";", "--", "/*", "*/", "\\", "%", "_", "(", ")", "[", "]", "{", "}", "+", "-", "!", "^", "~", "*",
    "?", ":", "/", "&&", "||", "AND", "OR", "NOT", "NEAR", "IN", "TO", "title:", "body:", "text:(", "id:", "stars",
    "sun", "*:*", "' OR '1'='1", "'; DROP TABLE documents; --", "UNION SELECT", "$where", "${x}", "{{7*7}}",
    "<script>", "\0", "\n", "~2", "^3", "[a TO z]", "IN [x y]", "서울", "별", "의", "🌟", "\u202e", "\ufeff", "İ", "ß",
    "a" * 300, " ", " ", " ",
]  # fmt: skip


def fuzzed(count: int) -> Iterator[str]:
    rng = random.Random(32)
    for _ in range(count):
        if rng.random() < 0.8:
            yield "".join(rng.choices(_PIECES, k=rng.randint(1, 8)))
        else:
            yield "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xD800), 0xFF01))) for _ in range(12))


@pytest.mark.fault("32")
def test_no_query_is_taken_for_syntax(library: Library) -> None:
    """Whatever the characters, a query is words: nothing fails, and a field's name or a wildcard selects nothing."""
    before = library.documents(limit=0)[1]
    for text in fuzzed(FUZZED):
        try:
            library.search(text, mode="lexical", limit=3)
        except InvalidRequest:
            rest, _ = parted("".join(" " if unicodedata.category(c) == "Cc" else c for c in text))
            assert not "".join(c for c in rest if c.isprintable()).strip()
    for text in fuzzed(FUZZED // 30):
        for mode in MODES:
            try:
                library.search(text + " moon", mode=mode, limit=3)
            except InvalidRequest as error:
                raise AssertionError(repr(text)) from error
    assert library.documents(limit=0)[1] == before


@pytest.mark.fault("32")
def test_no_filter_value_is_taken_for_syntax(library: Library) -> None:
    fields = ("uri", "title", "subject", "nowhere")
    for number, text in enumerate(fuzzed(FUZZED)):
        field = fields[number % len(fields)]
        test = [text, {"$in": [text, "x"]}, {"$contains": text}][number % 3]
        try:
            found, _ = library.documents(filter={field: test}, limit=1)
        except InvalidFilter:
            assert "\0" in text
            continue
        for document in found:
            value = {"uri": document.uri, "title": document.title}.get(field, document.metadata.get(field))
            assert isinstance(value, str)
            assert text.casefold() in value.casefold() if number % 3 == 2 else value in (text, "x")


@pytest.mark.parametrize(
    ("syntax", "plain"),
    [
        ("+sun - moon", "sun moon"),
        ("sun --moon", "sun moon"),
        ('title:"sun"', "title sun"),
        ("s*", "s"),
        ("*:*", "qqq"),
    ],
)
def test_operators_mean_nothing(library: Library, syntax: str, plain: str) -> None:
    with_syntax = library.search(syntax, mode="lexical", limit=50).hits
    without = library.search(plain, mode="lexical", limit=50).hits
    assert [(hit.id, hit.score) for hit in with_syntax] == [(hit.id, hit.score) for hit in without]
