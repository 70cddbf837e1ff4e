"""How a table is written: what cuts its cells, where it begins, what its columns are called, which hold numbers."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.fields import number
from quarry.search.errors import FileMalformed

SAMPLE = 64 * 1024  # characters, that tell the delimiter
MAX_CELL = 64 * 1024 * 1024  # characters; a quote that is never closed takes the rest of the file into one cell
_ROWS = 50  # that tell where a table begins
_EXAMINED = 8 * 1024 * 1024  # characters, that tell which columns hold numbers: a second or two
_DELIMITERS = ",;\t|"
_TABS = "text/tab-separated-values"
_NOTHING = "\x1f"  # cuts no line: a list of one column
_DECLARED = re.compile(r'"?sep=([^\s"]|\\t|\t|)"?[,;\t]*\s*', re.I)  # how a file tells Excel its delimiter
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_KINDS = {
    "whole number": re.compile(r"[+-]?\d+"),
    "number": re.compile(r"[+-]?[$€£¥]?\s?[+-]?\d[\d.,'\s]*(?:[eE][+-]?\d+)?\s?[%€$£¥]?"),
    "date": re.compile(r"\d{4}-\d\d?-\d\d?(?:[T ].*)?|\d\d?[./-]\d\d?[./-]\d{2,4}|\d{4}/\d\d?/\d\d?"),
    "time": re.compile(r"\d\d?:\d\d(?::\d\d)?"),
    "address": re.compile(r"\S+@\S+\.\w+|https?://\S+"),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How rows are cut into cells.

    Args:
        quoting: whether a cell that begins with a quotation mark may hold delimiters and newlines until the next one;
            without it, marks are part of the cell, unless they enclose the whole of it.
        declared: whether the first line only names the delimiter.
    """

    delimiter: str
    quoting: bool = True
    declared: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a table begins and what its columns are.

    Args:
        before: lines above the table.
        names: of the columns; () where no row gives any.
        first: position of the first row of values.
        numeric: whether a column holds numbers alone.
    """

    before: tuple[str, ...]
    names: tuple[str, ...]
    first: int
    numeric: tuple[bool, ...]

    def is_numeric(self, place: int) -> bool:
        """Whether the column holds numbers alone; not so one that only a late row has."""
        return place < len(self.numeric) and self.numeric[place]


def records(text: Iterable[str], dialect: Dialect) -> Iterator[list[str]]:
    """Cut lines into rows, without empty ones.

    Raises:
        FileMalformed: a cell is larger than it may be.
    """
    before = csv.field_size_limit(MAX_CELL)
    try:
        rows = csv.reader(
            text,
            delimiter=dialect.delimiter,
            quoting=csv.QUOTE_MINIMAL if dialect.quoting else csv.QUOTE_NONE,
            skipinitialspace=True,
        )
        for cells in islice(rows, int(dialect.declared), None):
            if any(cell.strip() for cell in cells):
                yield cells if dialect.quoting else [_unquoted(cell) for cell in cells]
    except csv.Error as error:
        raise FileMalformed(
            f"its rows can't be told apart ({error}); look for a quotation mark that is never closed"
        ) from error
    finally:
        csv.field_size_limit(before)


def _unquoted(cell: str) -> str:
    match = _QUOTED.fullmatch(cell.strip())
    return match[1].replace('""', '"') if match else cell


def find_dialect(sample: str, type: str) -> Dialect:
    """Choose what cuts the first rows into the same number of columns, more than one, most often."""
    usual = "\t" if type == _TABS else ","
    first = sample.split("\n", 1)[0].rstrip("\r")
    declared = _DECLARED.fullmatch(first)
    delimiters = _DELIMITERS
    if declared and (named := declared[1] or first[len("sep=")]) and named:
        delimiters = "\t" if named == "\\t" else named

    def agreement(dialect: Dialect) -> tuple[float, int, int, int]:
        """Return the share of rows that have the usual width, how many there are, that width, and the first row's."""
        widths = []
        try:
            for cells in islice(records(io.StringIO(sample, newline=""), dialect), _ROWS):
                widths.append(len(cells))
        except FileMalformed:
            pass  # the sample may end within a cell: what was read so far tells enough
        if not widths:
            return 0.0, 0, 1, 1
        width, times = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))
        return times / len(widths), len(widths), width, widths[0]

    found = []
    for delimiter in delimiters:
        quoted, plain = (Dialect(delimiter, quoting, bool(declared)) for quoting in (True, False))
        by_quotes, by_lines = agreement(quoted), agreement(plain)
        if by_quotes[0] >= by_lines[0] and by_quotes[2] > 1 and _closes_quotes(sample, quoted):
            found.append((quoted, by_quotes))
            continue
        # Where both ways agree, a mark that swallows whole rows is none that opens a cell; between tabs, none is.
        prefers_lines = by_lines[0] >= by_quotes[0] if delimiter == "\t" else by_lines[:2] > by_quotes[:2]
        is_plain = prefers_lines and by_lines[2] > 1
        found.append((plain, by_lines) if is_plain else (quoted, by_quotes))

    def score(candidate: tuple[Dialect, tuple[float, int, int, int]]) -> tuple[float, int, bool]:
        dialect, (agree, _, width, _) = candidate
        is_usual = dialect.delimiter == usual
        return (round(agree, 1), 1_000 if is_usual else width, is_usual) if width > 1 else (0.0, 0, is_usual)

    best, (_, _, width, first_width) = max(found, key=score)
    if width == 1 and first_width == 1 and not declared:
        return Dialect(_NOTHING)
    return best


def _closes_quotes(sample: str, dialect: Dialect) -> bool:
    """Whether every quotation mark that opens a cell has one that closes it, with a delimiter or line's end after."""
    rows = csv.reader(io.StringIO(sample, newline=""), delimiter=dialect.delimiter, skipinitialspace=True, strict=True)
    try:
        for _ in islice(rows, _ROWS):
            pass
    except csv.Error:
        return False
    return True


def find_shape(rows: Iterator[list[str]], delimiter: str) -> Shape:
    """Read a table to tell where it begins, what its columns are called, and which are numbers.

    A column is one of numbers where every value is one that would be printed as it is written: what has a leading zero,
    a plus, an exponent or a zero at its end (0815, +49301, 12E3, 3.10) is a code or a release.
    """
    head = list(islice(rows, _ROWS))
    first = _begin(head)
    between = f"{delimiter} " if delimiter in ",;" else delimiter
    before = [between.join(cells).strip(between) for cells in head[:first]]
    names: list[str] = []
    if first < len(head) and _is_header(head[first], head[first + 1 : first + 2]):
        names = _names(head[first])
        first += 1
    return Shape(tuple(before), tuple(names), first, _numeric(chain(head[first:], rows)))


def _begin(head: Sequence[list[str]]) -> int:
    """Return the position of the row that the table begins with: above it are titles, notes, comments and fields.

    It is the first that is as wide as most are, or where narrower ones came first, the names that follow them.
    """
    if not head:
        return 0
    usual = max(Counter(map(len, head)).items(), key=lambda item: (item[1], item[0]))[0]
    for place, cells in enumerate(head):
        if cells[0].lstrip().startswith("#"):
            following = head[place + 1][0].lstrip() if place + 1 < len(head) else "#"
            if len(cells) != usual or usual == 1 or following.startswith("#"):
                continue  # a comment; where it is as wide as the table, the last one names the columns
        filled = sum(1 for cell in cells if cell.strip())
        has_gap = 2 * filled == usual > 2 and _width(cells) > filled  # one name is missing between others
        if usual == 1 or 2 * filled > usual or has_gap:
            return _after_fields(head, place, usual) if _width(cells) < usual else place
    return 0


def _after_fields(head: Sequence[list[str]], start: int, usual: int) -> int:
    """Return the position of a full row of names below narrower rows ("Account:, 12345"), else the start."""
    full = (place for place in range(start, len(head)) if _width(head[place]) >= usual and all(head[place][:usual]))
    place = next(full, len(head))
    if place + 1 >= len(head):
        return start
    names, values = ([_kind(cell.strip()) for cell in row[:usual]] for row in head[place : place + 2])
    return place if any(values) and not any(names) else start


def _width(cells: Sequence[str]) -> int:
    return next((place for place in range(len(cells), 0, -1) if cells[place - 1].strip()), 0)


def _is_header(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row holds names: none of its cells is a value, such as a number or a date.

    A year, one of several numbers in a row (1, 2, 3), and what is of another kind than the value below are names.
    """
    places = [place for place, cell in enumerate(cells) if _kind(cell.strip())]
    values = [cells[place].strip() for place in places]
    if len(values) > 1 and all(value.isdecimal() for value in values):
        numbers = [int(value) for value in values]
        if len(numbers) < len(cells) and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return True
    for place, value in zip(places, values, strict=True):
        if re.fullmatch("[12][0-9]{3}", value):
            continue
        row = below[0] if below else cells
        if _kind(value) == (_kind(row[place].strip()) if place < len(row) else ""):
            return False
    return len(places) < len(cells)


def _kind(cell: str) -> str:
    return next((kind for kind, pattern in _KINDS.items() if len(cell) <= 200 and pattern.fullmatch(cell)), "")


def _names(cells: Sequence[str]) -> list[str]:
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = one_line(cell, 200)
        if place == 1 and re.match(r"#\s?\w", name):  # a header that is written as a comment
            name = name.removeprefix("#").strip()
        names.append(name if name and name not in names else f"{name or 'column'} {place}")
    return names


def _numeric(rows: Iterable[Sequence[str]]) -> tuple[bool, ...]:
    numeric: list[bool] = []
    seen: list[bool] = []
    size = 0
    for cells in rows:
        numeric.extend([True] * (len(cells) - len(numeric)))
        seen.extend([False] * (len(cells) - len(seen)))
        for place, cell in enumerate(cells):
            size += len(cell) + 1
            if numeric[place] and (value := cell.strip()):
                numeric[place], seen[place] = not isinstance(number(value), str), True
        if size > _EXAMINED:
            break
    return tuple(is_numeric and any_value for is_numeric, any_value in zip(numeric, seen, strict=True))
