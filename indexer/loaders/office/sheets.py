"""Workbooks of Excel and OpenDocument: a document per row where a sheet is a table, else one of the whole sheet.

A row that is no table's stands on a line of its own, its cells between bars; each passage knows its range of cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import count, islice
from pathlib import PurePosixPath
from typing import IO, Any
from xml.parsers import expat

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import MEBIBYTE, UNWATCHED, Listener, Source
from quarry.indexer.loaders.fields import Rows, number
from quarry.indexer.loaders.office import compound, opendocument_meta
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.office.large_sheets import LargeWorkbook, Value, column_number
from quarry.indexer.loaders.office.sheet_notes import Notes, column, notes
from quarry.indexer.loaders.office.sheet_pictures import pictures
from quarry.indexer.loaders.tables.shape import Shape, find_shape
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from quarry.search.values.places import Place

_LARGE = 500_000  # cells of a workbook, from which on it is read in rows: calamine takes 100 bytes for each
_MOST_CELLS = 24_000_000  # of the rectangle around all that a sheet holds, empty ones among them
_MOST_INFLATED = 1024 * MEBIBYTE
_SHAPED = 2_000  # rows that tell what a sheet is
_EXAMINED = 50  # of them that tell whether it is a table
_BLOCK = 500  # rows of a sheet that are one document
_COLUMN = re.compile(rb' r="([A-Z]{1,3})[0-9]')
_NO_COLUMN = 1 << 20
_ROW = re.compile(rb'<row[^>]*? r="([0-9]{1,7})"')
_NOWHERE = re.compile(rb' r="[A-Z]{0,3}[0-9]{8,}"')  # beyond the last row that a sheet can have


def parse(source: Source) -> Iterator[Parsed]:
    """Read the sheets of a workbook.

    Raises:
        FileMalformed: it is encrypted or damaged, or its cells are scattered too widely.
    """
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    large = check(source.stream, source.watch)
    try:
        with LargeWorkbook(source, large) if large else CalamineWorkbook.from_filelike(source.stream) as workbook:
            found = notes(source)
            names = workbook.sheet_names
            for name in names:
                sheet = workbook.get_sheet_by_name(name)
                yield from _Sheet(source, name, len(names) > 1, (sheet.start or (0, 0))[1], found).documents(sheet)
        yield from pictures(source).documents(found.title, found.metadata)
    except PasswordError as error:
        raise FileMalformed(compound.ENCRYPTED) from error
    except CalamineError as error:
        raise FileMalformed(f"it is damaged, its sheets can't be read ({error}); save it again") from error
    except FileMalformed:
        raise
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of Rust, which is no Exception
            raise FileMalformed("it is damaged, its sheets can't be read; save it again") from error
        raise


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet that is read.

    Args:
        several: whether the workbook has others, so that what it gives is named after it.
        left: its first column, from 0.
    """

    source: Source
    name: str
    several: bool
    left: int
    notes: Notes

    def documents(self, sheet: Any) -> Iterator[Parsed]:
        """Yield what it holds."""
        head = list(islice(self.rows(sheet), _SHAPED))
        if head:
            shape = find_shape(iter([cells for _, cells in head]), "|")
            below = [cells for _, cells in head[shape.first : shape.first + _EXAMINED]]
            documents = self.table(sheet, shape, head) if _is_table(shape, below) else self.text(sheet)
            yield from documents
        yield from self.beside()

    def rows(self, sheet: Any) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that are not empty, with their numbers, from 1."""
        for place, values in enumerate(sheet.iter_rows(), 1):  # it begins with the first row, not with the first cell
            cells = [_text(value) for value in values]
            if any(cells):
                yield place, cells

    def table(self, sheet: Any, shape: Shape, head: Sequence[tuple[int, list[str]]]) -> Iterator[Parsed]:
        """Yield a document for each row, as a table that is read from CSV gives them."""
        flow = Flow()
        for place, cells in head[: shape.first - 1]:
            flow.add(" | ".join(filter(None, cells)), close=True, place=self.place(place, place, len(cells)))
        yield from self.gathered(flow, "preamble")
        made = Rows(self.source.options, self.source.format.type)
        names = list(shape.names)
        for place, cells in islice(self.rows(sheet), shape.first, None):
            names.extend(f"column {each}" for each in range(len(names) + 1, len(cells) + 1))
            record = {
                name: number(cell) if shape.is_numeric(each) else cell
                for each, (name, cell) in enumerate(zip(names, cells, strict=False))
                if cell
            }
            if (parsed := made.document(record, place)) is not None:
                where = self.place(place, place, len(cells)) if parsed.place else None
                metadata = {**self.whose(), **({"sheet": self.name} if self.several else {}), **parsed.metadata}
                yield replace(parsed, key=self.key(parsed.key), place=where, metadata=metadata)

    def text(self, sheet: Any) -> Iterator[Parsed]:
        """Yield the whole sheet as text; a long one in several documents."""
        rows = self.rows(sheet)
        for part in count():
            block = list(islice(rows, _BLOCK))
            if not block:
                return
            used = [any(cells[each] for _, cells in block if each < len(cells)) for each in range(len(block[0][1]))]
            flow = Flow()
            before = 0
            for place, cells in block:
                kept = [cell for cell, is_used in zip(cells, used, strict=False) if is_used]
                line = " | ".join(" ".join(cell.split()) for cell in kept).rstrip(" |")
                flow.add(line, close=place == before + 1, place=self.place(place, place, len(cells)))
                before = place
            yield from self.gathered(flow, f"{block[0][0]}" if part else "")

    def gathered(self, flow: Flow, key: str) -> Iterator[Parsed]:
        """Yield what was gathered, called after the workbook and the sheet."""
        title, metadata = self.notes.title, dict(self.notes.metadata)
        if self.several:
            title, metadata["sheet"] = f"{title}: {self.name}" if title else self.name, self.name
        if len(flow):
            yield from flow.parsed(self.source.format.type, title, metadata, self.key(key))

    def beside(self) -> Iterator[Parsed]:
        """Yield what is no cell: comments, and texts that are drawn on the sheet."""
        flow = Flow()
        for cell, text in self.notes.of(self.name):
            flow.add(text, place=Place(cells=f"{self.name}!{cell}") if cell else None)
        yield from self.gathered(flow, "notes")

    def whose(self) -> dict[str, Any]:
        """Return what a row has of its workbook, where it says nothing else itself."""
        return {name: value for name, value in self.notes.metadata.items() if name in ("author", "date", "edited")}

    def key(self, key: str) -> str:
        """Return the name of an item within the file."""
        return "!".join(filter(None, [self.name if self.several else "", key]))

    def place(self, first: int, last: int, width: int) -> Place:
        """Return the place of whole rows."""
        left, right = column(self.left), column(self.left + width - 1)
        return Place(cells=f"{self.name}!{left}{first}:{right}{last}")


def _is_table(shape: Shape, rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows below names hold values in most of the columns."""
    filled = sum(1 for cells in rows for cell in cells if cell)
    named = sum(1 for name in shape.names if not re.fullmatch(r"column \d+", name))
    has_names = named > 1 and 5 * named >= 4 * len(shape.names)
    return has_names and len(rows) > 1 and 2 * filled >= len(rows) * len(shape.names)


def _text(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
        case datetime():
            return (value.date() if value.time() == time() else value.replace(microsecond=0)).isoformat()
        case date() | time():
            return value.isoformat()
    return str(value).strip()


def check(stream: IO[bytes], watch: Listener = UNWATCHED) -> dict[str, int]:
    """Make sure that a workbook is no bomb and not encrypted: what reads it trusts it.

    Returns the first column, from 0, of each sheet, by its part, where they are too large to be read at once.

    Raises:
        FileMalformed: it is.
    """
    lefts: dict[str, int] = {}
    every, scattered = 0, ""
    stream.seek(0)
    if stream.read(8) == compound.MAGIC:
        with compound.opened(stream) as file:
            if "Workbook" not in file and "Book" not in file:
                raise FileMalformed("it is an old office document, but no workbook; give it the suffix of its own type")
    else:
        members = Zipped(stream, most=_MOST_INFLATED)
        opendocument_meta.check(members)
        for member in members.members:
            if PurePosixPath(member.filename).suffix not in (".xml", ".bin", ".rels"):
                continue
            widest, last, stored, left = 0, 0, 0, _NO_COLUMN
            is_xml = member.filename.endswith(".xml")
            table = _WellFormed() if member.filename == "content.xml" else None
            for piece in members.pieces(member):
                watch.reached(0.0)
                if table:
                    table.feed(piece)
                if member.filename.startswith("xl/worksheets/"):
                    columns = [column_number(name.decode()) for name in set(_COLUMN.findall(piece))]
                    widest, left = max([widest, *columns]), min([left, *columns])
                    if _NOWHERE.search(piece):
                        raise FileMalformed("it is damaged, cells stand outside of their sheet; save it again")
                    stored += piece.count(b"<c ")
                    last = max([last, *map(int, set(_ROW.findall(piece)))])
            if is_xml and stored:
                lefts[member.filename] = left - 1 if left < _NO_COLUMN else 0
                every += stored
            if widest * last > _MOST_CELLS:
                scattered = (
                    f"a sheet's cells are scattered over {last:,} rows and {widest:,} columns; move them together"
                )
            if table:
                table.feed(b"", is_last=True)
    stream.seek(0)
    if every > _LARGE:
        return lefts
    if scattered:
        raise FileMalformed(scattered)
    return {}


class _WellFormed:
    """Makes sure that XML ends: where a table doesn't, calamine looks for its end for ever."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()

    def feed(self, piece: bytes, *, is_last: bool = False) -> None:
        """Take the next piece.

        Raises:
            FileMalformed: it is no XML.
        """
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            raise FileMalformed(f"it is damaged, its sheets can't be read ({error}); save it again") from error


def _column(letters: bytes) -> int:
    found = 0
    for letter in letters:
        found = found * 26 + letter - 64
    return found
