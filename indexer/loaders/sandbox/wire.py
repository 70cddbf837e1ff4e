"""What crosses to the confined child and back: frames, so that nothing that is sent can be executed.

A frame is a JSON header, a text in UTF-8 and bytes, after the lengths of the three. The child is told its `ChildLimits`
once, and gets a `Request` for each file; it answers that it is `Ready`, and to a request with what it parsed, one by
one, between these with what it has `Reached` and `Entered`, and with an `End` or a `Failure`.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from quarry.indexer.loaders.base import FROM_START, Listening, LoadOptions, Resumed, Scanning
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, UnsupportedType
from quarry.search.media.base import medium
from quarry.search.types import KINDS, Heading, Json, Parsed, ParsedPart, Preprocessing
from quarry.search.values.places import Place
from quarry.search.values.unread import Recording, Scan

_LENGTHS = struct.Struct("!III")  # of a frame's header, text and bytes
# What reading what is no message raises.
SENSELESS = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)
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
    """A file to be parsed.

    Args:
        name: that it goes by; "" for its path's own.
        resumed: where reading it goes on, after one of its members ended the parser.
        wanted: the keys of items; the files that hold them are wanted then, and no documents. None where they are.
    """

    path: Path
    name: str
    options: LoadOptions
    resumed: Resumed = FROM_START
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file within another, in order.

    Args:
        name: of the file, in its first part; "" where an item is in no file but the outermost.
        key: of the item that is in it.
    """

    name: str
    data: bytes
    key: str = ""
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The child is confined, and waits for requests."""


@dataclass(frozen=True, slots=True)
class Reached:
    """So much of a file was read, 0..1, and the parser goes on: it hangs no more than one that gives documents."""

    share: float


@dataclass(frozen=True, slots=True)
class Entered:
    """A member of the file is read from here on, named and counted from 1; 0 after the last one."""

    number: int
    name: str


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


Message = ChildLimits | Request | Ready | Reached | Entered | End | Failure | Parsed | FilePart
_PLAIN: Mapping[str, Callable[..., Message]] = {kind.__name__: kind for kind in (ChildLimits, Ready, End)}


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
            header["places"] = [(start, place.json) for start, place in message.places]
            header["scan"] = message.scan and message.scan.json
            header["recording"] = message.recording and message.recording.json
            header["headings"] = [(heading.start, heading.level, heading.text) for heading in message.headings]
            header["parts"], data = packed_parts(message.parts)
            header["samples"] = len(message.samples)
            data += message.samples
        case Request(path, name, options, resumed, wanted):
            header = {"path": portable(os.fspath(path)), "name": portable(name), "options": asdict(options)}
            header |= {"resumed": asdict(resumed), "wanted": wanted}
        case FilePart(name, data, key, is_last):
            header = {"name": name, "key": key, "is_last": is_last}
        case Failure(error, said, greedy, retire):
            header = {"error": error.__name__, "message": said, "greedy": greedy, "retire": retire}
        case _:
            header = asdict(message)
    return framed([type(message).__name__, header], text, data)


def framed(header: Json, text: bytes = b"", data: bytes = b"") -> list[bytes]:
    """Write the parts of a frame."""
    head = json.dumps(header, separators=(",", ":")).encode("ascii")
    return [_LENGTHS.pack(len(head), len(text), len(data)) + head, text, data]


def unframed(read: Callable[[int], bytes]) -> tuple[Any, bytes, bytes]:
    """Read a frame, by what returns as many bytes as are asked for; ValueError where its header is no JSON."""
    head, text, data = map(read, _LENGTHS.unpack(read(_LENGTHS.size)))
    return json.loads(head), text, data


def receive(read: Callable[[int], bytes]) -> Message:
    """Read a message.

    Args:
        read: returns as many bytes as are asked for.

    Raises:
        Garbled: what came is none.
    """
    try:
        (kind, header), text, data = unframed(read)
        return _unpack(kind, header, text, data)
    except SENSELESS as error:
        raise Garbled(f"{type(error).__name__}: {error}") from error


def write(descriptor: int, frame: Sequence[bytes]) -> None:
    """Write a whole frame to a pipe."""
    for part in frame:
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def _unpack(kind: str, header: dict[str, Any], text: bytes, data: bytes) -> Message:
    if kind == Parsed.__name__:
        header["headings"] = tuple(Heading(*heading) for heading in header["headings"])
        header["page_starts"] = tuple(header["page_starts"])
        header["place"] = Place.of(header["place"])
        header["places"] = tuple((start, found) for start, place in header["places"] if (found := Place.of(place)))
        header["scan"] = Scan.of(header["scan"])
        header["recording"] = Recording.of(header["recording"])
        end = len(data) - header["samples"]
        header["parts"] = tuple(unpacked_parts(header["parts"], data[:end]))
        header["samples"] = data[end:]
        return Parsed(text.decode("utf-8"), **header)
    if kind == Request.__name__:
        path, name, options = Path(native(header["path"])), native(header["name"]), _options(header["options"])
        after, noted = header["resumed"]["after"], header["resumed"]["noted"]
        resumed = Resumed(after, tuple((member, why) for member, why in noted))
        return Request(path, name, options, resumed, tuple(header["wanted"]))
    if kind == FilePart.__name__:
        return FilePart(str(header["name"]), data, str(header["key"]), bool(header["is_last"]))
    if kind == Failure.__name__:
        return Failure(**{**header, "error": _ERRORS.get(header["error"], FileMalformed)})
    if kind == Reached.__name__:
        return Reached(**{**header, "share": float(header["share"])})
    if kind == Entered.__name__:
        return Entered(**{**header, "number": int(header["number"])})
    if kind in _PLAIN:
        return _PLAIN[kind](**header)
    raise Garbled(f"{kind} is no kind of message")


def _options(values: dict[str, Any]) -> LoadOptions:
    asked = values["preprocessing"] and Preprocessing(**values["preprocessing"])
    scans = values["scans"] and Scanning(**{**values["scans"], "pages": tuple(values["scans"]["pages"])})
    heard = values["listening"] and Listening(values["listening"]["model"], tuple(values["listening"]["parts"]))
    lists = {"text_fields": tuple(values["text_fields"]), "preprocessing": asked, "scans": scans, "listening": heard}
    return LoadOptions(**{**values, **lists})


def packed_parts(parts: Sequence[ParsedPart]) -> tuple[list[Any], bytes]:
    """Write parts as their media do: a header of each, with how many of the bytes are its own."""
    headers, every = [], list[bytes]()
    for part in parts:
        header, data = medium(part.medium).packed(part.thing)
        headers.append([part.medium, part.place and part.place.json, header, len(data)])
        every.append(data)
    return headers, b"".join(every)


def unpacked_parts(headers: Sequence[Any], data: bytes) -> Iterator[ParsedPart]:
    """Read parts, by what `packed_parts` says of them; Garbled where that can't be."""
    start = 0
    for name, place, header, length in headers:
        if name not in KINDS:  # no other module is imported by what the child says
            raise Garbled(f"{name} is no medium")
        end = start + length
        yield ParsedPart(name, medium(name).unpacked(header, data[start:end]), Place.of(place))
        start = end


def portable(name: str) -> str:
    """Return a file's name as JSON can hold it, whatever its bytes."""
    return os.fsencode(name).decode("latin-1")


def native(name: str) -> str:
    """Return the name that `portable` wrote."""
    return os.fsdecode(name.encode("latin-1"))
