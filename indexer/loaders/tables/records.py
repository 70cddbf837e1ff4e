"""JSON and JSON Lines: a document per object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from quarry.indexer.loaders.base import MEBIBYTE, Source
from quarry.indexer.loaders.decoding import clean, decode, reading
from quarry.indexer.loaders.fields import Rows, WrittenNumber, integer
from quarry.search.errors import FileMalformed
from quarry.search.places import Place
from quarry.search.types import Parsed

MAX_LINE = 64 * MEBIBYTE  # characters of one row of JSON Lines
_JSONL = "application/jsonl"


def parse(source: Source) -> Iterator[Parsed]:
    """Read a document per object of an array or per line; any other JSON is one text."""
    if source.format.type == _JSONL:
        yield from _lines(source)
        return
    text = decode(source.read()).strip().lstrip("\ufeff")
    if not text:
        return
    try:
        value = _loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text[: error.pos + 1]:  # JSON Lines under the name of JSON
            yield from _lines(source)
            return
        raise FileMalformed(f"it is no valid JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        raise FileMalformed(f"it is no valid JSON: {error}") from error
    rows = Rows(source.options, source.format.type)
    documents: Iterable[Parsed | None]
    if isinstance(value, dict):
        documents = [rows.document(value)]
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        documents = (rows.document(item, place) for place, item in enumerate(value, 1))
    else:
        documents = [Parsed(clean(text), source.format.type)] if value not in (None, "", []) else []
    yield from (document for document in documents if document is not None)


def _lines(source: Source) -> Iterator[Parsed]:
    with reading(source.stream) as text:
        yield from _documents(text, Rows(source.options, _JSONL))


def _documents(text: TextIO, rows: Rows) -> Iterator[Parsed]:
    """Read every line that can be read, then say which could not."""
    count = wrong = 0
    first = ""
    while line := text.readline(MAX_LINE):
        if not line.strip():
            continue
        count += 1
        try:
            if len(line) >= MAX_LINE:
                raise ValueError(f"longer than {MAX_LINE // MEBIBYTE} Mi characters")
            value = _loads(line.strip())
            named = isinstance(value, dict)
            document = rows.document(value, count) if named else _text(value, count)
        except (ValueError, RecursionError) as error:
            wrong += 1
            first = first or f"row {count}: {getattr(error, 'msg', error)}"
            continue
        if document is not None:
            yield document
    if wrong:
        raise FileMalformed(f"{wrong} of its {count} rows are no valid JSON and were left out ({first})")


def _loads(text: str) -> Any:
    # NaN and Infinity are no JSON: they become words
    return json.loads(text, parse_constant=str, parse_float=WrittenNumber, parse_int=integer)


def _text(value: Any, number: int) -> Parsed | None:
    if value in (None, "", []):
        return None
    text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if not text:
        return None
    return Parsed(text, _JSONL, key=f"row={number}", place=Place(rows=(number, number)))
