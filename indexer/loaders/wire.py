"""What crosses to the confined child and back: frames, so that nothing that is sent can be executed.

A frame is a JSON header, a text in UTF-8 and bytes, after the lengths of the three. The child is told its `ChildLimits`
once, and gets a `Request` for each file; it answers that it is `Ready`, and to a request with what it parsed, one by
one, and an `End` or a `Failure`.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from quarry.indexer.loaders.base import LoadOptions
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, UnsupportedType
from quarry.search.places import Place
from quarry.search.types import Heading, Parsed, Picture, Preprocessing

_LENGTHS = struct.Struct("!III")  # of a frame's header, text and bytes
_ERRORS = {error.__name__: error for error in (UnsupportedType, FileUnreadable, FileMalformed)}


class Garbled(Exception):
    """What came is no message."""


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """The seconds that a document may take, and the bytes of address space that the child may have."""

    timeout: float
    memory: int


@dataclass(frozen=True, slots=True)
class Request:
    """A file to be parsed, by the name that it goes by; "" for its path's own."""

    path: Path
    name: str
    options: LoadOptions


@dataclass(frozen=True, slots=True)
class Ready:
    """The child is confined, and waits for requests."""


@dataclass(frozen=True, slots=True)
class End:
    """A file was parsed to its end.

    Args:
        retire: whether the child has taken so much memory that another should take its place.
    """

    retire: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A file could not be parsed, or not further.

    Args:
        greedy: whether more memory may help.
        retire: as of `End`.
    """

    error: type[LoadError]
    message: str
    greedy: bool = False
    retire: bool = False


Message = ChildLimits | Request | Ready | End | Failure | Parsed


def pack(message: Message) -> list[bytes]:
    """Write a message as the parts of a frame."""
    header: dict[str, Any]
    text = data = b""
    match message:
        case Parsed():
            header = {field.name: getattr(message, field.name) for field in fields(message)}
            text = header.pop("text").encode("utf-8")
            header["metadata"] = dict(message.metadata)
            header["place"] = message.place and message.place.json
            header["headings"] = [(heading.start, heading.level, heading.text) for heading in message.headings]
            header["picture"], data = _packed_picture(message.picture)
        case Request(path, name, options):
            header = {"path": _portable(os.fspath(path)), "name": _portable(name), "options": asdict(options)}
        case Failure(error, said, greedy, retire):
            header = {"error": error.__name__, "message": said, "greedy": greedy, "retire": retire}
        case _:
            header = asdict(message)
    head = json.dumps([type(message).__name__, header], separators=(",", ":")).encode("ascii")
    return [_LENGTHS.pack(len(head), len(text), len(data)) + head, text, data]


def receive(read: Callable[[int], bytes]) -> Message:
    """Read a message.

    Args:
        read: returns as many bytes as are asked for.

    Raises:
        Garbled: what came is none.
    """
    head, text, data = map(read, _LENGTHS.unpack(read(_LENGTHS.size)))
    try:
        kind, header = json.loads(head)
        return _unpack(kind, header, text, data)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Garbled(f"{type(error).__name__}: {error}") from error


def write(descriptor: int, frame: Sequence[bytes]) -> None:
    """Write a whole frame to a pipe."""
    for part in frame:
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def _unpack(kind: str, header: dict[str, Any], text: bytes, data: bytes) -> Message:
    match kind:
        case Parsed.__name__:
            header["headings"] = tuple(Heading(*heading) for heading in header["headings"])
            header["page_starts"] = tuple(header["page_starts"])
            header["place"] = Place.of(header["place"])
            header["picture"] = _picture(header["picture"], data)
            return Parsed(text.decode("utf-8"), **header)
        case Request.__name__:
            return Request(Path(_native(header["path"])), _native(header["name"]), _options(header["options"]))
        case Failure.__name__:
            return Failure(**{**header, "error": _ERRORS.get(header["error"], FileMalformed)})
        case ChildLimits.__name__:
            return ChildLimits(**header)
        case Ready.__name__:
            return Ready(**header)
        case End.__name__:
            return End(**header)
    raise Garbled(f"{kind} is no kind of message")


def _options(values: dict[str, Any]) -> LoadOptions:
    asked = values["preprocessing"] and Preprocessing(**values["preprocessing"])
    return LoadOptions(**{**values, "text_fields": tuple(values["text_fields"]), "preprocessing": asked})


def _packed_picture(picture: Picture | None) -> tuple[Any, bytes]:
    """Take a picture apart: its pixels come first, its thumbnail after them."""
    if picture is None:
        return None, b""
    return [picture.pixels.shape, picture.width, picture.height], picture.pixels.tobytes() + picture.thumbnail


def _picture(header: Any, data: bytes) -> Picture | None:
    """Put a picture together again."""
    if header is None:
        return None
    shape, width, height = header
    if min(shape) < 0:  # NumPy would take it for whatever fits
        raise Garbled(f"a picture can't be of size {shape}")
    count = math.prod(shape)
    pixels = np.frombuffer(data, np.uint8, count).reshape(shape)
    return Picture(pixels, width, height, data[count:])


def _portable(name: str) -> str:
    return os.fsencode(name).decode("latin-1")


def _native(name: str) -> str:
    return os.fsdecode(name.encode("latin-1"))
