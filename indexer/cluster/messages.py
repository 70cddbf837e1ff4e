"""What crosses to a worker and back: frames of the confined child's kind, so that nothing of it can be executed.

A job says first of which version it is, and for which models. A worker answers in blocks: what came of each file, by
its number, as the child says it, and beside each document its passages; or with the vectors; or with why it refuses.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from quarry.indexer.embedding.checked import Embedded
from quarry.indexer.formats import installed
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.sandbox.wire import (
    SENSELESS,
    End,
    Failure,
    Garbled,
    Reached,
    Request,
    framed,
    native,
    pack,
    packed_parts,
    portable,
    receive,
    unframed,
    unpacked_parts,
)
from quarry.indexer.prepared import CUTTING, Cut
from quarry.search.errors import ClusterUnavailable, ModelDamaged, ModelMismatch, ModelMissing, QuarryError
from quarry.search.types import Chunk, Kind, Parsed, ParsedPart
from quarry.search.values.places import Place

_RAISED: Mapping[str, type[QuarryError]] = {
    error.__name__: error for error in (ClusterUnavailable, ModelMissing, ModelDamaged, ModelMismatch)
}
_REFUSED = "refused"
Frames = list[bytes]


@dataclass(frozen=True, slots=True)
class Model:
    """Which model is meant: of which medium, by which name, and what its vectors are made by ("" for whatever)."""

    medium: Kind
    name: str
    identity: str = ""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it was when it was read: its name, and by theirs the files beside it that say something about it."""

    name: str
    content: bytes
    beside: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class ReadJob:
    """Files to be parsed, and cut for the library's model, or the one beside it, None where there is none."""

    files: Sequence[SentFile]
    options: LoadOptions
    own: Model
    other: Model | None


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """Things to be embedded; `whole` where some may be longer than the model takes."""

    model: Model
    things: Sequence[Any]
    whole: bool


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document of a file, and its passages, cut for the model of that identity."""

    parsed: Parsed
    passages: Cut
    identity: str


Piece = CutDocument | Reached | End | Failure


@cache
def own_version() -> str:
    """Return what must be the same on both sides: the version of Quarry, and how it cuts texts."""
    return f"{version('quarry-search')} (passages {CUTTING})"


def pack_reading(job: ReadJob) -> bytes:
    """Write a job of reading."""
    models = [asdict(job.own), job.other and asdict(job.other)]
    parts = framed([own_version(), sorted(installed()), models, len(job.files)])
    for file in job.files:
        parts += pack(Request(Path(file.name), "", job.options))
        sizes = [[portable(name), len(content)] for name, content in file.beside.items()]
        parts += framed(sizes, data=b"".join([*file.beside.values(), file.content]))
    return b"".join(parts)


def unpack_reading(job: bytes) -> ReadJob:
    """Read a job of reading.

    Raises:
        ClusterUnavailable: it comes from another version of Quarry, or from where more formats can be read.
    """
    read = _Reader(job)
    header, _, _ = unframed(read)
    _check_version(header[0])
    extras, (own, other), count = header[1:]
    if lacking := sorted(set(extras) - installed()):  # the library would lose what only its own machine can read
        raise ClusterUnavailable(f"it can't read all that the library's machine can. There, too: {'; '.join(lacking)}.")
    files, options = [], LoadOptions()
    for _ in range(count):
        request = receive(read)
        if not isinstance(request, Request):
            raise Garbled("a file is missing")
        options = request.options
        sizes, _, data = unframed(read)
        beside, start = {}, 0
        for name, size in sizes:
            beside[native(name)] = data[start : start + size]
            start += size
        files.append(SentFile(os.fspath(request.path), data[start:], beside))
    return ReadJob(files, options, Model(**own), other and Model(**other))


def pack_embedding(job: EmbedJob) -> bytes:
    """Write a job of embedding."""
    headers, data = packed_parts([ParsedPart(job.model.medium, thing) for thing in job.things])
    return b"".join(framed([own_version(), asdict(job.model), job.whole, headers], data=data))


def unpack_embedding(job: bytes) -> EmbedJob:
    """Read a job of embedding; raise as `unpack_reading` does."""
    header, _, data = unframed(_Reader(job))
    _check_version(header[0])
    model, whole, headers = header[1:]
    return EmbedJob(Model(**model), [part.thing for part in unpacked_parts(headers, data)], whole)


def pack_piece(number: int, piece: Piece) -> Frames:
    """Write what came of a file."""
    if not isinstance(piece, CutDocument):
        return framed([number]) + pack(piece)
    chunks = [
        [chunk.start, chunk.end, chunk.place and chunk.place.json, chunk.heading] for chunk in piece.passages.chunks
    ]
    context = piece.passages.context.encode("utf-8", "surrogatepass")
    return framed([number, piece.identity, chunks], context) + pack(piece.parsed)


def unpack_pieces(block: bytes, count: int) -> Iterator[tuple[int, Piece]]:
    """Read what came of so many files, by their numbers.

    Raises:
        ClusterUnavailable: it is nothing of the kind.
        QuarryError: the worker refuses, and says why.
    """
    read = _Reader(block)
    while not read.ended:
        try:
            header, context, _ = unframed(read)
            if header[0] == _REFUSED:
                raise _refusal(header)
            message = receive(read)
            if header[0] not in range(count):
                raise Garbled(f"{header[0]} is no file of {count}")
            if isinstance(message, Parsed):
                number, identity, chunks = header
                passages = Cut(context.decode("utf-8", "surrogatepass"), list(_chunks(chunks, message.text)))
                yield int(number), CutDocument(message, passages, str(identity))
            elif isinstance(message, Reached | End | Failure):
                yield int(header[0]), message
            else:
                raise Garbled(f"{message} comes of no file")
        except (Garbled, *SENSELESS) as error:
            raise _no_answer(error) from error


def pack_vectors(embedded: Embedded) -> bytes:
    """Write vectors, and why some things have none."""
    vectors, bad = embedded
    header = [list(vectors.shape), [[position, why] for position, why in bad.items()]]
    return b"".join(framed(header, data=np.ascontiguousarray(vectors, np.float32).tobytes()))


def unpack_vectors(answer: bytes, count: int, dimension: int) -> Embedded:
    """Read (count, dimension) vectors; raise as `unpack_pieces` does."""
    try:
        header, _, data = unframed(_Reader(answer))
        if header[0] == _REFUSED:
            raise _refusal(header)
        shape, bad = header
        if shape != [count, dimension]:
            raise Garbled(f"vectors of the shape {shape}")
        return np.frombuffer(data, np.float32).reshape(count, dimension), {int(at): str(why) for at, why in bad}
    except (Garbled, *SENSELESS) as error:
        raise _no_answer(error) from error


def pack_refusal(error: QuarryError) -> bytes:
    """Write why a worker does not do a job, and on which machine it is."""
    kind = next((name for name, kind in _RAISED.items() if type(error) is kind), ClusterUnavailable.__name__)
    return b"".join(framed([_REFUSED, kind, f"The worker on {socket.gethostname()} refuses: {error}"]))


def _refusal(header: Sequence[Any]) -> QuarryError:
    return _RAISED.get(str(header[1]), ClusterUnavailable)(str(header[2]))


def _no_answer(error: Exception) -> ClusterUnavailable:
    return ClusterUnavailable(
        f"A worker gave what is no answer ({type(error).__name__}: {error}). All machines must have the same version "
        f"of Quarry: {own_version()}."
    )


def _check_version(asked: str) -> None:
    if asked != own_version():
        raise ClusterUnavailable(
            f"it has Quarry {own_version()}, and the library is written by {asked}. Install the same version on both."
        )


def _chunks(rows: Iterable[Any], text: str) -> Iterator[Chunk]:
    last = 0
    for ordinal, (start, end, place, heading) in enumerate(rows):
        if not last <= start < end <= len(text):
            raise Garbled(f"a passage from {start} to {end} of a text of {len(text)} characters")
        last = end
        yield Chunk(ordinal, start, end, text[start:end], Place.of(place), str(heading))


class _Reader:
    """Gives so many of some bytes after the other; ValueError where there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def __call__(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise ValueError("it ends too early")
        part = bytes(self._data[self._at : end])
        self._at = end
        return part

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)
