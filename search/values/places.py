"""Where a passage stands in its file, and where in a picture something is seen."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")
Box = tuple[float, float, float, float]
_CELL = re.compile("([A-Z]+)([0-9]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in its file, in the terms of its medium.

    Args:
        page: of what has pages, from 1.
        lines: the first and the last, as an editor counts them, from 1.
        rows: the first and the last, from 1; the names of columns are no row.
        seconds: where it starts and ends, of what is played.
        box: left, top, right and bottom of a part of a picture or page, as shares (0..1) of its width and height.
        cells: of a sheet, as spreadsheets name them: `Sheet1!A2:D9`.
        characters: of the document's own text, which what is said here says in other words.
        outline: a polygon around a part of a picture, x and y in turn, as shares of its width and height.
    """

    page: int | None = None
    lines: tuple[int, int] | None = None
    rows: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    box: Box | None = None
    cells: str | None = None
    outline: tuple[float, ...] | None = None
    characters: tuple[int, int] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Place | None:
        """Return the place that `json` wrote; None for none."""
        if not values:
            return None
        known: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}
        return cls(**known)

    @property
    def json(self) -> dict[str, Any]:
        """What is known of it, as JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in self.__slots__
            if (value := getattr(self, name)) is not None
        }

    def later(self, lines: int) -> Place:
        """Return this place in a file that has so many lines before it."""
        return replace(self, lines=self.lines and (self.lines[0] + lines, self.lines[1] + lines))

    def through(self, last: Place) -> Place:
        """Return where that stands which begins here and ends at `last`, a later place of the same kind."""
        return replace(
            self,
            lines=_through(self.lines, last.lines),
            rows=_through(self.rows, last.rows),
            seconds=_through(self.seconds, last.seconds),
            cells=self.cells and _around(self.cells, last.cells or self.cells),
            box=_about(self.box, last.box),
        )


@dataclass(frozen=True, slots=True)
class Grounding:
    """Where in a picture it shows what is asked for.

    Args:
        box: left, top, right and bottom, as shares (0..1) of its width and height; None where that is not sure.
        confidence: 0..1, how likely it is that the picture shows it there at all.
        heat: rows of a grid over the picture, from the upper left, 0..1: how much of it each part shows, from
            the one that shows least to the one that shows most.
    """

    box: Box | None
    confidence: float
    heat: tuple[tuple[float, ...], ...]


def _through(first: tuple[T, T] | None, last: tuple[T, T] | None) -> tuple[T, T] | None:
    return (first[0], last[1]) if first and last else first


def _about(first: Box | None, last: Box | None) -> Box | None:
    if first is None or last is None:
        return first
    return min(first[0], last[0]), min(first[1], last[1]), max(first[2], last[2]), max(first[3], last[3])


def _around(first: str, last: str) -> str:
    """Return the smallest range of cells around two of the same sheet."""
    sheet = first.rpartition("!")[0]
    corners = [corner for cells in (first, last) for corner in _CELL.findall(cells.rpartition("!")[2])]
    columns = sorted((column for column, _ in corners), key=lambda column: (len(column), column))
    rows = sorted((row for _, row in corners), key=int)
    return f"{sheet}!{columns[0]}{rows[0]}:{columns[-1]}{rows[-1]}"


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages that a passage stands on, counted from 1.

    Args:
        first: the page that it begins on.
        starts: offsets in its document at which the pages after the first begin, ascending.
    """

    first: int
    starts: tuple[int, ...] = ()

    @property
    def last(self) -> int:
        """The page that the passage ends on."""
        return self.first + len(self.starts)

    def at(self, place: int) -> int:
        """Return the page that a character of the document stands on."""
        return self.first + bisect_right(self.starts, place)
