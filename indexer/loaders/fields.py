"""A row or object of named fields becomes a document: which fields are its text, its title, its name, its metadata."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Self

from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.decoding import clean, one_line
from quarry.search.types import Parsed
from quarry.search.values.places import Place

MAX_VALUE = 1_000  # characters; a longer string is text, not metadata
MAX_DEPTH = 16
_TEXT = (
    "text body content contents abstract summary description passage article message question answer answers comment "
    "review transcript lyrics plot caption 본문 내용 설명 本文 内容"
)
_TITLE = "title headline name subject label 제목 이름 タイトル 標題 标题"
_TEXT_NAMES, _TITLE_NAMES = frozenset(_TEXT.split()), tuple(_TITLE.split())
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_MAX_INT = 2**63


class WrittenNumber(float):
    """A number of JSON that is shown as it is written: 3.10 stays 3.10, and 1e999 does not become infinite."""

    _text: str

    def __new__(cls, text: str) -> Self:
        """Read a number."""
        made = super().__new__(cls, text)
        made._text = text
        return made

    def __str__(self) -> str:
        return self._text


class Rows:
    """Makes documents of the rows of one file.

    A row is named by its id (`id=...`), or where it has none, or one that an earlier row had, by its number (`row=3`,
    counted from 1). Where no field is known to be the text, every field is, as lines of "name: value". Fields that are
    not the text are its metadata, its title and id among them: a filter can name each by its own name.
    """

    def __init__(self, options: LoadOptions, type: str) -> None:
        self._options = options
        self._type = type
        self._seen: set[int] = set()  # hashes, since ids of a million rows would not be small

    def document(self, record: Mapping[str, Any], number: int = 0) -> Parsed | None:
        """Make a document, None of a row without words. A `number` of 0 means that the record is the whole file."""
        fields = flatten(record)
        used = self._text_names(fields)
        title_name = self._title_name(fields, used)
        id_name = self._id_name(fields)
        title = one_line(_string(fields[title_name])) if title_name else ""
        text = "\n\n".join(part for name in used if (part := clean(_string(fields[name]))))
        if text:
            rest = {name: value for name, value in fields.items() if name not in used}
            long = [name for name, value in rest.items() if isinstance(value, str) and len(value) > MAX_VALUE]
            text = "\n\n".join([text, *(f"{name}: {clean(rest[name])}" for name in long)])
        else:
            rest = fields
            lines = (f"{name}: {clean(_string(value))}" for name, value in fields.items() if name != id_name)
            text = "\n".join(line for line in lines if not line.endswith(": "))
        text = clean(text)
        if not text and not title:
            return None
        key = f"row={number}" if number else ""
        place = Place(rows=(number, number)) if number else None
        if id_name:
            identity = one_line(_string(fields[id_name]))
            if number and hash(identity) not in self._seen:
                self._seen.add(hash(identity))
                key, place = f"id={identity}", None  # it stays what it is where rows before it come and go
        return Parsed(text or title, self._type, title, key, scalars(rest), place)

    def _text_names(self, fields: Mapping[str, Any]) -> tuple[str, ...]:
        chosen = tuple(name for name in self._options.text_fields if fields.get(name) not in (None, ""))
        return chosen or tuple(name for name, value in fields.items() if name.lower() in _TEXT_NAMES and _wordy(value))

    def _title_name(self, fields: Mapping[str, Any], used: tuple[str, ...]) -> str:
        wanted = self._options.title_field
        if wanted and fields.get(wanted) not in (None, ""):
            return wanted
        lower = {name.lower(): name for name, value in fields.items() if isinstance(value, str) and value.strip()}
        return next((lower[name] for name in _TITLE_NAMES if name in lower and lower[name] not in used), "")

    def _id_name(self, fields: Mapping[str, Any]) -> str:
        for name in (self._options.id_field, "id", "_id"):
            if name and isinstance(value := fields.get(name), str | int) and _string(value).strip():
                return name
        return ""


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """Bring nested objects to one level, with names such as `author.name`; lists of objects become JSON text."""
    flat: dict[str, Any] = {}
    for name, value in _walk(record, "", MAX_DEPTH):
        flat.setdefault(name, value)
    return flat


def scalars(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what filters can use: strings, finite 64-bit numbers, booleans, dates as ISO 8601, and lists of these."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, list | tuple | set | frozenset):
            items = [scalar for item in value if (scalar := _scalar(item)) is not None]
            if items:
                kept[name] = items
        elif (scalar := _scalar(value)) is not None:
            kept[name] = scalar
    return kept


def number(text: str) -> str | int | float:
    """Read what is a number and would be printed as it is written; 0815, +49301, 12E3, 3.10 and 1_000 stay text."""
    if len(text) > 40 or not _NUMBER.fullmatch(text):
        return text
    value = float(text) if "." in text else int(text)
    return value if str(value) == text and -_MAX_INT <= value < _MAX_INT else text


def integer(text: str) -> int | str:
    """Read a whole number of JSON; one of thousands of digits, which Python refuses to read, stays text."""
    return int(text) if len(text) <= MAX_VALUE else text


def _walk(record: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        name = prefix + one_line(str(key), 200)
        if isinstance(value, Mapping) and value:
            if depth:
                yield from _walk(value, f"{name}.", depth - 1)
            else:
                yield name, json.dumps(value, ensure_ascii=False, default=str)
        elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            yield name, json.dumps(value, ensure_ascii=False, default=str)
        else:
            yield name, value


def _scalar(value: Any) -> str | int | float | bool | None:
    match value:
        case bool():
            return value
        case int():
            return value if -_MAX_INT <= value < _MAX_INT else str(value)[:MAX_VALUE]
        case float():
            return float(value) if math.isfinite(value) else str(value)[:MAX_VALUE]
        case str():
            return text if len(value) <= MAX_VALUE and (text := clean(value)) else None
        case datetime() | date():
            return value.isoformat()
    return None


def _string(value: Any) -> str:
    match value:
        case None:
            return ""
        case dict():
            return ""  # an empty one: others are flat by now
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(_string(item) for item in value)
    return str(value)


def _wordy(value: Any) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or (
        isinstance(value, list) and any(isinstance(item, str) and item.strip() for item in value)
    )
