"""Files -> a cluster -> prepared documents: what is out, what has come of it, what must go out again.

The bytes of a file are sent, so that no worker need see its folder, and what is recorded of it (its stat, its hash) is
said of these very bytes. A worker that is lost has its files given out again, each by itself, so that one that ends
workers is known; a document that has come already is not taken twice. What is too large to be sent is read here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from quarry.indexer.cluster.base import Blocks, Cluster, WorkerLost
from quarry.indexer.cluster.messages import (
    CutDocument,
    Model,
    ReadJob,
    SentFile,
    pack_reading,
    unpack_pieces,
)
from quarry.indexer.files.changes import content_hash
from quarry.indexer.files.walking import look
from quarry.indexer.loaders.base import MEBIBYTE, open_regular
from quarry.indexer.loaders.pictures.sidecars import sidecars
from quarry.indexer.loaders.pictures.xmp import MAX_XMP
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sandbox.wire import Failure, Reached
from quarry.indexer.reading import (
    ATTEMPTS,
    CHANGING,
    FileDocument,
    FileEnd,
    FilePart,
    FileReached,
    FileToRead,
    document_of,
    end_of,
    read,
)
from quarry.indexer.writer import Writer
from quarry.search.beside import BESIDE
from quarry.search.beside import MODEL as OTHER_MODEL
from quarry.search.errors import FileUnreadable, LoadError, ModelMismatch
from quarry.search.files.uris import path_of
from quarry.search.stores.rows.files import FileStat

MOST_SENT = 64 * MEBIBYTE  # bytes of a file; a larger one is read where the library is
_TOGETHER, _TOGETHER_BYTES = 32, MEBIBYTE  # files that go out at once, so that many small ones cost little
_TRIES = 3  # of one file by itself
_PATIENCE = 1.0  # seconds without news, after which it is looked whether the cluster is there

_KILLS = (
    f"it ended {_TRIES} workers of the cluster, one after the other, or they were lost by chance; the next run tries "
    "it again. Leave it out, or index it on one machine"
)


@dataclass(slots=True)
class _Out:
    """A file that is out, as it was when it was read.

    Args:
        given: the digests of the documents that have come of it, by URI, whichever worker read them.
        lost: how many workers were lost by it.
    """

    reading: FileToRead
    found: FileStat
    seen_ns: int
    digest: bytes
    given: dict[str, bytes] = field(default_factory=dict)
    lost: int = 0
    uris: set[str] = field(default_factory=set)
    share: float = 0.0
    is_over: bool = False


def read_elsewhere(
    readings: Sequence[FileToRead], cluster: Cluster, sandbox: Sandbox, writer: Writer
) -> Generator[FilePart, None, None]:
    """Do as `indexer.reading.read` does, on a cluster; files are read beside each other, and come in any order."""
    yield from _Sending(cluster, sandbox, writer).parts(readings)


class _Sending:
    def __init__(self, cluster: Cluster, sandbox: Sandbox, writer: Writer) -> None:
        self._cluster, self._sandbox, self._writer = cluster, sandbox, writer
        own = writer.encoder
        self._own = Model("text", own.card.name, own.identity)
        self._other = Model("text", OTHER_MODEL) if BESIDE in writer.embedders else None
        self._again = deque[tuple[FileToRead, dict[str, bytes], int]]()  # with `given` and `lost`
        self._here = deque[FileToRead]()
        self._open: dict[Blocks, list[_Out]] = {}

    def parts(self, readings: Sequence[FileToRead]) -> Iterator[FilePart]:
        """Yield what comes of files."""
        left = deque(readings)
        here: Iterator[FilePart] = iter(())
        reads_here = False
        while left or self._again or self._here or self._open or reads_here:
            while (left or self._again) and len(self._open) < self._cluster.workers:
                yield from self._send(left)
            if not reads_here and self._here:
                here, reads_here = read([self._here.popleft()], self._sandbox, self._writer.encoder_for), True
            if reads_here:
                part = next(here, None)
                if part is not None:
                    yield part
                reads_here = part is not None
            if self._open:
                for stream in self._cluster.ready(list(self._open), 0.0 if reads_here else _PATIENCE):
                    yield from self._taken(stream)

    def _send(self, left: deque[FileToRead]) -> Iterator[FilePart]:
        """Send the next files; yield how those ended that can't be read."""
        out: list[_Out] = []
        sent: list[SentFile] = []
        size = 0
        while len(sent) < _TOGETHER and size < _TOGETHER_BYTES:
            if self._again:
                if sent:
                    break
                reading, given, lost = self._again.popleft()
            elif left:
                reading, given, lost = left.popleft(), {}, 0
            else:
                break
            looked = _looked_at(reading)
            if looked is None:
                self._here.append(reading)
                continue
            if isinstance(looked, FileEnd):
                yield looked
                continue
            one, content = looked
            one.given, one.lost = given, lost
            out.append(one)
            sent.append(content)
            size += len(content.content)
            if lost:
                break
        if sent:
            job = ReadJob(sent, self._sandbox.options, self._own, self._other)
            self._open[self._cluster.read(pack_reading(job))] = out

    def _taken(self, stream: Blocks) -> Iterator[FilePart]:
        """Take what is there of a stream."""
        files = self._open[stream]
        try:
            block = stream.take()
        except WorkerLost:
            block = None
        if block is None:
            del self._open[stream]
            yield from self._lost([one for one in files if not one.is_over])
            return
        for number, piece in unpack_pieces(block, len(files)):
            one = files[number]
            if one.is_over:
                continue
            if isinstance(piece, Reached):
                if piece.share > one.share:
                    one.share = piece.share
                    yield FileReached(one.reading, one.share)
            elif isinstance(piece, CutDocument):
                try:
                    yield from self._document(one, piece)
                except LoadError as error:
                    yield _end(one, error)
            else:
                yield _end(one, piece.error(piece.message) if isinstance(piece, Failure) else None)

    def _document(self, one: _Out, piece: CutDocument) -> Iterator[FileDocument]:
        encoder = self._writer.encoder_for(piece.parsed.text)
        if encoder.identity != piece.identity:
            raise ModelMismatch(
                f"A worker cuts texts for another model than {encoder.card.name}: {piece.identity[:12]} instead of "
                f"{encoder.identity[:12]}. Have the same models on all machines."
            )
        prepared = document_of(one.reading, one.found, piece.parsed, piece.passages, one.uris)
        uri, digest = prepared.document.uri, prepared.document.hash
        if one.given.get(uri) != digest:  # else it came before its worker was lost
            one.given[uri] = digest
            yield FileDocument(one.reading, prepared, one.share)

    def _lost(self, files: Sequence[_Out]) -> Iterator[FilePart]:
        """Have files that did not come to their end given out again, one by one."""
        for one in files:
            lost = one.lost + 1
            if lost > _TRIES:
                yield _end(one, FileUnreadable(_KILLS))
            else:
                self._again.append((one.reading, one.given, lost))


def _end(one: _Out, error: LoadError | None) -> FileEnd:
    one.is_over = True
    return end_of(one.reading, one.found, one.seen_ns, one.uris, one.digest, error)


def _looked_at(reading: FileToRead) -> tuple[_Out, SentFile] | FileEnd | None:
    """Read a file and what lies beside it; or say how that ended, None where it is too large to be sent."""
    path, found = path_of(reading.found.path), reading.found
    error: LoadError | None = None
    seen_ns = 0
    for _ in range(ATTEMPTS):
        seen_ns = time.time_ns()
        try:
            found = look(path)
            if found.size > MOST_SENT:
                return None
            with open_regular(path) as file:
                digest = content_hash(path, file)
                file.seek(0)
                content = file.read(found.size + 1)
            beside = {}
            for sidecar in sidecars(path):
                with suppress(OSError, FileUnreadable), open_regular(sidecar) as file:
                    beside[sidecar.name] = file.read(MAX_XMP)
            if look(path) == found:
                return _Out(reading, found, seen_ns, digest), SentFile(path.name, content, beside)
            error = FileUnreadable(CHANGING)
        except LoadError as failure:
            error = failure
            break
        except OSError as failure:
            error = FileUnreadable(f"it can't be read: {failure.strerror or failure}")
            break
    return end_of(reading, found, seen_ns, set(), None, error)
