"""Conditions in SQL, put together from parts. What a client names or says is bound, never written into the text."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition that is true, false or NULL, and what is bound to its `?` marks, in order."""

    text: str
    params: tuple[Any, ...] = ()


_BEGIN, _END = "\x01", "\x02"  # around an expression that is shared; no field's name can hold them
_MARK = "\x03"  # a question mark that is no parameter
_SHARED = re.compile(f"{_BEGIN}([^{_END}]*){_END}")
_IN_METADATA = re.compile(r"""d\.metadata, '\$\."([^"]*)\"""")
_OFTEN = 4  # times that an expression may stand in a condition before it is worth computing for every document
_MANY = 16  # fields that are worth being read at once
_GROUP = 32  # of them that lie in one object: SQLite looks through the names of an object one by one
_COLUMNS = 1_000  # of a subquery; SQLite takes 2,000

Test = Callable[[str], Sql]  # the SQL of a value -> its condition
Tests = Mapping[str, Test]  # by the type of the value, as SQLite's json_type names it


def bound(operand: str | float) -> Sql:
    """Bind a value; a float as JSON, so that the parser that reads the metadata reads it, too, and rounds alike."""
    if isinstance(operand, float):
        return Sql("(SELECT json_extract(?, '$'))", (json.dumps(operand),))
    return Sql("?", (operand,))


def among(value: str, operands: Sequence[str | float]) -> Sql:
    """Return the condition that a value is one of the operands."""
    parts = [bound(operand) for operand in operands]
    return Sql(
        f"{value} IN ({', '.join(sql.text for sql in parts)})", tuple(param for sql in parts for param in sql.params)
    )


def cases(subject: str, whens: Mapping[str, Sql]) -> Sql:
    """Return the condition that belongs to what the subject is."""
    if not whens:
        return Sql("0")
    branches = " ".join(f"WHEN '{kind}' THEN {sql.text}" for kind, sql in whens.items())
    return Sql(f"CASE {subject} {branches} END", tuple(param for sql in whens.values() for param in sql.params))


def all_of(parts: Sequence[Sql]) -> Sql:
    """Return the condition that all hold; true for none."""
    return _joined(parts, "AND") if parts else Sql("1")


def any_of(parts: Sequence[Sql]) -> Sql:
    """Return the condition that one holds; false for none."""
    return _joined(parts, "OR") if parts else Sql("0")


def _joined(parts: Sequence[Sql], word: str) -> Sql:
    """Join in halves: SQLite refuses an expression deeper than 1,000, and a chain is as deep as it is long."""
    texts = [part.text for part in parts]
    while len(texts) > 1:
        pairs = [f"({left} {word} {right})" for left, right in zip(texts[::2], texts[1::2], strict=False)]
        texts = pairs + texts[len(pairs) * 2 :]
    return Sql(texts[0], tuple(param for part in parts for param in part.params))


def negated(sql: Sql) -> Sql:
    """Return the exact opposite, true where the condition is NULL."""
    return Sql(f"({sql.text}) IS NOT TRUE", sql.params)


def shared(expression: str) -> str:
    """Mark an expression over a document's row that a condition may name again and again; see `computed_once`."""
    return f"{_BEGIN}{unshared(expression)}{_END}"


def computed_once(sql: Sql) -> Sql:
    """Return a condition over `documents d` in which what is shared is computed once for each document.

    SQLite computes an expression as often as it is written, and reads a name in a wide object by looking at all that
    come before it: a condition of 900 parts on 2,000 fields took seconds for each hundred documents. What is named
    often is a column of a subquery here, and many fields are taken from the metadata at once, in groups.
    """
    counts = Counter(_SHARED.findall(sql.text))
    often = {expression: f"c{at}" for at, expression in enumerate(one for one in counts if counts[one] > _OFTEN)}
    text = _SHARED.sub(lambda found: often.get(found[1], found[1]), sql.text)
    names = list(dict.fromkeys(name for expression in counts for name in _IN_METADATA.findall(expression)))
    columns = [f"{expression} AS {column}" for expression, column in often.items()]
    source, params, groups = "", list[Any](), list[str]()
    if len(names) > _MANY:
        parts = list(_parts(names, _GROUP))
        places = {name: f"g{at}" for at, part in enumerate(parts) for name in part}
        text, *columns = (_regrouped(one, places) for one in (text, *columns))
        groups = [f"g{at}" for at in range(len(parts))]
        each = ", ".join(f"json_extract(picked, '$[{at}]') AS g{at}" for at in range(len(parts)))
        source = f" FROM (SELECT {each} FROM (SELECT picked(d.metadata, ?) AS picked) LIMIT 1)"
        params = [json.dumps([[restored(name).replace("''", "'") for name in part] for part in parts])]
    if not columns and not groups:
        return _numbered(Sql(text, sql.params))
    # Without a limit SQLite would write each expression back to where its column is named.
    tables = [f"(SELECT {', '.join(part)}{source} LIMIT 1)" for part in _parts([*groups, *columns], _COLUMNS)]
    joined = f"EXISTS (SELECT 1 FROM {', '.join(tables)} WHERE {text})"
    return _numbered(Sql(joined, (*params * len(tables), *sql.params)))


def literal(text: str) -> str:
    """Return a text to be written into SQL within quotation marks."""
    return text.replace("'", "''").replace("?", _MARK)


def restored(text: str) -> str:
    """Return SQL with the question marks that are no parameters."""
    return text.replace(_MARK, "?")


def _numbered(sql: Sql) -> Sql:
    """Bind each value once, however often it is used: SQLite compares every constant with all that came before it."""
    numbers: dict[tuple[type, Any], int] = {}
    values = iter(sql.params)

    def number(found: re.Match[str]) -> str:
        value = next(values)
        return f"?{numbers.setdefault((type(value), value), len(numbers) + 1)}"

    text = re.sub(r"\?", number, sql.text)
    return Sql(restored(text), tuple(value for _, value in numbers))


def _regrouped(text: str, places: Mapping[str, str]) -> str:
    return _IN_METADATA.sub(lambda found: f"""{places[found[1]]}, '$."{found[1]}\"""", text)


def _parts(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (values[at : at + size] for at in range(0, len(values), size))


def unshared(text: str) -> str:
    """Return an expression without the marks of what is shared in it."""
    return text.replace(_BEGIN, "").replace(_END, "")
