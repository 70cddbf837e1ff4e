"""What a process of a cluster does: files -> documents with their passages, things -> vectors. It writes nothing.

Every file is parsed in the confined child here, too (`indexer/loaders/sandbox/sandbox.py`); it lies in a temporary
folder of its owner's alone meanwhile, by its own name.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Unpack

from quarry.indexer.cluster.messages import (
    CutDocument,
    Frames,
    Model,
    Piece,
    ReadJob,
    SentFile,
    pack_piece,
    pack_refusal,
    pack_vectors,
    unpack_embedding,
    unpack_reading,
)
from quarry.indexer.embedding.checked import Here
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sandbox.wire import End, Failure, Reached
from quarry.indexer.reading import cut_of
from quarry.search.beside import knows_document
from quarry.search.errors import (
    FileMalformed,
    FileUnreadable,
    LoadError,
    ModelMismatch,
    QuarryError,
    UnsupportedType,
)
from quarry.search.files.access import make_file
from quarry.search.files.disks import temporary_folder, writing
from quarry.search.media.base import medium
from quarry.search.models.contracts import ImageEncoder, TextEncoder
from quarry.search.models.live import How, NamedModels
from quarry.search.models.loading import load_image_encoder, load_text_encoder

_BLOCK = 256 << 10  # bytes that are sent at once, but for one document that is longer
_WAITING = 0.5  # seconds that something waits for more to be sent with it


class _OneThread(NamedModels):
    """Models that take one core: a machine has a worker for each."""

    def text(self, name: str, **how: Unpack[How]) -> TextEncoder:
        return load_text_encoder(name, threads=1, **how)

    def image(self, name: str, *, text_encoder: TextEncoder | None = None, **how: Unpack[How]) -> ImageEncoder:
        return load_image_encoder(name, threads=1, text_encoder=text_encoder, **how)


class Worker:
    """Does one job after the other; what it opened for one is there for the next."""

    def __init__(self) -> None:
        self._live = _OneThread()
        self._encoders: dict[tuple[str, str], Any] = {}
        self._sandbox = Sandbox()

    def read(self, job: bytes) -> Generator[bytes, None, None]:
        """Yield what comes of files, block by block; of what can't be done here, the refusal."""
        frames: Frames = []
        size, sent = 0, time.monotonic()
        try:
            for frame in self._frames(unpack_reading(job)):
                frames += frame
                size += sum(map(len, frame))
                if size >= _BLOCK or time.monotonic() - sent >= _WAITING:
                    yield b"".join(frames)
                    frames, size, sent = [], 0, time.monotonic()
        except QuarryError as error:
            frames.append(pack_refusal(error))
        if frames:
            yield b"".join(frames)

    def embed(self, job: bytes) -> bytes:
        """Return the vectors of things, or the refusal."""
        try:
            asked = unpack_embedding(job)
            encoder = self._encoder(asked.model)
            return pack_vectors(Here().embed(medium(asked.model.medium), encoder, asked.things, whole=asked.whole))
        except QuarryError as error:
            return pack_refusal(error)

    def close(self) -> None:
        """End the child."""
        self._sandbox.close()

    def _frames(self, job: ReadJob) -> Iterator[Frames]:
        for number, file in enumerate(job.files):
            with temporary_folder("quarry-") as folder:
                path = folder.resolve() / Path(file.name).name
                _put(path, file)
                for piece in self._pieces(path, job):
                    yield pack_piece(number, piece)

    def _pieces(self, path: Path, job: ReadJob) -> Iterator[Piece]:
        def encoder_for(text: str) -> TextEncoder:
            encoder: TextEncoder = self._encoder(job.own if job.other is None or knows_document(text) else job.other)
            return encoder

        try:
            with closing(self._sandbox.follow(path, options=job.options)) as found:
                for parsed in found:
                    if isinstance(parsed, Reached):
                        yield parsed
                    else:
                        yield CutDocument(parsed, cut_of(parsed, encoder_for), encoder_for(parsed.text).identity)
        except LoadError as error:
            kinds = (UnsupportedType, FileUnreadable)
            kind = next((kind for kind in kinds if isinstance(error, kind)), FileMalformed)
            yield Failure(kind, str(error))
        else:
            yield End()

    def _encoder(self, model: Model) -> Any:
        """Return a model of this machine.

        Raises:
            ModelMissing, ModelDamaged: it can't be used here.
            ModelMismatch: what goes by its name here is another one.
        """
        name = (model.medium, model.name)
        if name not in self._encoders:
            opened = medium(model.medium).open(self._live, model.name, lambda: None, prepare=True, fetch=False)
            self._encoders[name] = opened
        encoder = self._encoders[name]
        if model.identity not in ("", encoder.identity):
            raise ModelMismatch(
                f"{model.name} is another model there: its vectors are made by {encoder.identity[:12]}, those of the "
                f"library by {model.identity[:12]}. Have the same files on all machines."
            )
        return encoder


def _put(path: Path, file: SentFile) -> None:
    for name, content in {file.name: file.content, **file.beside}.items():
        with writing(path.parent), make_file(path.with_name(Path(name).name)) as opened:
            opened.write(content)


@cache
def _worker() -> Worker:
    return Worker()


def read(job: bytes) -> Generator[bytes, None, None]:
    """Do as `Worker.read`, in this process."""
    yield from _worker().read(job)


def embed(job: bytes) -> bytes:
    """Do as `Worker.embed`, in this process."""
    return _worker().embed(job)
