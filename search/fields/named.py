"""The fields that a filter can name: where their values are found, and what each test of them is in SQL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from quarry.search.errors import InvalidFilter
from quarry.search.fields import trees
from quarry.search.fields.conditions import (
    Sql,
    Test,
    Tests,
    all_of,
    among,
    any_of,
    bound,
    cases,
    literal,
    restored,
    shared,
    unshared,
)
from quarry.search.language import dates
from quarry.search.language.dates import WrittenDate, sortable
from quarry.search.language.texts import folded, forms, nfc

MAX_CHARACTERS = 10_000
ORDERINGS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
METADATA = "metadata."  # before a name: the file's own field, whatever its name
_MAX_KEY = 200
OF_LABELS = ("confidence", "share")  # numbers of what models said, as FIELD.LABEL
_ODD_IN_KEY = re.compile(r'["\\\x00-\x1f\x7f]')

_ROOT = "(SELECT r.path FROM files f JOIN roots r ON r.id = f.root_id WHERE f.id = d.file_id)"
_TIME = "'%Y-%m-%d %H:%M:%f'"  # as `dates.sortable` writes it
_OWN_DATE = "json_extract(d.metadata, '$.date')"
COLUMNS = {
    "id": "d.public_id",
    "uri": "d.uri",
    "path": "d.uri",
    "root": _ROOT,
    "type": "d.type",
    "kind": "d.kind",
    "title": "d.title",
}
DATES = {
    "date": f"coalesce(CASE WHEN instr(d.metadata, '\"date\"') THEN moment(CAST({_OWN_DATE} AS TEXT), 1) END,"
    f" strftime({_TIME}, d.modified))",
    "modified": f"strftime({_TIME}, d.modified)",
    "indexed": f"strftime({_TIME}, d.indexed)",
}
BUILT_IN = (*COLUMNS, *DATES)
_TYPE_NAME = re.compile(r"(?:\*?\.)?([\w+-]+)")
_SAME_TYPE = {
    "jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heif": "heic", "htm": "html", "xhtml": "html", "md": "markdown",
    "txt": "plain", "tsv": "tab-separated-values", "ndjson": "jsonl", "js": "javascript", "ts": "typescript",
    "py": "python", "sh": "shell", "yml": "yaml",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field: a column, or one or more paths into the metadata, as SQL text."""

    name: str
    kind: Literal["text", "path", "type", "date", "metadata"]
    column: str = ""
    paths: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str, at: str) -> FilterField:
        """Return the field of that name.

        Raises:
            InvalidFilter: no field can have it.
        """
        if name in COLUMNS:
            return cls(name, "path" if name == "path" else "type" if name == "type" else "text", COLUMNS[name])
        if name in DATES:
            return cls(name, "date", f"({DATES[name]})")
        key = name.removeprefix(METADATA)
        check_text(key, at)
        if not key or len(key) > _MAX_KEY or _ODD_IN_KEY.search(key):
            raise InvalidFilter(
                f"a name has 1 to {_MAX_KEY} characters, and no quotation mark, backslash or control character.", at
            )
        paths = []
        plain = key.removesuffix(trees.MARK)
        for form in (*forms(key), *(forms(plain) if plain not in ("", key) else ())):
            # No quotation mark can end the label within the JSON path, and the path is a doubled SQL literal.
            steps = literal(form).split(".")
            paths.append([".".join(steps)])
            if len(steps) > 1 and all(steps):
                paths.append(steps)
            if steps[0] in OF_LABELS and len(steps) > 3 and steps[1]:  # what a model calls a label may have dots
                paths.append([*steps[:2], ".".join(steps[2:])])
        return cls(name, "metadata", "", tuple("'$" + "".join(f'."{step}"' for step in path) + "'" for path in paths))

    @property
    def is_tree(self) -> bool:
        """Whether its values are paths, each of which is found by those above it, too."""
        return self.kind == "metadata" and self.name.endswith(trees.MARK)

    @property
    def exists(self) -> Sql:
        """The condition that a document has the field."""
        if self.column:
            return Sql(f"{shared(self.column)} IS NOT NULL")
        return any_of([Sql(f"{_value(path)} IS NOT NULL") for path in self.paths])

    @property
    def read(self) -> tuple[str, str]:
        """Expressions for the JSON type of what a document holds in the field, NULL for nothing, and for that."""
        if self.column:
            return f"iif({self.column} IS NULL, NULL, 'text')", self.column
        return _first(_type, self.paths), _first(_value, self.paths)

    def matches(self, scalars: Tests, elements: Tests) -> Sql:
        """Return the condition that the value passes the test of its JSON type, or an element of a list does."""
        if self.column:
            return scalars["text"](shared(self.column))
        found = []
        for path in self.paths:
            whens = {kind: test(_value(path)) for kind, test in scalars.items()}
            if elements:
                one = cases("e.type", {kind: test("e.atom") for kind, test in elements.items()})
                each = f"EXISTS (SELECT 1 FROM json_each({_value(path)}) e WHERE {one.text})"
                whens["array"] = Sql(each, one.params)
            found.append(cases(_type(path), whens))
        return any_of(found)

    def equality(self, operands: Sequence[str | float], at: str) -> Tests:
        """Return the tests, by JSON type, of being equal to one of the operands."""
        if self.column:
            texts = [self._text(operand, at) for operand in operands]
            test = self._column_test(texts, at) if texts else None
            return {"text": lambda _: test} if test else {}
        texts = [operand for operand in operands if isinstance(operand, str)]
        numbers = [operand for operand in operands if not isinstance(operand, str | bool)]
        tests: dict[str, Test] = {}
        if texts:
            moments = [written for text in texts if (written := _date(text))]
            paths = [text for text in texts if text] if self.is_tree else []
            tests["text"] = lambda value: any_of([
                _same(value, texts),
                *(_within(value, when) for when in moments),
                *(trees.below(value, path, _of_text) for path in paths),
            ])  # fmt: skip
        if numbers:
            tests["integer"] = tests["real"] = lambda value: among(value, numbers)
        for flag in {operand for operand in operands if isinstance(operand, bool)}:
            tests[json.dumps(flag)] = lambda value: Sql("1")
        return tests

    def order(self, name: str, operand: str | float, at: str) -> Tests:
        """Return the tests, by JSON type, of standing in an order to the operand."""
        sign = ORDERINGS[name]
        if self.column:
            operand = self._text(operand, at)
        if not isinstance(operand, str):
            limit = bound(operand)
            test: Test = lambda value: Sql(f"{value} {sign} {limit.text}", limit.params)  # noqa: E731
            return {"integer": test, "real": test, "text": lambda value: _as_number(value, test)}
        when = _written(operand, at) if self.kind == "date" else _date(operand) if self.kind == "metadata" else None
        if when is None:
            return {"text": lambda value: Sql(f"{_of_text('nfc', value)} {sign} ?", (nfc(operand),))}
        edge = when.start
        if name in ("$gt", "$lte") and when.end != when.start:  # after the day, or before it is over
            edge, sign = when.end, ">=" if name == "$gt" else "<"
        if self.kind == "date":
            return {"text": lambda value: Sql(f"{value} {sign} ?", (sortable(edge),))}
        return {"text": lambda value: Sql(f"{_moment(value)} {sign} ?", (sortable(edge),))}

    def part(self, part: str) -> Test:
        """Return the test of holding a text, whatever the case."""
        return lambda value: Sql(f"instr({_of_text('folded', value)}, ?) > 0", (folded(part),))

    def _text(self, operand: str | float, at: str) -> str:
        """Return an operand of a column, which holds texts only; a whole number stands for a year."""
        if self.kind == "date" and isinstance(operand, int) and not isinstance(operand, bool) and 0 < operand < 10_000:
            return f"{operand:04}"
        if not isinstance(operand, str):
            kind = "a date such as 2024-05-31" if self.kind == "date" else "a text"
            raise InvalidFilter(f"must be {kind}; this field is never a number, true or false.", at)
        return operand

    def _column_test(self, texts: Sequence[str], at: str) -> Sql:
        match self.kind:
            case "date":
                return any_of([_covered(self.column, _written(text, at)) for text in texts])
            case "path":
                return any_of([_lies_at(text) for text in texts])
            case "type":
                return any_of([_is_type(text) for text in texts])
        return _same(self.column, texts)


def check_text(text: str, at: str) -> None:
    """Raise `InvalidFilter` for a text that is too long, or none that SQLite can hold."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidFilter(f"is longer than {MAX_CHARACTERS:,} characters.", at)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidFilter("has a NUL character or half a surrogate pair.", at)


def _date(text: str) -> WrittenDate | None:
    """Read an operand that may be a date: a day or a moment. A year, a month and digits may be anything."""
    written = None if text.isdigit() else dates.read(text)
    return written if written and len(written.iso) >= len("2024-05-31") else None


def _value(path: str) -> str:
    """Return the SQL of what the metadata holds at a path, else of what enrichments found there."""
    return shared(f"coalesce(json_extract(d.metadata, {path}), json_extract(d.enriched, {path}))")


def _type(path: str) -> str:
    """Return the SQL of its JSON type; `null` in the metadata is no value."""
    return shared(f"coalesce(nullif(json_type(d.metadata, {path}), 'null'), json_type(d.enriched, {path}))")


def _first(of: Callable[[str], str], paths: Sequence[str]) -> str:
    """Return the SQL of the first of paths that the metadata has, to be used outside of a condition."""
    return restored(unshared(f"coalesce({', '.join(map(of, paths))}, NULL)"))


def _of_text(function: str, value: str) -> str:
    return _derived(value, f"{function}({value})")


def _derived(value: str, expression: str) -> str:
    """Return what is made of a text: once for each document, unless the value is an element of a list."""
    return expression if value.startswith("e.") else shared(f"iif(typeof({value}) = 'text', {expression}, NULL)")


def _written(text: str, at: str) -> WrittenDate:
    written = dates.read(text)
    if written is None:
        days = dates.meanings(text)
        if len(days) == 2:
            raise InvalidFilter(f"can be two days; write {days[0]} or {days[1]}.", at)
        raise InvalidFilter(
            "must be a date such as 2024-05-31 or 2024-05-31T10:00:00Z, a month (2024-05) or a year.", at
        )
    return written


def _moment(value: str) -> str:
    """Return the SQL of when a date in the metadata begins; SQLite's own function is quick, and takes most of them."""
    # It takes the 31st of every month.
    usual = f"{value} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' AND substr({value}, 9, 2) < '29'"
    quick = f"CASE WHEN {usual} AND instr({value}, '.') = 0 THEN strftime({_TIME}, {value}) END"
    return _derived(value, f"coalesce({quick}, moment({value}, 0))")


def _within(value: str, when: WrittenDate) -> Sql:
    return _covered(_moment(value), when)


def _covered(moment: str, when: WrittenDate) -> Sql:
    if when.start == when.end:
        return Sql(f"{moment} = ?", (sortable(when.start),))
    last = when.end - timedelta(milliseconds=1)  # what is compared is that fine
    return Sql(f"{moment} BETWEEN ? AND ?", (sortable(when.start), sortable(last)))


def _same(value: str, texts: Sequence[str]) -> Sql:
    if all(text.isascii() for text in texts):
        return among(value, texts)
    return among(_of_text("nfc", value), [nfc(text) for text in texts])


def _as_number(value: str, test: Test) -> Sql:
    """Return a test of numbers for a text that is one as a whole, and as JSON writes it: no code with leading zeros."""
    number = f"CASE WHEN {value} GLOB '[-0-9]*' AND json_valid({value}) THEN json_extract({value}, '$') END"
    return test(_derived(value, number))


def _lies_at(path: str) -> Sql:
    """Return the condition that a document lies at a path; a relative one is looked for below the root's folder."""
    whole = Sql("lies_at(d.uri, ?, NULL)", (path,))
    if path.startswith(("/", "file://")):
        return whole
    return all_of([whole, Sql(f"lies_at(d.uri, ?, {shared(_ROOT)})", (path,))])  # the second costs two look-ups


def _is_type(text: str) -> Sql:
    """Return the condition that a document is of a type: a media type, its end (`markdown`), `image/*` or a suffix."""
    same = Sql("d.type = ?", (text,))
    if "/" in text:
        group, _, rest = text.lower().partition("/")
        found = Sql("d.type = ?", (f"{group}/{rest}",))
        return any_of([same, Sql("instr(d.type, ?) = 1", (f"{group}/",)) if rest == "*" else found])
    match = _TYPE_NAME.fullmatch(text.lower())
    if match is None:
        return same
    name = _SAME_TYPE.get(match[1], match[1])
    ends = [Sql("substr(d.type, instr(d.type, '/') + 1) IN (?, ?)", (name, f"x-{name}"))]
    if text[0] not in "*.":
        ends.append(Sql("instr(d.type, ?) = 1", (f"{name}/",)))
    return any_of([same, *ends, Sql("instr(lower(d.uri) || '#', ?) > 0", (f".{match[1]}#",))])  # a row follows a `#`
