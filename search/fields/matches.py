"""Tests of one field that are put together before they are SQL, so that 900 of them are one look at its value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quarry.search.fields.conditions import Sql, Test, Tests, all_of, any_of
from quarry.search.fields.named import FilterField


@dataclass(frozen=True, slots=True)
class Match:
    """The condition that a field's value passes a test, or that an element of a list does."""

    field: FilterField
    scalars: Tests
    elements: Tests

    @property
    def sql(self) -> Sql:
        """The condition in SQL."""
        return self.field.matches(self.scalars, self.elements)


def sql_of(part: Sql | Match) -> Sql:
    """Return a condition as SQL."""
    return part.sql if isinstance(part, Match) else part


def all_that_match(parts: Sequence[Sql | Match]) -> Sql | Match:
    """Return the condition that all hold."""
    return parts[0] if len(parts) == 1 else all_of([sql_of(part) for part in parts])


def any_that_matches(parts: Sequence[Sql | Match]) -> Sql | Match:
    """Return the condition that one holds; tests of the same field become one, which opens a list once."""
    by_field: dict[str, list[Match]] = {}
    rest: list[Sql] = []
    for part in parts:
        if isinstance(part, Match):
            by_field.setdefault(part.field.name, []).append(part)
        else:
            rest.append(part)
    merged = [_merged(some) for some in by_field.values()]
    if len(merged) == 1 and not rest:
        return merged[0]
    return any_of([*rest, *(one.sql for one in merged)])


def _merged(matches: Sequence[Match]) -> Match:
    if len(matches) == 1:
        return matches[0]
    scalars, elements = [one.scalars for one in matches], [one.elements for one in matches]
    return Match(matches[0].field, _either(scalars), _either(elements))


def _either(each: Sequence[Tests]) -> Tests:
    """Return the tests, by JSON type, of passing one of those."""
    by_kind: dict[str, list[Test]] = {}
    for tests in each:
        for kind, test in tests.items():
            by_kind.setdefault(kind, []).append(test)

    def one_of(tests: Sequence[Test]) -> Test:
        return lambda value: any_of([test(value) for test in tests])

    return {kind: one_of(tests) for kind, tests in by_kind.items()}
