"""CSV and TSV: a document per row, read as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, reading
from quarry.indexer.loaders.fields import Rows, number
from quarry.indexer.loaders.tables.shape import SAMPLE, Shape, find_dialect, find_shape, records
from quarry.search.types import Parsed


def parse(source: Source) -> Iterator[Parsed]:
    """Read a document per row; the first row names the columns unless it holds values.

    What stands above the table, such as its title or comments, is a document of its own.
    """
    with reading(source.stream, newline="") as text:
        dialect = find_dialect(text.read(SAMPLE), source.format.type)
        text.seek(0)
        shape = find_shape(records(text, dialect), dialect.delimiter)
        text.seek(0)
        yield from _documents(source, records(text, dialect), shape)


def _documents(source: Source, rows: Iterator[list[str]], shape: Shape) -> Iterator[Parsed]:
    made = Rows(source.options, source.format.type)
    if said := clean("\n".join(shape.before)):
        yield Parsed(said, source.format.type, key="preamble")
    names = list(shape.names)
    for count, cells in enumerate(islice(rows, shape.first, None), 1):
        names.extend(f"column {place}" for place in range(len(names) + 1, len(cells) + 1))
        record = {
            name: number(value) if shape.is_numeric(place) else value
            for place, (name, cell) in enumerate(zip(names, cells, strict=False))
            if (value := cell.strip())
        }
        if (parsed := made.document(record, count)) is not None:
            yield parsed
