from __future__ import annotations

import json
import math
import random
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quarry.search.errors import InvalidFilter
from quarry.search.fields.filters import MAX_DEPTH, MAX_VALUES, allowed_chunks, compile_filter
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import documents
from quarry.search.types import Chunk

SPELLED = {  # what one date is in ISO 8601
    "31 May 2024": "2024-05-31",
    "May 31st, 2024": "2024-05-31",
    "2024. 5. 31.": "2024-05-31",
    "2024년 5월 31일": "2024-05-31",
    "2024-05-31T12:00:00+0200": "2024-05-31T10:00:00+00:00",
    "Fri, 31 May 2024 12:00:00 +0200": "2024-05-31T10:00:00+00:00",
    "31/12/1999": "1999-12-31",
}
TEXTS = [
    "", "a", "A", "Straße", "STRASSE", "서울", "서울에서", "éclair", "ÉCLAIR", "50%", "a_b", "x' OR 1=1 --", "10",
    "2024", "2024-05-31", "2024-05-31T10:00:00Z", "2024-05-31T12:00:00+02:00", "2024-05-31 10:00", "2024-06-01",
    "2024-05-30", "2024-05-31T23:59:59.500Z", "2024-13-45", "2024-05-31 or so", "1999-12-31", "9999-12-31",
    "e\u0301clair", "\u1109\u1165\u110b\u116e\u11af", "12.5", "007", "-1", "1e3", "2024-05", "2024-02-30",
    "03/04/2024", "20240531",
    *SPELLED,
]  # fmt: skip
NUMBERS = [
    0,
    1,
    -1,
    1.0,
    0.1,
    0.1 + 0.2,
    2024,
    2**53,
    2**53 + 1,
    float(2**53),
    2**63 - 1,
    -(2**63),
    1e300,
    5e-324,
    3.14,
]
SCALARS: list[Any] = [*TEXTS, *NUMBERS, True, False, None]
KEYS = [
    "a",
    "b",
    "with space",
    "연도",
    unicodedata.normalize("NFD", "연도"),
    "it's",
    "n.x",
    "n",
    "deep.er.still",
    "dotted.key",
    "date",
    "title",
    "%",
    "a[0]",
]


def random_metadata(rng: random.Random) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for key in ("a", "b", "with space", "연도", "it's", "dotted.key", "date", "title", "%", "a[0]"):
        kind = rng.random()
        if kind < 0.5:
            metadata[key] = rng.choice(SCALARS)
        elif kind < 0.7:
            metadata[key] = rng.choices(SCALARS, k=rng.randrange(4))
    if rng.random() < 0.5:
        metadata["n"] = {"x": rng.choice(SCALARS)}
    elif rng.random() < 0.5:
        metadata["n"] = rng.choice(SCALARS)
    if rng.random() < 0.5:
        metadata["deep"] = {"er": {"still": rng.choices(SCALARS, k=2)}}
    return metadata


class Shelf:
    """A catalog with documents of one chunk each, and the same documents as plain values."""

    def __init__(self, directory: Path, count: int) -> None:
        self.catalog = Catalog(directory, writable=True)
        self.documents: list[dict[str, Any]] = []
        rng = random.Random(4)
        with self.catalog.transaction() as connection:
            connection.execute("INSERT INTO roots (id, path, options, added) VALUES (7, '/shelf', '{}', '')")
            connection.execute(
                "INSERT INTO files (id, root_id, path, size, mtime_ns, ctime_ns, inode, seen_ns, options_hash)"
                " VALUES (8, 7, '/shelf/a.md', 0, 0, 0, 0, 0, x'')"
            )
            for number in range(count):
                modified = rng.choice([None, "2024-05-31T10:00:00Z", "2023-01-01T00:00:00Z", "2024-06-01T00:00:00.5Z"])
                document: dict[str, Any] = {
                    "id": f"id-{number}",
                    "uri": f"/shelf/{rng.choice('ab')}/{number}.md",
                    "type": rng.choice(["text/markdown", "text/x-python"]),
                    "kind": "text",
                    "title": rng.choice(TEXTS),
                    "modified": modified,
                    "indexed": "2024-07-01T00:00:00Z",
                    "root": rng.choice([None, "/shelf"]),
                    "metadata": random_metadata(rng),
                }
                self.documents.append(document)
                new = documents.NewDocument(
                    uri=document["uri"], type=document["type"], title=document["title"], text="x", hash=b"",
                    chunks=[Chunk(0, 0, 1, "x")], keys=[b"k"], metadata=document["metadata"], modified=modified,
                    file_id=8 if document["root"] else None, id=document["id"],
                )  # fmt: skip
                documents.put(connection, new, "2024-07-01T00:00:00Z")

    def found(self, filter: Mapping[str, Any]) -> list[int]:
        """The numbers of the documents that the compiled filter matches."""
        with self.catalog.snapshot() as snapshot:
            return (allowed_chunks(snapshot.connection, filter) - 1).tolist()

    def expected(self, filter: Mapping[str, Any]) -> list[int]:
        return [number for number, document in enumerate(self.documents) if matches(filter, document)]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"), 150)
    yield shelf
    shelf.catalog.close()


# --- the oracle: what a filter means, in plain Python -----------------------------------------------------------

DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?")


def span(text: Any, coarse: bool = False) -> tuple[datetime, datetime] | None:
    """[start, end) of a date, or None; with `coarse` of a month, a year or bare digits, too."""
    if not isinstance(text, str):
        return None
    text = SPELLED.get(text, text)
    if coarse and re.fullmatch(r"\d{8}", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    try:
        if coarse and re.fullmatch(r"\d{4}", text):
            return utc(datetime(int(text), 1, 1)), utc(datetime(int(text) + 1, 1, 1))
        if coarse and re.fullmatch(r"\d{4}-\d{2}", text):
            start = datetime.fromisoformat(text + "-01")
            return utc(start), utc((start + timedelta(days=31)).replace(day=1))
        if not (match := DATE.fullmatch(text)):
            return None
        start = utc(datetime.fromisoformat(text))
        return start, start if match[1] else min(start, utc(datetime.max) - timedelta(days=1)) + timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def values_of(name: str, document: Mapping[str, Any]) -> list[Any]:
    if name in ("id", "uri", "type", "kind", "title", "modified", "indexed", "root"):
        return [document[name]]
    if name == "path":
        return [document["uri"]]
    metadata = document["metadata"]
    if name == "date":
        own = metadata.get("date")
        own = str(own) if is_number(own) else own
        return [own if span(own, coarse=True) else document["modified"]]
    key = nfc(name.removeprefix("metadata."))
    metadata = {nfc(name): value for name, value in metadata.items()}
    found = [metadata[key]] if key in metadata else []
    value: Any = metadata
    if "." in key:
        for step in key.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        found.append(value)
    return found


def elements(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def nfc(value: Any) -> Any:
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def as_number(text: Any) -> Any:
    """The number that a text is, as JSON writes it, or the value itself."""
    if not isinstance(text, str) or not re.match("[-0-9]", text):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def lies_at(path: str, pattern: str) -> bool:
    """Whether a path lies at a pattern of `*`, `**` and names, below "/" or below "shelf", what was indexed."""
    pattern = nfc(pattern).casefold()
    parts = [re.escape(part) for part in re.split(r"(\*\*/|\*)", pattern.strip("/"))]
    regex = "".join({r"\*\*/": "(?:[^/]+/)*", r"\*": "[^/]*"}.get(part, part) for part in parts)
    start = "/" if pattern.startswith("/") else "/(?:shelf/(?:.*/)?)?" if path.startswith("/shelf/") else "/(?:.*/)?"
    end = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return re.fullmatch(start + regex + end, nfc(path).casefold()) is not None and bool(pattern.strip("/"))


def is_type(document: Mapping[str, Any], wanted: str) -> bool:
    type = document["type"]
    if "/" in wanted:
        return bool(type == wanted or (wanted.endswith("/*") and type.startswith(wanted[:-1])))
    names = {"text/markdown": {"markdown", "md"}, "text/x-python": {"python", "py"}}[type]
    return wanted in {*names, "text", *(f".{name}" for name in names), "md", ".md", "*.md"}  # all are .md files


def equal(value: Any, operand: Any, coarse: bool, plain: bool) -> bool:
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    if is_number(value) and is_number(operand):
        return bool(value == operand)
    if not isinstance(value, str) or not isinstance(operand, str):
        return False
    own, other = span(value, coarse), span(operand, coarse)
    if nfc(value) == nfc(operand) or own is None or other is None or plain:
        return bool(nfc(value) == nfc(operand))
    return own[0] == other[0] if other[0] == other[1] else other[0] <= own[0] < other[1]


def ordered(name: str, value: Any, operand: Any, coarse: bool, plain: bool) -> bool:
    if is_number(operand) and not plain:
        value = as_number(value)
    if is_number(value) and is_number(operand):
        left, right = value, operand
    elif isinstance(value, str) and isinstance(operand, str):
        other = None if plain else span(operand, coarse)
        if other is None:
            left, right = nfc(value), nfc(operand)
        else:
            own = span(value, coarse)
            if own is None:
                return False
            left, (start, end) = own[0], other
            if start != end and name in ("$gt", "$lte"):
                return left >= end if name == "$gt" else left < end
            right = start
    else:
        return False
    return bool({"$gt": left > right, "$gte": left >= right, "$lt": left < right, "$lte": left <= right}[name])


def matches(filter: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    results = []
    for key, value in filter.items():
        if key == "$and":
            results.append(all(matches(item, document) for item in value))
        elif key == "$or":
            results.append(any(matches(item, document) for item in value))
        elif key == "$not":
            results.append(not matches(value, document))
        else:
            results.append(passes(key, value, document))
    return all(results)


def passes(name: str, test: Any, document: Mapping[str, Any]) -> bool:
    operations = test if isinstance(test, Mapping) else {"$eq": test}
    return all(operation(name, key, operand, document) for key, operand in operations.items())


def operation(name: str, key: str, operand: Any, document: Mapping[str, Any]) -> bool:
    values = values_of(name, document)
    coarse = name in ("date", "modified", "indexed")
    plain = name in ("id", "uri", "path", "root", "type", "kind", "title")
    present = any(value is not None for value in values)
    if key in ("$eq", "$in"):
        operands = [operand] if key == "$eq" else operand
        if name in ("path", "type"):
            wanted = [text for text in operands if text is not None]
            return any(lies_at(values[0], text) if name == "path" else is_type(document, text) for text in wanted)
        found = any(
            equal(element, wanted, coarse, plain)
            for value in values
            for element in elements(value)
            for wanted in operands
            if wanted is not None
        )
        return found or (None in operands and not present)
    if key in ("$ne", "$nin"):
        return not operation(name, {"$ne": "$eq", "$nin": "$in"}[key], operand, document)
    if key == "$not":
        return not passes(name, operand, document)
    if key == "$exists":
        return present == operand
    if key == "$contains":
        part = isinstance(operand, str) and any(
            isinstance(value, str) and nfc(operand.casefold()) in nfc(value.casefold()) for value in values
        )
        listed = any(equal(e, operand, coarse, plain) for value in values if isinstance(value, list) for e in value)
        return part or listed
    return any(ordered(key, element, operand, coarse, plain) for value in values for element in elements(value))


PATHS = ["shelf", "shelf/a", "a/", "A/*.MD", "*.md", "1*.md", "3.md", "3.md/", "/shelf/**/1*.md", "**/b", "/a", "other"]
TYPES = ["markdown", "md", ".md", "*.md", "python", ".py", "text", "text/*", "image/*", "image", "pdf"]

# --- against the oracle ----------------------------------------------------------------------------------------

scalars = st.sampled_from(SCALARS)
comparable = st.sampled_from([*TEXTS, *NUMBERS])
contained = st.sampled_from([*TEXTS, *NUMBERS, True, False, "str", "ÉCL", "éc", "울", "%", "_"])
tests: st.SearchStrategy[Any] = st.deferred(
    lambda: st.one_of(
        scalars,
        st.dictionaries(st.sampled_from(["$eq", "$ne"]), scalars, min_size=1),
        st.dictionaries(st.sampled_from(["$in", "$nin"]), st.lists(scalars, max_size=4), min_size=1),
        st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), comparable, min_size=1),
        st.fixed_dictionaries({"$exists": st.booleans()}),
        st.fixed_dictionaries({"$contains": contained}),
        st.fixed_dictionaries({"$not": tests}),
    )
)
texts = st.sampled_from([*TEXTS, "/shelf", "text/markdown", "id-3", "/shelf/a/3.md", *PATHS, *TYPES])
text_tests = st.one_of(
    texts,
    st.none(),
    st.fixed_dictionaries({"$in": st.lists(texts, max_size=3)}),
    st.dictionaries(st.sampled_from(["$eq", "$ne", "$gt", "$lte", "$contains"]), texts, min_size=1),
)
dates = st.sampled_from(
    ["2024", "2024-05", "2024-05-31", "2024-05-31T10:00:00Z", "2024-05-31T12:00:00+02:00", "2023", "20240531", *SPELLED]
)
date_tests = st.one_of(
    dates,
    st.none(),
    st.dictionaries(st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), dates, min_size=1),
    st.fixed_dictionaries({"$in": st.lists(dates, max_size=3)}),
)
clauses = st.one_of(
    st.tuples(st.sampled_from([*(key for key in KEYS if key not in ("date", "title")), "metadata.title"]), tests),
    st.tuples(st.sampled_from(["id", "uri", "path", "root", "type", "title"]), text_tests),
    st.tuples(st.sampled_from(["date", "modified", "indexed"]), date_tests),
).map(lambda pair: {pair[0]: pair[1]})
filters = st.recursive(
    clauses,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"$and": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"$or": items}),
        inner.map(lambda item: {"$not": item}),
        st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]}),
    ),
    max_leaves=6,
)


@settings(max_examples=600, deadline=None)
@given(filter=filters)
def test_means_what_the_oracle_says(shelf: Shelf, filter: Mapping[str, Any]) -> None:
    assume(json.dumps(filter).count("{") <= 15)  # deeper than what is taken, once in a while
    assert shelf.found(filter) == shelf.expected(filter)


@pytest.mark.parametrize("operator", ["$eq", "$gt", "$gte", "$lt", "$lte", "$contains"])
def test_every_pair_of_values(shelf: Shelf, operator: str) -> None:
    for operand in SCALARS:
        if operator != "$eq" and (operand is None or (isinstance(operand, bool) and operator != "$contains")):
            continue
        assert shelf.found({"a": {operator: operand}}) == shelf.expected({"a": {operator: operand}}), operand


def test_empty_filter_matches_everything(shelf: Shelf) -> None:
    assert shelf.found({}) == list(range(150))


def test_types_do_not_mix(shelf: Shelf) -> None:
    for found in shelf.found({"a": 1}):
        value = shelf.documents[found]["metadata"]["a"]
        assert any(element == 1 and not isinstance(element, bool) for element in elements(value))
    assert shelf.found({"a": {"$in": ["10", "2024"]}}) != shelf.found({"a": {"$in": [10, 2024]}})


def test_documents_without_the_field(shelf: Shelf) -> None:
    absent = shelf.found({"a": {"$exists": False}})
    assert absent == shelf.found({"a": None})
    assert absent
    for opposite in ({"$ne": "x"}, {"$nin": ["x"]}, {"$not": {"$gt": 3}}):
        assert set(absent) <= set(shelf.found({"a": opposite}))
    assert not set(absent) & set(shelf.found({"a": {"$gte": ""}}))


def test_root_is_the_folder_that_was_indexed(shelf: Shelf) -> None:
    assert shelf.found({"root": "/shelf"}) == [n for n, d in enumerate(shelf.documents) if d["root"]]


def test_part_of_a_path(shelf: Shelf) -> None:
    found = shelf.found({"path": {"$contains": "/SHELF/a/"}})
    assert found == [n for n, d in enumerate(shelf.documents) if "/shelf/a/" in d["uri"]]
    assert found


@given(value=st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)))
@settings(max_examples=200, deadline=None)
def test_numbers_equal_themselves(empty: Catalog, value: float) -> None:
    with empty.transaction() as connection:
        new = documents.NewDocument(
            "u", "t", "", "x", b"", [Chunk(0, 0, 1, "x")], [b"k"], metadata={"n": value}, id="one"
        )
        documents.put(connection, new, "")
    with empty.snapshot() as snapshot:
        for test in (value, {"$gte": value, "$lte": value}, {"$in": [value]}):
            assert len(allowed_chunks(snapshot.connection, {"n": test})) == 1
        for test in ({"$ne": value}, {"$gt": value}, {"$lt": value}):
            assert len(allowed_chunks(snapshot.connection, {"n": test})) == 0


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path_factory.mktemp("empty"), writable=True)
    yield catalog
    catalog.close()


# --- fault 31: what is wrong is named ----------------------------------------------------------------------------


def nested(depth: int) -> dict[str, Any]:
    filter: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        filter = {"$not": filter}
    return filter


WRONG: list[tuple[Any, str, str]] = [
    ([], "", "must be an object"),
    ("a", "", "must be an object"),
    ({"$xor": []}, "$xor", "no operator"),
    ({"$and": []}, "$and", "at least one"),
    ({"$and": {"a": 1}}, "$and", "must be a list"),
    ({"$or": [{"a": 1}, 5]}, "$or[1]", "must be an object"),
    ({"$not": [1]}, "$not", "must be an object"),
    ({"$and": [{"a": 1}, {"year": {"$gt": True}}]}, "$and[1].year.$gt", "must be a number"),
    ({"year": {"$gte": None}}, "year.$gte", "must be a number"),
    ({"year": {"$gte": [1]}}, "year.$gte", "use $in"),
    ({"year": {}}, "year", "needs an operator"),
    ({"year": {"$foo": 1}}, "year.$foo", "no operator"),
    ({"year": {"gt": 1}}, "year.gt", "no operator"),
    ({"year": {"$in": 5}}, "year.$in", "must be a list"),
    ({"year": {"$in": "abc"}}, "year.$in", "must be a list"),
    ({"year": {"$in": [[1]]}}, "year.$in", "must be a text"),
    ({"year": {"$eq": {"a": 1}}}, "year.$eq", "must be a text"),
    ({"tags": ["a", "b"]}, "tags", "use $in"),
    ({"year": {"$exists": 1}}, "year.$exists", "true or false"),
    ({"year": {"$contains": None}}, "year.$contains", "must be a text"),
    ({"year": math.nan}, "year", "finite"),
    ({"year": {"$lt": math.inf}}, "year.$lt", "finite"),
    ({"year": 2**63}, "year", "64 bits"),
    ({"year": -(2**63) - 1}, "year", "64 bits"),
    ({"a": "\ud800"}, "a", "surrogate"),
    ({"a": "x\0y"}, "a", "NUL"),
    ({"\ud800": 1}, "?", "surrogate"),
    ({'a"b': 1}, 'a"b', "a name has"),
    ({"a\\b": 1}, "a\\b", "a name has"),
    ({"a\nb": 1}, "a\nb", "a name has"),
    ({"": 1}, "", "a name has"),
    ({"x" * 201: 1}, "x" * 60, "a name has"),
    ({5: 1}, "5", "no operator"),
    ({"a": b"bytes"}, "a", "must be a text"),
    ({"a": "x" * 10_001}, "a", "longer than"),
    ({"title": 5}, "title", "must be a text"),
    ({"type": {"$gt": 5}}, "type.$gt", "must be a text"),
    ({"title": {"$contains": 5}}, "title.$contains", "must be a text"),
    ({"date": "yesterday"}, "date", "must be a date"),
    ({"date": {"$lt": "03/04/2021"}}, "date.$lt", "write 2021-03-04 or 2021-04-03"),
    ({"modified": {"$gt": 20240}}, "modified.$gt", "must be a date"),
    ({"modified": {"$gt": 2024.5}}, "modified.$gt", "must be a date"),
    ({"date": {"$contains": 2024}}, "date.$contains", "must be a text"),
    ({"a": {"$in": list(range(MAX_VALUES + 1))}}, "a.$in", "1,000 values"),
    ({"$or": [{"a": 1}] * (MAX_VALUES + 1)}, f"$or[{MAX_VALUES}].a", "1,000 values"),
    (nested(MAX_DEPTH), ".".join(["$not"] * MAX_DEPTH), "deeper than"),
    (nested(900), ".".join(["$not"] * MAX_DEPTH), "deeper than"),
]


@pytest.mark.fault("31")
@pytest.mark.parametrize(("filter", "field", "why"), WRONG)
def test_wrong_filters_name_the_field(filter: Any, field: str, why: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        compile_filter(filter)
    assert caught.value.field == field
    assert why in str(caught.value)
    str(caught.value).encode()  # the message can be sent


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(SCALARS)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=5), st.sampled_from([*KEYS, "date", "id", "$and", "$or", "$not", "$in", "$gt"])),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)


@pytest.mark.fault("31")
@settings(max_examples=500, deadline=None)
@given(filter=junk)
def test_anything_is_either_refused_or_runs(shelf: Shelf, filter: Any) -> None:
    try:
        found = shelf.found(filter)
    except InvalidFilter:
        return
    assert set(found) <= set(range(150))


def test_largest_filters_run(shelf: Shelf) -> None:
    dates = [f"2024-05-31T10:00:{second % 60:02d}Z" for second in range(MAX_VALUES)]
    for filter in (
        {"a": {"$in": dates}},
        {"a": {"$nin": [0.5 + n for n in range(MAX_VALUES)]}},
        {"$or": [{"a": {"$gt": n}} for n in range(MAX_VALUES)]},
        {"$and": [{"n.x": {"$ne": text}} for text in dates]},
        {"$or": [{"title": {"$contains": "é"}}] * MAX_VALUES},
        nested(MAX_DEPTH - 2),
    ):
        assert shelf.found(filter) == shelf.expected(filter)


# --- fault 32: SQL is text ---------------------------------------------------------------------------------------

SYNTAX = [
    "'", '"', "`", ";", "--", "/*", "*/", "(", ")", "?", ":a", "@a", "$a", "%", "_", "\\", "\n", " ", ".", ",", "||",
    "=", "[0]", "[#-1]", "$.", "OR", "AND", "UNION SELECT", "DROP TABLE documents", "NULL", "1=1", "x'41'",
    "json_extract", "''", '""', "서울", "é", "\u202e", "😀", "a", "0",
]  # fmt: skip


@pytest.mark.fault("32")
def test_sql_syntax_is_text(shelf: Shelf) -> None:
    rng = random.Random(32)
    fuzzed = ["".join(rng.choices(SYNTAX, k=rng.randrange(1, 9))) for _ in range(100_000)]
    titles = [document["title"] for document in shelf.documents]
    for start in range(0, len(fuzzed), MAX_VALUES):
        batch = fuzzed[start : start + MAX_VALUES]
        wanted = {nfc(text) for text in batch}
        assert shelf.found({"title": {"$in": batch}}) == [n for n, title in enumerate(titles) if nfc(title) in wanted]
        held = [{nfc(e) for e in elements(d["metadata"].get("a")) if isinstance(e, str)} for d in shelf.documents]
        assert shelf.found({"a": {"$in": batch}}) == [n for n, texts in enumerate(held) if texts & wanted]
    for text in fuzzed[:1_500]:
        assert shelf.found({"path": {"$contains": text}}) == shelf.expected({"path": {"$contains": text}})
        try:
            found = shelf.found({text: {"$exists": True}})
        except InvalidFilter:
            continue
        assert found == shelf.expected({text: {"$exists": True}}), text
    assert len(shelf.found({})) == 150


def test_names_reach_only_their_own_key(empty: Catalog) -> None:
    names = ["a", "a[0]", "a.b", "a'b", "%", "#", "$x.y"[1:], "a b", "é", "é", "[", "]", "a.", ".a", "a..b", "*"]
    with empty.transaction() as connection:
        documents.remove(connection, [row for (row,) in connection.execute("SELECT id FROM documents").fetchall()])
        for number, name in enumerate(names):
            new = documents.NewDocument(
                f"n{number}", "t", name, "x", b"", [Chunk(0, 0, 1, "x")], [b"k"], metadata={name: "here"}
            )
            documents.put(connection, new, "")
    with empty.snapshot() as snapshot:
        for name in names:
            where, params = compile_filter({f"metadata.{name}": "here"})
            titles = snapshot.connection.execute(f"SELECT title FROM documents d WHERE {where}", params).fetchall()
            assert titles == [(name,)] * names.count(name)
