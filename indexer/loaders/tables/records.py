"""JSON and JSON Lines: a document per object."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any, TextIO

from quarry.indexer.loaders.base import MEBIBYTE, Source, check_size
from quarry.indexer.loaders.decoding import clean, decode, reading
from quarry.indexer.loaders.fields import Rows, WrittenNumber, integer
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from quarry.search.values.places import Place

MAX_LINE = 64 * MEBIBYTE  # characters of one row of JSON Lines
_JSONL = "application/jsonl"
_LARGE = 16 * MEBIBYTE  # bytes, from which on the objects of an array are not held at once
_LARGEST = 64 * MEBIBYTE  # bytes of JSON that is no array, which takes up to ten times as much
_MOST_VALUES = 3_000_000
_BLOCK = 1 << 18  # characters
_WHITE = re.compile(r"[ \t\r\n]*")


# NaN and Infinity are no JSON: they become words
_DECODER = json.JSONDecoder(parse_constant=str, parse_float=WrittenNumber, parse_int=integer)


def parse(source: Source) -> Iterator[Parsed]:
    """Read a document per object of an array or per line; any other JSON is one text."""
    if source.format.type == _JSONL:
        yield from _lines(source)
        return
    if os.fstat(source.stream.fileno()).st_size > _LARGE and (yield from _streamed(source)):
        return
    check_size(source.stream, _LARGEST)
    data = source.read()
    if data.count(b",") > _MOST_VALUES:
        raise FileMalformed(f"it is one piece of JSON with more than {_MOST_VALUES:,} values; make it JSON Lines")
    text = decode(data).strip().lstrip("\ufeff")
    del data
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


def _streamed(source: Source) -> Generator[Parsed, None, bool]:
    """Read a large array of objects one after the other; return whether it is one, and was read."""
    with reading(source.stream) as text:
        values = iter(_Elements(text))
        first = next(values, None)
        if not isinstance(first, dict):
            return False
        rows = Rows(source.options, source.format.type)
        for number, value in enumerate(chain([first], values), 1):
            document = rows.document(value, number) if isinstance(value, dict) else _text(value, number)
            if document is not None:
                yield document
            source.watch.reached(source.stream.tell() / os.fstat(source.stream.fileno()).st_size)
    return True


class _Elements:
    """The elements of an array, decoded as they are read; none where it is no array.

    Raises:
        FileMalformed: it is no valid JSON from some element on.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._held, self._at = text.read(_BLOCK).lstrip("\ufeff"), 0

    def __iter__(self) -> Iterator[Any]:
        count = 0
        if self._sign() == "[" and self._sign() not in ("]", ""):
            self._at -= 1
            after = ","
            while after == ",":
                yield self._value(count)
                count += 1
                after = self._sign()
            if after != "]":
                raise FileMalformed(f"it is no valid JSON after {count:,} elements")

    def _value(self, count: int) -> Any:
        self._skip()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._held, self._at)
            except ValueError as error:
                if self._more():
                    continue
                why = getattr(error, "msg", error)
                raise FileMalformed(f"it is no valid JSON after {count:,} elements: {why}") from error
            if end < len(self._held) or not self._more():  # else a number may go on
                self._at = end
                return value

    def _sign(self) -> str:
        """Take the next sign, "" at the end."""
        self._skip()
        found = self._held[self._at : self._at + 1]
        self._at += len(found)
        return found

    def _skip(self) -> None:
        while (place := _WHITE.match(self._held, self._at)) and (at := place.end()) == len(self._held):
            self._at = at
            if not self._more():
                return
        self._at = place.end() if place else self._at

    def _more(self) -> bool:
        left = len(self._held) - self._at
        piece = self._text.read(max(_BLOCK, left)) if left < MAX_LINE else ""
        if piece:
            self._held, self._at = self._held[self._at :] + piece, 0
        return bool(piece)


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
    return _DECODER.decode(text)


def _text(value: Any, number: int) -> Parsed | None:
    if value in (None, "", []):
        return None
    text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if not text:
        return None
    return Parsed(text, _JSONL, key=f"row={number}", place=Place(rows=(number, number)))
