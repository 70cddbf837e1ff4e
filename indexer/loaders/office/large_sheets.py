"""Sheets of XLSX that are too large to be held at once: a row at a time, in memory that does not grow with them.

Other workbooks are read by calamine, which gives the same values. Of numbers, a style says which are dates
(ECMA-376-1, 18.8.30); a text that stands in several cells is kept once, here in a file without a name.
"""

from __future__ import annotations

import os
import re
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Self
from xml.parsers import expat

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import MEBIBYTE, Source
from quarry.indexer.loaders.office.elements import attribute, child, named, relation
from quarry.indexer.loaders.office.package import Package
from quarry.search.errors import FileMalformed

Value = int | float | str | bool | time | date | datetime | timedelta

_Start = Callable[[str, Mapping[str, str]], None]
_End = Callable[[str], None]
_MOST = 1024 * MEBIBYTE  # bytes of the XML of a part, as of a workbook in all: a part may have an odd name
_WIDEST, _DAYS = 16_384, 2_958_466  # columns of a sheet; days up to the year 10000
_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.I)
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_DAMAGED = "it is damaged, its sheets can't be read; save it again"


class LargeWorkbook:
    """The sheets of an open workbook, by name; `left` is the first column, from 0, that any cell of one stands in."""

    def __init__(self, source: Source, left: Mapping[str, int]) -> None:
        package = Package(source, "workbook")
        relations = package.relations(package.main)
        found = {
            relations[id].target: attribute(sheet, "name")
            for sheet in reversed(list(named(package.root, "sheet")))
            if (id := relation(sheet)) in relations and relations[id].kind == "worksheet"
        }
        self._parts = {name: part for part, name in reversed(found.items())}  # none is read twice
        self._left = left
        properties = child(package.root, "workbookPr")
        since_1904 = properties is not None and attribute(properties, "date1904") in ("1", "true")
        self._start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)
        styles = next(package.related(package.main, "styles"), None)
        codes = {attribute(each, "numFmtId"): attribute(each, "formatCode") for each in named(styles, "numFmt")}
        self._dates = [_date_code(attribute(each, "numFmtId"), codes) for each in child(styles, "cellXfs") or ()]
        shared = next((one.target for one in relations.values() if one.kind == "sharedStrings"), "")
        self._xml = _Parts(source, list(self._parts.values()))
        self._shared = _Shared(self._xml, shared)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._shared.close()

    @property
    def sheet_names(self) -> Sequence[str]:
        """The names of its sheets, in their order."""
        return list(self._parts)

    def get_sheet_by_name(self, name: str) -> LargeSheet:
        """Return a sheet."""
        part = self._parts[name]
        return LargeSheet(self._xml, part, self._left.get(part, 0), self._value)

    def _value(self, kind: str, style: str, text: str) -> Value:
        if kind == "s":
            return self._shared[int(text)]
        if kind == "b":
            return text == "1"
        if kind == "e":
            return ""
        if kind not in ("", "n"):
            return text
        number = float(text)
        code = self._dates[int(style)] if style and int(style) < len(self._dates) else ""
        if not code or not 0 <= number < _DAYS:
            return number
        length = timedelta(milliseconds=round(number * 86_400_000))
        if code.startswith("["):
            return length
        moment = self._start + length
        return moment.time() if number < 1 else moment


class LargeSheet:
    """A sheet, of which rows are given as they are read; each begins at its column `start[1]`."""

    def __init__(self, xml: _Parts, part: str, left: int, value: Callable[[str, str, str], Value]) -> None:
        self._xml, self._part, self._value = xml, part, value
        self.start = (0, left)

    def iter_rows(self) -> Iterator[list[Value]]:
        """Yield all rows from the first, those that are empty and stand between others among them."""
        rows = _Rows(self._value, self.start[1])
        number = 0
        for _ in self._xml.pieces(self._part, rows.start, rows.end, rows.said):
            for at, cells in rows.done:
                yield from ([] for _ in range(at - number - 1))
                yield cells
                number = max(number, at)
            rows.done.clear()


class _Rows:
    """Collects what the parser tells of a sheet in `done`: rows with their numbers."""

    def __init__(self, value: Callable[[str, str, str], Value], left: int) -> None:
        self.done: list[tuple[int, list[Value]]] = []
        self._value, self._left = value, left
        self._cells: list[Value] = []
        self._number = self._column = 0
        self._kind = self._style = ""
        self._text: list[str] | None = None
        self._is_said = self._is_aside = False  # whether it is the cell's text, or how that is pronounced

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in ("v", "t"):
            self._is_said = self._text is not None and not self._is_aside
        elif name == "c":
            found = _REFERENCE.match(attributes.get("r", ""))
            self._column = column_number(found[1]) if found else self._column + 1
            self._kind, self._style, self._text = attributes.get("t", ""), attributes.get("s", ""), []
        elif name == "row":
            number = attributes.get("r", "")
            self._number = int(number) if number.isdecimal() and len(number) < 8 else self._number + 1
            self._cells, self._column = [], 0
        elif name == "rPh":
            self._is_aside = True

    def end(self, name: str) -> None:
        if name in ("v", "t", "rPh"):
            self._is_said = False
            self._is_aside = self._is_aside and name != "rPh"
        elif name == "c" and self._text is not None:
            text = "".join(self._text)
            self._text = None
            if self._column > _WIDEST or not text:
                return
            try:
                value = self._value(self._kind, self._style, text)
            except (ValueError, LookupError, OverflowError) as error:
                raise FileMalformed(_DAMAGED) from error
            place = max(0, self._column - self._left - 1)
            self._cells.extend([""] * (place + 1 - len(self._cells)))
            self._cells[place] = value
        elif name == "row":
            self.done.append((self._number, self._cells))

    def said(self, text: str) -> None:
        if self._is_said and self._text is not None:
            self._text.append(text)


class _Shared:
    """Texts that cells share, by number, in a file that has no name."""

    def __init__(self, xml: _Parts, part: str) -> None:
        self._ends = array("Q", [0])
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._parts: list[str] = []
        self._is_said = self._is_aside = False
        self._read = lru_cache(65_536)(self._stored)
        try:
            for _ in xml.pieces(part, self._start, self._end, self._said) if part else ():
                pass
            self._file.flush()
        except BaseException:
            self._file.close()
            raise

    def __getitem__(self, number: int) -> str:
        return self._read(number)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _stored(self, number: int) -> str:
        if not 0 <= number < len(self._ends) - 1:
            raise IndexError(number)
        start, end = self._ends[number : number + 2]
        return os.pread(self._file.fileno(), end - start, start).decode("utf-8", "replace")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._is_aside = self._is_aside or name == "rPh"
        self._is_said = name == "t" and not self._is_aside
        if name == "si":
            self._parts = []

    def _end(self, name: str) -> None:
        self._is_said = False
        if name == "rPh":
            self._is_aside = False
        elif name == "si":
            text = "".join(self._parts).encode("utf-8", "replace")
            self._file.write(text)
            self._ends.append(self._ends[-1] + len(text))

    def _said(self, text: str) -> None:
        if self._is_said:
            self._parts.append(text)


def column_number(letters: str) -> int:
    """Return the number of a column, from 1."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found


def _date_code(id: str, codes: Mapping[str, str]) -> str:
    """Return how a style writes moments, "" where it writes none."""
    code = _QUOTED.sub("", codes.get(id, "")).split(";")[0].lower()
    if code:
        return code if re.search("[dmyhs]", code) and "general" not in code else ""
    return "[h]" if id == "46" else "d" if id.isdecimal() and int(id) in _DATES else ""


class _Parts:
    """Feeds parts of a package to handlers, and tells how much of its sheets was read."""

    def __init__(self, source: Source, sheets: Sequence[str]) -> None:
        self._source = source
        self._members = {each.filename: each for each in Zipped(source.stream).members}
        sizes = [self._members[name].file_size if name in self._members else 0 for name in sheets]
        self._before = dict(zip(sheets, accumulate(sizes, initial=0), strict=False))
        self._size = max(1, sum(sizes))

    def pieces(self, part: str, start: _Start, end: _End, said: _End) -> Iterator[None]:
        """Parse a part, and yield after each piece of it."""

        def started(name: str, attributes: Mapping[str, str]) -> None:
            start(name.rpartition(":")[2], attributes)

        def refused(*_: object) -> None:
            raise FileMalformed("its XML declares entities, which no office program does; leave it out")

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = started, lambda name: end(name.rpartition(":")[2])
        parser.CharacterDataHandler, parser.EntityDeclHandler = said, refused
        done = self._before.get(part)
        try:
            if part in self._members:
                for piece in Zipped(self._source.stream, most=_MOST).pieces(self._members[part]):
                    parser.Parse(piece, False)
                    done = done if done is None else done + len(piece)
                    self._source.watch.reached(min(1.0, (done or 0) / self._size))
                    yield
                parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise FileMalformed(_DAMAGED) from error
        yield
