"""Check a filter and compile it to SQL over `documents d`.

    filter    = {field: test, ..., "$and": [filter, ...], "$or": [filter, ...], "$not": filter}     all must hold
    test      = value | {operator: operand, ..., "$not": test}                                      all must hold
    operator  = $eq $ne $in $nin $gt $gte $lt $lte $exists $contains

Fields are `id`, `uri`, `path`, `root`, `type`, `kind`, `title`, `modified`, `indexed`, `date` and any metadata key;
`metadata.type` is the metadata's own `type`, and a dot steps into an object. `date` is the date that the document's
metadata gives, or when its file was modified.

- A plain value is `$eq`. Numbers equal numbers, texts equal texts, `true` is not 1. An order to a number takes texts
  that are numbers as JSON writes them (`"12.5"`, not `"007"`), since tables hold both.
- Texts are compared in their composed form (NFC), as are names of fields: what macOS writes decomposed is the same.
- A list matches where one of its elements does. `$contains` finds part of a text, whatever the case, or an element of
  a list.
- `path` equals a file, a folder with all that is below it, or a pattern (`search.files.globs`); `uri` is the exact
  text. `type` equals a media type, `image/*`, its end (`markdown`, `pdf`) or a suffix (`md`).
- Dates of all spellings that `search.language.dates` reads compare as moments, UTC where no zone is given. One without
  a time is the whole day: `$eq` is any moment of it, `$gt` is after it. `date`, `modified` and `indexed` take months
  (`2024-05`) and years, too. The date of a document counts from its first moment.
- `null` is the same as no such field. `$ne`, `$nin` and `$not` are the exact opposites of `$eq`, `$in` and what they
  negate: they match documents without the field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quarry.search.errors import InvalidFilter
from quarry.search.fields.conditions import Sql, computed_once, negated
from quarry.search.fields.matches import Match, all_that_match, any_that_matches, sql_of
from quarry.search.fields.named import ORDERINGS, FilterField, check_text
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered
from quarry.search.types import Ids

MAX_DEPTH = 20
MAX_VALUES = 1_000
OPERATORS = ("$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte", "$exists", "$contains", "$not")


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """The chunks that may be found. Who searches goes by the ids, or works the filter out where it keeps the vectors.

    Args:
        ids: ascending; None for all chunks.
        filter: what allows just them, checked; None where the ids alone say it.
        where: that filter as a condition over `documents d`.
    """

    ids: Ids | None = None
    filter: Mapping[str, Any] | None = None
    where: Sql | None = None


EVERYTHING = Allowed()


def compile_filter(filter: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the SQL condition over `documents d` that a filter means, and its parameters.

    Raises:
        InvalidFilter: names the field and what is wrong with it.
    """
    sql = computed_once(sql_of(_Compiler().filter(filter, "", 1)))
    return sql.text, list(sql.params)


def allowed_by(connection: Connection, filter: Mapping[str, Any]) -> Allowed:
    """Return what a filter allows: of documents of which something is said by who it names, what that says of them.

    Raises:
        InvalidFilter: names the field and what is wrong with it.
    """
    where, params = compile_filter(filter)
    if names := _sayers(filter):
        return Allowed(filtered.said(connection, where, params, names))
    return Allowed(filtered.chunks(connection, where, params), filter, Sql(where, tuple(params)))


def allowed_chunks(connection: Connection, filter: Mapping[str, Any]) -> Ids:
    """Return the ids of the chunks of the documents that a filter matches, ascending; raise as `allowed_by` does."""
    return filtered.chunks(connection, *compile_filter(filter))


def _sayers(filter: Mapping[str, Any]) -> list[str]:
    """Return who says what is to be found, as far as all of a checked filter asks for it."""
    found: list[str] = []
    for key, test in filter.items():
        if key == "$and":
            found += [name for one in test for name in _sayers(one)]
        elif key == "said_by":
            operands = [test.get("$eq"), *test.get("$in", ())] if isinstance(test, Mapping) else [test]
            found += [one for one in operands if isinstance(one, str)]
    return found


class _Compiler:
    """Walks one filter, counting its values."""

    def __init__(self) -> None:
        self._values = 0

    def filter(self, filter: Any, at: str, depth: int) -> Sql | Match:
        if not isinstance(filter, Mapping):
            raise InvalidFilter('must be an object such as {"type": "markdown", "year": {"$gte": 2020}}.', at)
        self._check_depth(at, depth)
        parts: list[Sql | Match] = []
        for key, value in filter.items():
            where = _under(at, key)
            if key in ("$and", "$or"):
                if not isinstance(value, Sequence) or isinstance(value, str) or not value:
                    raise InvalidFilter("must be a list of at least one filter.", where)
                inner = [self.filter(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
                parts.append(all_that_match(inner) if key == "$and" else any_that_matches(inner))
            elif key == "$not":
                parts.append(negated(sql_of(self.filter(value, where, depth + 1))))
            elif not isinstance(key, str) or key.startswith("$"):
                raise InvalidFilter("is no operator; $and, $or, $not and names of fields can stand here.", where)
            else:
                parts.append(self._tests(FilterField.named(key, where), value, where, depth + 1))
        return all_that_match(parts)

    def _tests(self, field: FilterField, test: Any, at: str, depth: int) -> Sql | Match:
        self._check_depth(at, depth)
        if not isinstance(test, Mapping):
            return self._equals(field, [test], at)
        if not test:
            raise InvalidFilter(f"needs an operator; it can be {', '.join(OPERATORS)}.", at)
        return all_that_match([self._operation(field, name, operand, at, depth) for name, operand in test.items()])

    def _operation(self, field: FilterField, name: str, operand: Any, at: str, depth: int) -> Sql | Match:
        where = _under(at, name)
        if name in ("$eq", "$ne"):
            found = self._equals(field, [operand], where)
            return found if name == "$eq" else negated(sql_of(found))
        if name in ("$in", "$nin"):
            if not isinstance(operand, Sequence) or isinstance(operand, str):
                raise InvalidFilter("must be a list of values.", where)
            found = self._equals(field, operand, where)
            return found if name == "$in" else negated(sql_of(found))
        if name == "$not":
            return negated(sql_of(self._tests(field, operand, where, depth + 1)))
        if name == "$exists":
            if not isinstance(operand, bool):
                raise InvalidFilter("must be true or false.", where)
            return field.exists if operand else negated(field.exists)
        if name in ORDERINGS:
            return self._compares(field, name, operand, where)
        if name == "$contains":
            return self._contains(field, operand, where)
        raise InvalidFilter(f"is no operator; it can be {', '.join(OPERATORS)}.", where)

    def _equals(self, field: FilterField, operands: Sequence[Any], at: str) -> Sql | Match:
        for operand in operands:
            self._check_value(operand, at)
        tests = field.equality([operand for operand in operands if operand is not None], at)
        found = [Match(field, tests, tests)] if tests else []
        return any_that_matches([*found, negated(field.exists)] if None in operands else found)

    def _compares(self, field: FilterField, name: str, operand: Any, at: str) -> Match:
        self._check_value(operand, at)
        if isinstance(operand, bool) or operand is None:
            raise InvalidFilter("must be a number, a text or a date.", at)
        tests = field.order(name, operand, at)
        return Match(field, tests, tests)

    def _contains(self, field: FilterField, operand: Any, at: str) -> Match:
        self._check_value(operand, at)
        if operand is None:
            raise InvalidFilter("must be a text, a number, true or false.", at)
        if not isinstance(operand, str):
            if field.column:
                raise InvalidFilter("must be a text; this field is never a number, true or false.", at)
            return Match(field, {}, field.equality([operand], at))
        elements = {} if field.column else field.equality([operand], at)
        return Match(field, {"text": field.part(operand)}, elements)

    def _check_depth(self, at: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"is nested deeper than {MAX_DEPTH} levels.", at)

    def _check_value(self, value: Any, at: str) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise InvalidFilter(f"a filter can have {MAX_VALUES:,} values at most.", at)
        if isinstance(value, str):
            check_text(value, at)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise InvalidFilter("must be a finite number.", at)
        elif isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise InvalidFilter("is a whole number of more than 64 bits.", at)
        elif value is not None:
            raise InvalidFilter("must be a text, a number, true, false or null; for several values use $in.", at)


def _under(at: str, key: Any) -> str:
    name = key if isinstance(key, str) else repr(key)
    shown = name[:60].encode("utf-8", "replace").decode()
    return f"{at}.{shown}" if at else shown
