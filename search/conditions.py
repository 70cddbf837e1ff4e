"""Conditions in SQL, put together from parts. What a client names or says is bound, never written into the text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition that is true, false or NULL, and what is bound to its `?` marks, in order."""

    text: str
    params: tuple[Any, ...] = ()


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
    if len(parts) == 1:
        return parts[0]
    left, right = _joined(parts[: len(parts) // 2], word), _joined(parts[len(parts) // 2 :], word)
    return Sql(f"({left.text} {word} {right.text})", left.params + right.params)


def negated(sql: Sql) -> Sql:
    """Return the exact opposite, true where the condition is NULL."""
    return Sql(f"({sql.text}) IS NOT TRUE", sql.params)
