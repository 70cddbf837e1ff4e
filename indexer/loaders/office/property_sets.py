"""The properties that compound files keep of themselves: strings, dates and numbers by their ids ([MS-OLEPS])."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from quarry.indexer.loaders.titles import keywords, people, title_of

_SHORT, _STRING, _WIDE, _TIME = 2, 30, 31, 64  # types
_CODE_PAGE, _TITLE, _SUBJECT, _AUTHOR, _KEYWORDS, _CREATED, _SAVED = 1, 2, 3, 4, 5, 12, 13
_MOST = 1_000  # properties
_EPOCH, _EARLIEST = datetime(1601, 1, 1, tzinfo=UTC), 1980


def properties(data: bytes) -> tuple[str, dict[str, Any]]:
    """Return the title and what else is known of a document; what of it is damaged is left out."""
    try:
        (start,) = struct.unpack_from("<I", data, 44)
        (count,) = struct.unpack_from("<I", data, start + 4)
        places = [struct.unpack_from("<II", data, start + 8 + 8 * each) for each in range(min(count, _MOST))]
    except struct.error:
        return "", {}
    found = dict[int, str]()
    codec = "cp1252"
    for id, place in sorted(places):
        try:
            value = _value(data, start + place, codec)
        except (struct.error, OverflowError):
            continue
        if id == _CODE_PAGE:
            codec = _codec(value)
        else:
            found[id] = value
    metadata = {
        "author": people(found.get(_AUTHOR, "")),
        "subject": found.get(_SUBJECT, ""),
        "keywords": keywords(found.get(_KEYWORDS, "")),
        "date": found.get(_CREATED, ""),
        "edited": found.get(_SAVED, ""),
    }
    return title_of(found.get(_TITLE, "")), {name: value for name, value in metadata.items() if value}


def _value(data: bytes, at: int, codec: str) -> str:
    """Return a value as a string, "" where it is of another type."""
    (type,) = struct.unpack_from("<I", data, at)
    if type == _SHORT:
        return str(struct.unpack_from("<H", data, at + 4)[0])
    if type == _TIME:
        ticks = struct.unpack_from("<Q", data, at + 4)[0]
        moment = (_EPOCH + timedelta(microseconds=ticks // 10)).replace(microsecond=0)
        return moment.isoformat() if moment.year >= _EARLIEST else ""
    if type not in (_STRING, _WIDE):
        return ""
    (length,) = struct.unpack_from("<I", data, at + 4)
    if type == _WIDE:
        codec, length = "utf-16-le", 2 * length
    return data[at + 8 : at + 8 + length].decode(codec, "replace").partition("\0")[0].strip()


def _codec(number: str) -> str:
    """Name the codec of a code page; Windows' Western one where there is none of that number."""
    name = {"65001": "utf-8", "1200": "utf-16-le"}.get(number, f"cp{number}")
    try:
        "".encode(name)
    except LookupError:
        return "cp1252"
    return name
