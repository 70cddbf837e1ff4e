"""Check a filter and compile it to SQL over `documents d`.

    filter    = {field: test, ..., "$and": [filter, ...], "$or": [filter, ...], "$not": filter}     all must hold
    test      = value | {operator: operand, ..., "$not": test}                                      all must hold
    operator  = $eq $ne $in $nin $gt $gte $lt $lte $exists $contains

Fields are `id`, `uri` (or `path`), `root`, `type`, `kind`, `title`, `modified`, `indexed`, `date` and any metadata key;
`metadata.title` is the metadata's own `title`, and a dot steps into an object. `date` is the date that the document's
metadata gives, or when its file was modified.

- A plain value is `$eq`. Numbers compare with numbers, texts with texts, `true` is not 1.
- A list matches where one of its elements does. `$contains` finds part of a text, whatever the case, or an element of
  a list.
- Dates (`2024-05-31`, `2024-05-31T10:00:00+02:00`; UTC where no zone is given) compare as moments. One without a time
  is the whole day: `$eq` is any moment of it, `$gt` is after it. `date`, `modified` and `indexed` take months
  (`2024-05`) and years, too.
- `null` is the same as no such field. `$ne`, `$nin` and `$not` are the exact opposites of `$eq`, `$in` and what they
  negate: they match documents without the field.
"""

from __future__ import annotations

import calendar
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from search.errors import InvalidFilter
from search.stores.sqlite import Connection
from search.types import Ids

MAX_DEPTH = 20
MAX_VALUES = 1_000
MAX_CHARACTERS = 10_000
OPERATORS = ("$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte", "$exists", "$contains", "$not")

_ORDERINGS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_MONTH_OR_YEAR = re.compile(r"(\d{4})(?:-(\d{2}))?", re.ASCII)
_IS_DATE = "GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
_OWN_DATE = "json_extract(d.metadata, '$.date')"
_MAX_KEY = 200
_ODD_IN_KEY = re.compile(r'["\\\x00-\x1f\x7f]')

_TEXTS = {
    "id": "d.public_id",
    "uri": "d.uri",
    "path": "d.uri",
    "root": "(SELECT r.path FROM files f JOIN roots r ON r.id = f.root_id WHERE f.id = d.file_id)",
    "type": "d.type",
    "kind": "d.kind",
    "title": "d.title",
}
_DATES = {
    "date": f"CASE WHEN instr(d.metadata, '\"date\"') AND {_OWN_DATE} {_IS_DATE} THEN {_OWN_DATE} ELSE d.modified END",
    "modified": "d.modified",
    "indexed": "d.indexed",
}


@dataclass(frozen=True, slots=True)
class _Sql:
    """A condition that is true, false or NULL, and what is bound to its `?` marks, in order."""

    text: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Moment:
    """The time that a date covers: [start, end) as ISO 8601 in UTC, end == start for a moment."""

    start: str
    end: str


_Test = Callable[[str], _Sql]  # the SQL of a value -> its condition
_Tests = Mapping[str, _Test]  # by the type of the value, as SQLite's json_type names it


def compile_filter(filter: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the SQL condition over `documents d` that a filter means, and its parameters.

    Raises:
        InvalidFilter: names the field and what is wrong with it.
    """
    sql = _Compiler().filter(filter, "", 1)
    return sql.text, list(sql.params)


def allowed_chunks(connection: Connection, filter: Mapping[str, Any]) -> Ids:
    """Return the ids of the chunks of the documents that a filter matches, ascending.

    Raises:
        InvalidFilter: names the field and what is wrong with it.
    """
    where, params = compile_filter(filter)
    # One text instead of a row per chunk: three times faster at 100,000.
    (ids,) = connection.execute(
        f"SELECT group_concat(c.id) FROM documents d JOIN chunks c ON c.document_id = d.id WHERE {where}", params
    ).fetchone()
    return np.sort(np.fromstring(ids or "", np.int64, sep=","))


class _Compiler:
    """Walks one filter, counting its values."""

    def __init__(self) -> None:
        self._values = 0

    def filter(self, filter: Any, at: str, depth: int) -> _Sql:
        if not isinstance(filter, Mapping):
            raise InvalidFilter('must be an object such as {"type": "text/markdown"}.', at)
        self._check_depth(at, depth)
        parts = []
        for key, value in filter.items():
            where = _under(at, key)
            if key in ("$and", "$or"):
                if not isinstance(value, Sequence) or isinstance(value, str) or not value:
                    raise InvalidFilter("must be a list of at least one filter.", where)
                inner = [self.filter(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
                parts.append(_all(inner) if key == "$and" else _any(inner))
            elif key == "$not":
                parts.append(_not(self.filter(value, where, depth + 1)))
            elif not isinstance(key, str) or key.startswith("$"):
                raise InvalidFilter("is no operator; $and, $or, $not and names of fields can stand here.", where)
            else:
                parts.append(self._tests(_Field.named(key, where), value, where, depth + 1))
        return _all(parts)

    def _tests(self, field: _Field, test: Any, at: str, depth: int) -> _Sql:
        self._check_depth(at, depth)
        if not isinstance(test, Mapping):
            return self._equals(field, [test], at)
        if not test:
            raise InvalidFilter(f"needs an operator; it can be {', '.join(OPERATORS)}.", at)
        return _all([self._operation(field, name, operand, at, depth) for name, operand in test.items()])

    def _operation(self, field: _Field, name: str, operand: Any, at: str, depth: int) -> _Sql:
        where = _under(at, name)
        if name in ("$eq", "$ne"):
            sql = self._equals(field, [operand], where)
            return sql if name == "$eq" else _not(sql)
        if name in ("$in", "$nin"):
            if not isinstance(operand, Sequence) or isinstance(operand, str):
                raise InvalidFilter("must be a list of values.", where)
            sql = self._equals(field, operand, where)
            return sql if name == "$in" else _not(sql)
        if name == "$not":
            return _not(self._tests(field, operand, where, depth + 1))
        if name == "$exists":
            if not isinstance(operand, bool):
                raise InvalidFilter("must be true or false.", where)
            return field.exists if operand else _not(field.exists)
        if name in _ORDERINGS:
            return self._compares(field, name, operand, where)
        if name == "$contains":
            return self._contains(field, operand, where)
        raise InvalidFilter(f"is no operator; it can be {', '.join(OPERATORS)}.", where)

    def _equals(self, field: _Field, operands: Sequence[Any], at: str) -> _Sql:
        for operand in operands:
            self._check_value(operand, at)
        tests = field.equality([operand for operand in operands if operand is not None], at)
        found = [field.matches(tests, tests)] if tests else []
        return _any([*found, _not(field.exists)] if None in operands else found)

    def _compares(self, field: _Field, name: str, operand: Any, at: str) -> _Sql:
        self._check_value(operand, at)
        if isinstance(operand, bool) or operand is None:
            raise InvalidFilter("must be a number, a text or a date.", at)
        tests = field.order(name, operand, at)
        return field.matches(tests, tests)

    def _contains(self, field: _Field, operand: Any, at: str) -> _Sql:
        self._check_value(operand, at)
        if operand is None:
            raise InvalidFilter("must be a text, a number, true or false.", at)
        if not isinstance(operand, str):
            return field.matches({}, field.equality([operand], at))
        elements = {} if field.column else field.equality([operand], at)
        return field.matches({"text": lambda value: _part_of(value, operand)}, elements)

    def _check_depth(self, at: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"is nested deeper than {MAX_DEPTH} levels.", at)

    def _check_value(self, value: Any, at: str) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise InvalidFilter(f"a filter can have {MAX_VALUES:,} values at most.", at)
        if isinstance(value, str):
            _check_text(value, at)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise InvalidFilter("must be a finite number.", at)
        elif isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise InvalidFilter("is a whole number of more than 64 bits.", at)
        elif value is not None:
            raise InvalidFilter("must be a text, a number, true, false or null; for several values use $in.", at)


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a field's value is found: a column, or one or more paths into the metadata, as SQL text."""

    column: str = ""
    is_date: bool = False
    paths: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str, at: str) -> _Field:
        if name in _TEXTS:
            return cls(_TEXTS[name])
        if name in _DATES:
            return cls(f"({_DATES[name]})", is_date=True)
        key = name.removeprefix("metadata.")
        _check_text(key, at)
        if not key or len(key) > _MAX_KEY or _ODD_IN_KEY.search(key):
            raise InvalidFilter(
                f"a name has 1 to {_MAX_KEY} characters, and no quotation mark, backslash or control character.", at
            )
        # No quotation mark can end the label within the JSON path, and the path is a doubled SQL literal.
        steps = key.replace("'", "''").split(".")
        paths = [[".".join(steps)]]
        if len(steps) > 1 and all(steps):
            paths.append(steps)
        return cls(paths=tuple("'$" + "".join(f'."{step}"' for step in path) + "'" for path in paths))

    @property
    def exists(self) -> _Sql:
        if self.column:
            return _Sql(f"{self.column} IS NOT NULL")
        return _any([_Sql(f"json_extract(d.metadata, {path}) IS NOT NULL") for path in self.paths])

    def matches(self, scalars: _Tests, elements: _Tests) -> _Sql:
        """Return the condition that the value passes the test of its JSON type, or an element of a list does."""
        if self.column:
            return scalars["text"](self.column)
        found = []
        for path in self.paths:
            whens = {kind: test(f"json_extract(d.metadata, {path})") for kind, test in scalars.items()}
            if elements:
                one = _case("e.type", {kind: test("e.atom") for kind, test in elements.items()})
                each = f"EXISTS (SELECT 1 FROM json_each(d.metadata, {path}) e WHERE {one.text})"
                whens["array"] = _Sql(each, one.params)
            found.append(_case(f"json_type(d.metadata, {path})", whens))
        return _any(found)

    def equality(self, operands: Sequence[Any], at: str) -> _Tests:
        """Return the tests, by JSON type, of being equal to one of the operands."""
        texts = [operand for operand in operands if isinstance(operand, str)]
        numbers = [operand for operand in operands if not isinstance(operand, str | bool)]
        self._check_type(at, others=len(texts) < len(operands))
        tests: dict[str, _Test] = {}
        if texts:
            moments = [moment for text in texts if (moment := self._moment(text, at))]
            tests["text"] = lambda value: _any([_among(value, texts), *(_within(value, moment) for moment in moments)])
        if numbers:
            tests["integer"] = tests["real"] = lambda value: _among(value, numbers)
        for flag in {operand for operand in operands if isinstance(operand, bool)}:
            tests[json.dumps(flag)] = lambda value: _Sql("1")
        return tests

    def order(self, name: str, operand: str | float, at: str) -> _Tests:
        """Return the tests, by JSON type, of standing in an order to the operand."""
        sign = _ORDERINGS[name]
        self._check_type(at, others=not isinstance(operand, str))
        if not isinstance(operand, str):
            bound_number = _bound(operand)
            test: _Test = lambda value: _Sql(f"{value} {sign} {bound_number.text}", bound_number.params)  # noqa: E731
            return {"integer": test, "real": test}
        moment = self._moment(operand, at)
        if moment is None:
            return {"text": lambda value: _Sql(f"{value} {sign} ?", (operand,))}
        bound = moment.start
        if name in ("$gt", "$lte") and moment.end != moment.start:  # after the day, or before it is over
            bound, sign = moment.end, ">=" if name == "$gt" else "<"
        return {"text": lambda value: _Sql(f"{value} {_IS_DATE} AND julianday({value}) {sign} julianday(?)", (bound,))}

    def _check_type(self, at: str, *, others: bool) -> None:
        if self.column and others:
            kind = "a date such as 2024-05-31" if self.is_date else "a text"
            raise InvalidFilter(f"must be {kind}; this field is never a number, true or false.", at)

    def _moment(self, value: str, at: str) -> _Moment | None:
        moment = _moment(value, coarse=self.is_date)
        if moment is None and self.is_date:
            raise InvalidFilter("must be a date such as 2024-05-31 or 2024-05-31T10:00:00Z.", at)
        return None if self.column and not self.is_date else moment


def _moment(value: str, *, coarse: bool) -> _Moment | None:
    """Read a date, or with `coarse` a month or a year; None where the text is none."""
    try:
        if coarse and (match := _MONTH_OR_YEAR.fullmatch(value)):
            year, month = int(match[1]), int(match[2] or 1)
            start = datetime(year, month, 1)
            days = calendar.monthrange(year, month)[1] if match[2] else 365 + calendar.isleap(year)
            return _Moment(_iso(start), _iso(_later(start, days)))
        match = _DATE.fullmatch(value)
        if match is None:
            return None
        start = datetime.fromisoformat(value)
        if match[1] is None:
            return _Moment(_iso(start), _iso(_later(start, 1)))
        return _Moment(_iso(start), _iso(start))
    except (ValueError, OverflowError):
        return None


def _later(start: datetime, days: int) -> datetime:
    try:
        return start + timedelta(days=days)
    except OverflowError:  # the end of the year 9999
        return datetime.max


def _iso(moment: datetime) -> str:
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _bound(operand: str | float) -> _Sql:
    """Bind a value; a float as JSON, so that the parser that reads the metadata reads it, too, and rounds alike."""
    if isinstance(operand, float):
        return _Sql("(SELECT json_extract(?, '$'))", (json.dumps(operand),))
    return _Sql("?", (operand,))


def _among(value: str, operands: Sequence[str | float]) -> _Sql:
    bound = [_bound(operand) for operand in operands]
    return _Sql(
        f"{value} IN ({', '.join(sql.text for sql in bound)})", tuple(param for sql in bound for param in sql.params)
    )


def _within(value: str, moment: _Moment) -> _Sql:
    if moment.start == moment.end:
        return _Sql(f"{value} {_IS_DATE} AND julianday({value}) = julianday(?)", (moment.start,))
    return _Sql(
        f"{value} {_IS_DATE} AND julianday({value}) >= julianday(?) AND julianday({value}) < julianday(?)",
        (moment.start, moment.end),
    )


def _part_of(value: str, part: str) -> _Sql:
    return _Sql(f"instr(casefold({value}), ?) > 0", (part.casefold(),))  # `casefold` is ours: search.stores.sqlite


def _case(subject: str, whens: Mapping[str, _Sql]) -> _Sql:
    if not whens:
        return _Sql("0")
    branches = " ".join(f"WHEN '{kind}' THEN {sql.text}" for kind, sql in whens.items())
    return _Sql(f"CASE {subject} {branches} END", tuple(param for sql in whens.values() for param in sql.params))


def _all(parts: Sequence[_Sql]) -> _Sql:
    return _joined(parts, "AND") if parts else _Sql("1")


def _any(parts: Sequence[_Sql]) -> _Sql:
    return _joined(parts, "OR") if parts else _Sql("0")


def _joined(parts: Sequence[_Sql], word: str) -> _Sql:
    """Join in halves: SQLite refuses an expression deeper than 1,000, and a chain is as deep as it is long."""
    if len(parts) == 1:
        return parts[0]
    left, right = _joined(parts[: len(parts) // 2], word), _joined(parts[len(parts) // 2 :], word)
    return _Sql(f"({left.text} {word} {right.text})", left.params + right.params)


def _not(sql: _Sql) -> _Sql:
    return _Sql(f"({sql.text}) IS NOT TRUE", sql.params)


def _under(at: str, key: Any) -> str:
    name = key if isinstance(key, str) else repr(key)
    shown = name[:60].encode("utf-8", "replace").decode()
    return f"{at}.{shown}" if at else shown


def _check_text(text: str, at: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise InvalidFilter(f"is longer than {MAX_CHARACTERS:,} characters.", at)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidFilter("has a NUL character or half a surrogate pair.", at)
