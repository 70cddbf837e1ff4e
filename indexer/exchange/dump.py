"""Documents as rows that any program reads: what `quarry export` writes and `quarry import` takes.

| column | what |
| --- | --- |
| `id`, `uri` | as in the library; a row without either gets an id from its content |
| `kind` | `text` or `image` |
| `type` | media type, such as `text/markdown` |
| `title` | what it is called |
| `own_title` | the title that its content gives, which is embedded with each passage; null where it gives none |
| `metadata` | what filters use, flat JSON; in Parquet a JSON text |
| `modified`, `indexed` | ISO 8601, UTC; the latter is not taken |
| `text` | all of it; of a picture what is said about it |
| `pages` | offsets at which the pages after the first begin, with 0 before them; empty where there are none |
| `headings` | `start`, `level` and `text` of each |
| `passages` | with vectors: `start`, `end`, `page`, `heading`, the `key` of what was embedded, and its `vector` |
| `text_model` | with vectors: the identity of the model that made them |
| `thumbnail` | of a picture: a JPEG, in JSON as base64 |
| `picture_key`, `picture_vector`, `image_model` | of a picture, with vectors |
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from quarry.indexer.prepared import checked_metadata
from quarry.indexer.uploads import MAX_TEXT, check_id, clean
from quarry.search.errors import InvalidRequest
from quarry.search.queries import arguments
from quarry.search.types import KINDS, Heading, Parsed, Vectors

LARGEST_THUMBNAIL = 1 << 20  # bytes
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class Given:
    """A row that was read, checked as what a stranger says.

    Args:
        parsed: the document as its loader gave it; `own_title` is its title.
        vectors: of passages by the key of what was embedded, made by `text_model`.
        picture_vector: made by `image_model`.
    """

    id: str
    uri: str
    kind: str
    title: str
    modified: str | None
    parsed: Parsed
    text_model: str = ""
    vectors: Mapping[bytes, Vectors] = field(default_factory=dict)
    thumbnail: bytes = b""
    picture_key: bytes = b""
    image_model: str = ""
    picture_vector: Vectors | None = None


def read_row(row: Any, where: str) -> Given:
    """Check a row, in which columns that are missing or null say nothing.

    Raises:
        InvalidRequest: names the row and the column.
    """
    row = {name: value for name, value in arguments.mapping(row, "it").items() if value is not None}
    kind = _text(row, "kind", where) or "text"
    if kind not in KINDS:
        raise InvalidRequest(f"{where}: kind is {kind!r}; it can be {' or '.join(KINDS)}.")
    text = _text(row, "text", where)
    if len(text) > MAX_TEXT:
        raise InvalidRequest(f"{where}: text has {len(text):,} characters; at most {MAX_TEXT:,} are taken.")
    if kind == "text" and not text.strip():
        raise InvalidRequest(f"{where}: text is empty.")
    metadata = row.get("metadata", {})
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"{where}: metadata is no JSON object.") from error
    metadata = checked_metadata(metadata, where)
    uri = _text(row, "uri", where).strip()
    id = _text(row, "id", where)
    if not id:
        known = json.dumps([uri or [text, metadata]], sort_keys=True)
        id = hashlib.blake2b(known.encode(), digest_size=8).hexdigest()
    check_id(id, f"{where}: id")
    title = _line(row, "title", where)
    own = _line(row, "own_title" if "own_title" in row or "kind" in row else "title", where)  # one of another program's
    thumbnail = _bytes(row, "thumbnail", where)
    if thumbnail and (len(thumbnail) > LARGEST_THUMBNAIL or not thumbnail.startswith(_JPEG)):
        raise InvalidRequest(f"{where}: thumbnail is no small JPEG.")
    return Given(
        id,
        uri or f"quarry:{id}",
        kind,
        title or text[:80].split("\n", 1)[0],
        _moment(row, where),
        Parsed(
            text,
            _text(row, "type", where) or ("text/plain" if kind == "text" else "image/jpeg"),
            title=own,
            metadata=metadata,
            page_starts=_pages(row, len(text), where),
            headings=_headings(row, len(text), where),
        ),
        _text(row, "text_model", where),
        _vectors(row, where),
        thumbnail,
        _key(row.get("picture_key", ""), f"{where}: picture_key"),
        _text(row, "image_model", where),
        _vector(row["picture_vector"], f"{where}: picture_vector") if "picture_vector" in row else None,
    )


def numbers(vector: bytes) -> list[float]:
    """Return a stored vector as numbers, each as short as gives the same value in float16 again."""
    return [float(str(value)) for value in np.frombuffer(vector, "<f2")]


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    return clean(row.get(name, ""), f"{where}: {name}")


def _line(row: Mapping[str, Any], name: str, where: str) -> str:
    text = _text(row, name, where)
    return " ".join(text.split()) if any(sign in text for sign in "\n\r\t") else text


def _bytes(row: Mapping[str, Any], name: str, where: str) -> bytes:
    value = row.get(name, b"")
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidRequest(f"{where}: {name} is no base64.") from error
    if not isinstance(value, bytes):
        raise InvalidRequest(f"{where}: {name} is no base64.")
    return value


def _key(value: Any, where: str) -> bytes:
    try:
        key = bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"{where} is no key of 16 bytes in hexadecimal.") from error
    if len(key) not in (0, 16):
        raise InvalidRequest(f"{where} is no key of 16 bytes in hexadecimal.")
    return key


def _moment(row: Mapping[str, Any], where: str) -> str | None:
    value = _text(row, "modified", where)
    if not value:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{where}: modified is {value!r}; write it as 2026-01-31T12:00:00+00:00.") from error


def _pages(row: Mapping[str, Any], length: int, where: str) -> tuple[int, ...]:
    pages = _integers(row.get("pages", []), f"{where}: pages")
    if pages and (pages[0] != 0 or list(pages) != sorted(pages) or pages[-1] > length):
        raise InvalidRequest(f"{where}: pages must begin with 0 and go up to the end of the text.")
    return pages


def _headings(row: Mapping[str, Any], length: int, where: str) -> tuple[Heading, ...]:
    headings: list[Heading] = []
    for one in _list(row.get("headings", []), f"{where}: headings"):
        said = arguments.mapping(one, f"{where}: headings")
        start, level = _integers([said.get("start"), said.get("level")], f"{where}: headings")
        before = headings[-1].start if headings else 0
        if not before <= start <= length or not 1 <= level <= 6:
            raise InvalidRequest(f"{where}: headings must go up, within the text, with levels of 1 to 6.")
        headings.append(Heading(start, level, _text(said, "text", f"{where}: headings")))
    return tuple(headings)


def _vectors(row: Mapping[str, Any], where: str) -> dict[bytes, Vectors]:
    found = {}
    for one in _list(row.get("passages", []), f"{where}: passages"):
        said = arguments.mapping(one, f"{where}: passages")
        if said.get("vector") is not None and (key := _key(said.get("key"), f"{where}: key")):
            found[key] = _vector(said["vector"], f"{where}: vector")
    return found


def _vector(value: Any, where: str) -> Vectors:
    try:
        vector = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"{where} is no list of numbers.") from error
    if vector.ndim != 1:
        raise InvalidRequest(f"{where} is no list of numbers.")
    return vector


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRequest(f"{where} is no list.")
    return value


def _integers(value: Any, where: str) -> tuple[int, ...]:
    return tuple(arguments.whole(one, where) for one in _list(value, where))
