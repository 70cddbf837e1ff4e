"""CSV and TSV: a document per row, read as a stream."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TextIO

from indexer.loaders.base import Source
from indexer.loaders.decoding import one_line, reading
from indexer.loaders.fields import Rows, number
from search.errors import FileMalformed
from search.types import Parsed

MAX_CELL = 64 * 1024 * 1024  # characters; a quote that is never closed takes the rest of the file into one cell
_SAMPLE = 64 * 1024
_DELIMITERS = ",;\t|"


def parse(source: Source) -> Iterator[Parsed]:
    """Read a document per row; the first row names the columns unless it holds numbers."""
    with reading(source.stream, newline="") as text:
        sample = text.read(_SAMPLE)
        text.seek(0)
        yield from _documents(source, _records(text, _delimiter(sample, source.format.type)))


def _documents(source: Source, records: Iterator[list[str]]) -> Iterator[Parsed]:
    rows = Rows(source.options, source.format.type)
    names: list[str] = []
    count = 0
    for cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if not names and _is_header(cells):
            names = _unique([one_line(cell, 200) for cell in cells])
            continue
        names.extend(f"column {place}" for place in range(len(names) + 1, len(cells) + 1))
        count += 1
        record = {name: number(cell.strip()) for name, cell in zip(names, cells, strict=False) if cell.strip()}
        if (parsed := rows.document(record, count)) is not None:
            yield parsed


def _records(text: TextIO, delimiter: str) -> Iterator[list[str]]:
    before = csv.field_size_limit(MAX_CELL)
    try:
        yield from csv.reader(text, delimiter=delimiter, skipinitialspace=True)
    except csv.Error as error:
        raise FileMalformed(
            f"its rows can't be told apart ({error}); look for a quotation mark that is never closed"
        ) from error
    finally:
        csv.field_size_limit(before)


def _delimiter(sample: str, type: str) -> str:
    """Choose what cuts the first rows into the same number of columns, more than one, most often."""
    usual = "\t" if type == "text/tab-separated-values" else ","

    def score(delimiter: str) -> tuple[float, int, bool]:
        widths = []
        try:
            for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True):
                widths += [len(cells)] if cells else []
                if len(widths) == 50:
                    break
        except csv.Error:
            pass  # the sample may end, or a cell be longer than the limit: what was read so far tells enough
        if not widths or widths[0] < 2:
            return (0.0, 0, delimiter == usual)
        agree = sum(width == widths[0] for width in widths) / len(widths)
        return (round(agree, 1), widths[0] if delimiter != usual else 1_000, delimiter == usual)

    return max(_DELIMITERS, key=score)


def _is_header(cells: Sequence[str]) -> bool:
    """Whether no cell is a number; a whole number that could be a year may name a column."""
    values = [number(cell.strip()) for cell in cells]
    return not any(
        isinstance(value, float) or (isinstance(value, int) and not 1000 <= value <= 2999) for value in values
    )


def _unique(names: list[str]) -> list[str]:
    found: list[str] = []
    for place, name in enumerate(names, 1):
        found.append(name if name and name not in found else f"{name or 'column'} {place}")
    return found
